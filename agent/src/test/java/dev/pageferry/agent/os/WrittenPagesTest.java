package dev.pageferry.agent.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.agent.os.WrittenPages.UnavailableException;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** With a process that is another program's child, and a file in a tmpfs. */
final class WrittenPagesTest {
  private static final Path TMPFS = Path.of("/dev/shm");
  private static final int PAGE_BYTES = 4096;
  private static final int PAGES = 4096;
  private static final long BYTES = (long) PAGES * PAGE_BYTES;
  private static final int STORM_MILLIS = 1500;
  private static final int END_SECONDS = 10;

  private Path file;
  private PageWriter writer;
  private int descriptor;

  @BeforeEach
  void start() throws Exception {
    assumeTrue(Files.isDirectory(TMPFS), "there is no /dev/shm: what the kernel tells of written pages is not tested");
    file = Files.createTempFile(TMPFS, "written-pages", "");
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      int _ = channel.write(ByteBuffer.allocate(1), BYTES - 1);
    }
    writer = PageWriter.start(file, BYTES);
    try {
      descriptor = WrittenPages.prepare(writer.process(), Scheduler.SYSTEM);
    } catch (UnavailableException e) {
      assumeTrue(false, "what the kernel tells of written pages is not tested: " + e.getMessage());
    }
  }

  @AfterEach
  void end() throws Exception {
    if (writer != null) {
      writer.close();
    }
    if (file != null) {
      Files.deleteIfExists(file);
    }
  }

  private WrittenPages open() throws Exception {
    return WrittenPages.open(writer.process(), descriptor, file);
  }

  private static List<Long> harvest(WrittenPages pages) throws IOException {
    List<Long> told = new ArrayList<>();
    pages.harvest((first, count) -> LongStream.range(first, first + count).forEach(told::add));
    return told;
  }

  @Test
  void eachPageThatWasWrittenIsToldOnceUntilItIsWrittenAgain() throws Exception {
    writer.write(1, 2);
    try (WrittenPages pages = open()) {
      pages.protect();
      assertThat(harvest(pages)).as("what was written before").isEmpty();

      writer.write(0, 3, 4, 5, 5, 100, PAGES - 1);
      assertThat(harvest(pages)).containsExactly(0L, 3L, 4L, 5L, 100L, PAGES - 1L);
      assertThat(harvest(pages)).isEmpty();

      writer.write(4);
      assertThat(harvest(pages)).containsExactly(4L);
    }
  }

  @Test
  void aPageThatIsNotMappedAnyMoreWhenItIsAskedForIsToldIfItWasWritten() throws Exception {
    writer.write(7, 8, 9);
    try (WrittenPages pages = open()) {
      pages.protect();
      writer.write(7);
      writer.unmap(7);
      writer.unmap(8);

      assertThat(harvest(pages)).contains(7L).doesNotContain(8L, 9L);

      writer.write(8);
      assertThat(harvest(pages)).contains(8L);
    }
  }

  @Test
  void noWriteIsLostWhileAProcessWritesAndPagesAreCopied() throws Exception {
    try (WrittenPages pages = open();
        Arena arena = Arena.ofShared();
        FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      MemorySegment here = channel.map(FileChannel.MapMode.READ_ONLY, 0, BYTES, arena);
      MemorySegment copy = arena.allocate(BYTES);
      pages.protect();
      copy.copyFrom(here);
      writer.storm(STORM_MILLIS);
      long end = System.nanoTime() + STORM_MILLIS * 1_000_000L;
      long told = 0;
      while (System.nanoTime() < end) {
        told += copyWritten(pages, here, copy);
      }
      writer.await();

      told += copyWritten(pages, here, copy);

      assertThat(told).as("many more than there are").isGreaterThan(3 * PAGES);
      assertThat(copy.mismatch(here)).isEqualTo(-1);
    }
  }

  private static long copyWritten(WrittenPages pages, MemorySegment from, MemorySegment to) throws IOException {
    List<Long> told = harvest(pages);
    for (long page : told) {
      MemorySegment.copy(from, page * PAGE_BYTES, to, page * PAGE_BYTES, PAGE_BYTES);
    }
    return told.size();
  }

  @Test
  void oneThatIsClosedCanBeFollowedByAnotherAndSoCanOneThatNobodyClosed() throws Exception {
    WrittenPages left = open();
    left.protect();
    writer.write(1);

    try (WrittenPages pages = open()) {
      pages.protect();
      assertThat(harvest(pages)).isEmpty();
      writer.write(2);
      assertThat(harvest(pages)).containsExactly(2L);
    }
    writer.write(3);
    assertThatThrownBy(() -> harvest(left)).as("nothing is watched").isInstanceOf(IOException.class);
    try (WrittenPages pages = open()) {
      pages.protect();
      writer.write(4);
      assertThat(harvest(pages)).containsExactly(4L);
      pages.close();
    }
    left.close();
  }

  @Test
  void aProcessGoesOnHoweverOftenItIsMadeToMakeACall() throws Exception {
    writer.storm(STORM_MILLIS);
    for (int i = 0; i < 50; i++) {
      assertThat(WrittenPages.prepare(writer.process(), Scheduler.SYSTEM)).isGreaterThan(descriptor);
    }
    writer.await();
    writer.write(1, 2, 3);
  }

  @Test
  void aProcessThatIsStoppedIsLeftAloneAndGoesOnLater() throws Exception {
    signal("STOP");

    assertThatThrownBy(() -> WrittenPages.prepare(writer.process(), Scheduler.SYSTEM))
        .isInstanceOf(UnavailableException.class).hasMessageContaining("not found waiting");

    signal("CONT");
    writer.write(1);
  }

  private void signal(String name) throws Exception {
    assertThat(new ProcessBuilder("kill", "-" + name, String.valueOf(writer.process().pid())).start().waitFor())
        .isZero();
  }

  @Test
  void aProcessThatHasEndedOrIsTheKernelsIsRefused() throws Exception {
    writer.process().kill();
    while (writer.process().isAlive()) {
      Thread.onSpinWait();
    }

    assertThatThrownBy(() -> WrittenPages.prepare(writer.process(), Scheduler.SYSTEM))
        .isInstanceOf(UnavailableException.class).hasMessageContaining("PTRACE_SEIZE");
    assertThatThrownBy(() -> WrittenPages.prepare(new OsProcess(2, 0), Scheduler.SYSTEM))
        .isInstanceOf(UnavailableException.class).hasMessageContaining("PTRACE_SEIZE");
    assertThatThrownBy(this::open).isInstanceOf(UnavailableException.class);
  }

  @Test
  void theEndOfAProcessIsSaidAndClosingIsNoTroubleThen() throws Exception {
    WrittenPages pages = open();
    pages.protect();
    writer.process().kill();
    while (writer.process().isAlive()) {
      Thread.onSpinWait();
    }

    assertThatThrownBy(() -> harvestForSeconds(pages)).isInstanceOf(IOException.class)
        .hasMessageContaining("has ended");
    pages.close();
  }

  /** Other threads of a process, and its memory with them, may be there for a moment after its first one. */
  private static void harvestForSeconds(WrittenPages pages) throws IOException {
    long end = System.nanoTime() + END_SECONDS * 1_000_000_000L;
    while (System.nanoTime() < end) {
      assertThat(harvest(pages)).isEmpty();
    }
  }

  @Test
  void aDescriptorOfAnotherKindAndAFileThatIsMappedInPartAreRefused() throws Exception {
    assertThatThrownBy(() -> WrittenPages.open(writer.process(), 0, file))
        .isInstanceOf(UnavailableException.class).hasMessageContaining("its descriptor 0 is pipe:");
    Path larger = Files.createTempFile(TMPFS, "written-pages", "");
    try {
      assertThatThrownBy(
          () -> WrittenPages.open(writer.process(), descriptor, Files.write(larger, new byte[PAGE_BYTES])))
          .isInstanceOf(UnavailableException.class).hasMessageContaining("has mapped").hasMessageContaining("as []");
    } finally {
      Files.delete(larger);
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      int _ = channel.write(ByteBuffer.allocate(PAGE_BYTES), BYTES);
    }
    assertThatThrownBy(this::open).isInstanceOf(UnavailableException.class).hasMessageContaining("has mapped");
  }
}
