package dev.pageferry.agent.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

final class LinuxTest {
  @Test
  void mappedMemoryIsZeroWritableAndGoneWithItsArena() throws Exception {
    MemorySegment memory;
    try (Arena arena = Arena.ofConfined()) {
      memory = Linux.map(1 << 20, arena);
      assertThat(memory.byteSize()).isEqualTo(1 << 20);
      Linux.advise(memory, Linux.MADV_POPULATE_WRITE);
      assertThat(memory.get(ValueLayout.JAVA_LONG, (1 << 20) - 8)).isZero();
      memory.set(ValueLayout.JAVA_LONG, (1 << 20) - 8, 7);
      assertThat(memory.get(ValueLayout.JAVA_LONG, (1 << 20) - 8)).isEqualTo(7);
    }
    assertThatThrownBy(() -> memory.get(ValueLayout.JAVA_LONG, 0)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void aMappingThatDoesNotFitTheAddressSpaceIsRefusedWithItsErrno() {
    try (Arena arena = Arena.ofConfined()) {
      assertThatThrownBy(() -> Linux.map(1L << 62, arena)).asInstanceOf(type(Linux.KernelException.class))
          .returns(Linux.ENOMEM, Linux.KernelException::errno);
    }
  }

  @Test
  void adviceThatTheKernelDoesNotKnowIsRefusedWithItsErrno() throws Exception {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = Linux.map(4096, arena);
      assertThatThrownBy(() -> Linux.advise(memory, 9999)).asInstanceOf(type(Linux.KernelException.class))
          .returns(Linux.EINVAL, Linux.KernelException::errno);
    }
  }

  @Test
  void bootTimeIsTheKernelsUptime() throws IOException {
    long before = Linux.bootTimeNanos();
    double uptimeSeconds = Double.parseDouble(Files.readString(Path.of("/proc/uptime")).replaceFirst(" .*\\s*", ""));
    long after = Linux.bootTimeNanos();

    assertThat(uptimeSeconds).isBetween(before / 1e9 - 0.02, after / 1e9 + 0.02);
  }

  /** By a thread of its own, since a thread without privileges never gets its share back. */
  @Test
  void aThreadThatStepsBackHasATenthOfTheShareAndMakesWayForOthers() throws Exception {
    List<String> said = CompletableFuture.supplyAsync(LinuxTest::stepBack, Thread.ofPlatform()::start).get();

    assertThat(said).first().asString().as("nice value").isEqualTo("10");
    // Kernels before 6.12, and those without figures for debugging, do not tell.
    assertThat(said.subList(1, said.size())).as("time slices, ms").allMatch("100"::equals);
  }

  private static List<String> stepBack() {
    try {
      Path self = Path.of("/proc", Files.readSymbolicLink(Path.of("/proc/thread-self")).toString());
      assertThat(CompilerThreads.stepBack(Integer.parseInt(self.getFileName().toString()))).isTrue();
      List<String> said = new ArrayList<>();
      said.add(Files.readString(self.resolve("stat")).replaceFirst(".*\\) ", "").split(" ")[16]);
      Path figures = self.resolve("sched");
      if (Files.exists(figures)) {
        Files.readAllLines(figures).stream().filter(line -> line.startsWith("se.slice"))
            .map(line -> line.replaceFirst(".*:\\s*", "")).map(nanos -> Long.parseLong(nanos) / 1_000_000)
            .map(String::valueOf).forEach(said::add);
      }
      return said;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
