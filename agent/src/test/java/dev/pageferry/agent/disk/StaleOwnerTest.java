package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.os.Linux;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An owner that is stopped (SIGSTOP) in the middle of its writes and woken (SIGCONT) when the disk is another's. */
@Timeout(60)
final class StaleOwnerTest {
  private static final int SECTORS = 1024;

  @TempDir
  Path root;
  private DiskDescription disk = new DiskDescription("none", DiskFormat.RAW, 1, "");
  private Process owner = start("true");

  private static Process start(String... command) {
    try {
      return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @BeforeEach
  void startOwner(RepetitionInfo repetition) throws Exception {
    disk = new DiskDirectory(root, Clock.systemUTC()).create("data", DiskFormat.RAW, SECTORS * 512L);
    owner = start(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
        StaleWriter.class.getName(), root.toString(), disk.name(), Integer.toString(SECTORS));
    BufferedReader said = owner.inputReader();
    int lines = 3 + new Random(repetition.getCurrentRepetition()).nextInt(400);
    for (int i = 0; i < lines; i++) {
      assertThat(said.readLine()).startsWith("written");
    }
    signal("STOP");
  }

  @AfterEach
  void endOwner() {
    owner.destroyForcibly();
  }

  private void signal(String name) throws Exception {
    assertThat(new ProcessBuilder("kill", "-" + name, Long.toString(owner.pid())).start().waitFor()).isZero();
  }

  @RepeatedTest(1)
  void itsDiskIsRefusedToOthersForAsLongAsItIsThere() throws Exception {
    try (SharedStorage other = other()) {
      assertThatThrownBy(() -> other.open(List.of(disk), DiskClaim.afterSilence("vm-1", 2, false)))
          .isInstanceOf(DiskException.class).hasMessageContaining("still locked by host a");
      owner.destroyForcibly().waitFor();
      // Its kernel has seen it go: no lease is waited out.
      DiskSet taken = other.open(List.of(disk), DiskClaim.afterSilence("vm-1", 2, false));
      assertThat(taken.epoch()).isEqualTo(2);
      taken.release("");
    }
  }

  @RepeatedTest(3)
  void takenByForceItCompletesAtMostTheOneRequestThatWasInFlight() throws Exception {
    try (SharedStorage other = other()) {
      DiskSet taken = other.open(List.of(disk), DiskClaim.afterSilence("vm-1", 2, true));
      ByteBuffer sector = ByteBuffer.allocate(512).putLong(0, 2);
      for (int i = 0; i < SECTORS; i++) {
        taken.disk(0).write(i * 512L, sector.clear());
      }
      signal("CONT");
      assertThat(owner.waitFor(20, TimeUnit.SECONDS)).as("it ends when it is refused").isTrue();
      assertThat(owner.exitValue()).isZero();
      taken.release("");
    }
    byte[] bytes = Files.readAllBytes(root.resolve("disks/data.raw"));
    int stale = 0;
    for (int i = 0; i < SECTORS; i++) {
      stale += ByteBuffer.wrap(bytes).getLong(i * 512) == 1 ? 1 : 0;
    }
    assertThat(stale).isLessThanOrEqualTo(1);
  }

  private SharedStorage other() throws IOException {
    String boot = Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
    return new SharedStorage(root, new StorageLease.Holder("b", "fresh", boot),
        new SharedStorage.Timing(StaleWriter.LEASE, Duration.ofMillis(50)), new SharedStorage.Environment(
            new ProcessLocks(), Linux::bootTimeNanos, Scheduler.SYSTEM),
        Devices.SYSTEM, fenced -> {
        });
  }
}
