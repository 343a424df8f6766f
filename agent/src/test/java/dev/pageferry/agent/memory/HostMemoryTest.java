package dev.pageferry.agent.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
final class HostMemoryTest {
  private static final long MEBIBYTE = 1 << 20;

  private final HostMemory memory = new HostMemory(10 * MEBIBYTE);
  private final Set<Path> places = ConcurrentHashMap.newKeySet();

  @Test
  void whatAGuestHasIsNotFree() throws Exception {
    try (PageStore guest = memory.allocate(4 * MEBIBYTE)) {
      assertThat(guest.pageCount()).isEqualTo(PageSize.pagesFor(4 * MEBIBYTE));
      assertThat(memory.freeBytes()).isEqualTo(6 * MEBIBYTE);
      assertThat(memory.capacityBytes()).isEqualTo(10 * MEBIBYTE);
    }
    assertThat(memory.freeBytes()).isEqualTo(10 * MEBIBYTE);
  }

  @Test
  void theLastByteCanBeHad() throws Exception {
    try (PageStore first = memory.allocate(9 * MEBIBYTE); PageStore second = memory.allocate(MEBIBYTE)) {
      assertThat(first.pageCount() + second.pageCount()).isEqualTo(PageSize.pagesFor(10 * MEBIBYTE));
      assertThat(memory.freeBytes()).isZero();
    }
  }

  @Test
  void moreThanIsFreeIsRefusedWithTheFiguresAndChangesNothing() throws Exception {
    try (PageStore guest = memory.allocate(8 * MEBIBYTE)) {
      assertThatThrownBy(() -> memory.allocate(3 * MEBIBYTE)).isInstanceOf(OutOfMemoryException.class)
          .hasMessageContaining("3 MiB asked for").hasMessageContaining("2 MiB free");
      assertThat(guest.isZero(0)).isTrue();
      assertThat(memory.freeBytes()).isEqualTo(2 * MEBIBYTE);
    }
  }

  @Test
  void memoryThatIsClosedTwiceIsGivenBackOnce() throws Exception {
    PageStore one = memory.allocate(4 * MEBIBYTE);
    try (PageStore other = memory.allocate(4 * MEBIBYTE)) {
      one.close();
      one.close();

      assertThat(memory.freeBytes()).isEqualTo(6 * MEBIBYTE);
      assertThat(other.isZero(0)).isTrue();
    }
  }

  @Test
  void moreThanTheKernelHasIsRefusedWhateverTheOperatorAllowed() {
    HostMemory boundless = new HostMemory(Long.MAX_VALUE);

    assertThatThrownBy(() -> boundless.allocate(1L << 60)).isInstanceOf(OutOfMemoryException.class)
        .hasMessageContaining("kernel");
    assertThat(boundless.freeBytes()).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void memoryThatSomebodyStillReadsIsNotFreeYet() throws Exception {
    PageStore guest = memory.allocate(4 * MEBIBYTE);
    guest.borrow();
    guest.close();
    assertThat(memory.freeBytes()).isEqualTo(6 * MEBIBYTE);
    assertThat(memory.spareBytes()).isZero();

    guest.giveBack();

    assertThat(memory.freeBytes()).isEqualTo(10 * MEBIBYTE);
    assertThat(memory.spareBytes()).isEqualTo(4 * MEBIBYTE);
  }

  @Test
  void theNextGuestFindsNothingOfTheOneBefore() throws Exception {
    // Large, so that some of it is still to be wiped when it is taken.
    HostMemory large = new HostMemory(512 * MEBIBYTE);
    long last = PageSize.pagesFor(512 * MEBIBYTE) - 1;
    for (int guest = 0; guest < 3; guest++) {
      try (PageStore ram = large.allocate(512 * MEBIBYTE)) {
        assertThat(large.spareBytes()).isZero();
        for (long page = 0; page <= last; page++) {
          if (!ram.isZero(page)) {
            throw new AssertionError("guest=%d page=%d is not zero".formatted(guest, page));
          }
          // Somewhere else in every page, its first and its last word included.
          ram.putLong(PageSize.bytesOf(page) + page % 512 * Long.BYTES, -1);
        }
      }
    }
    assertThat(large.spareBytes()).isEqualTo(512 * MEBIBYTE);
  }

  @Test
  void aGuestThatHasLeftCannotReachItsMemoryThoughAnotherHasIt() throws Exception {
    PageStore before = memory.allocate(4 * MEBIBYTE);
    before.close();
    try (PageStore after = memory.allocate(4 * MEBIBYTE)) {
      assertThatThrownBy(() -> before.putLong(0, 1)).isInstanceOf(IllegalStateException.class);
      assertThat(after.isZero(0)).isTrue();
    }
  }

  @Test
  void spareMemoryMakesRoomForAGuestOfAnotherSize() throws Exception {
    memory.allocate(4 * MEBIBYTE).close();
    memory.allocate(5 * MEBIBYTE).close();
    assertThat(memory.spareBytes()).isEqualTo(9 * MEBIBYTE);

    try (PageStore guest = memory.allocate(2 * MEBIBYTE)) {
      // 2 and 9 would be more than 10; the one that was left first goes.
      assertThat(memory.spareBytes()).isEqualTo(5 * MEBIBYTE);
      assertThat(memory.freeBytes()).isEqualTo(8 * MEBIBYTE);
      assertThat(guest.isZero(0)).isTrue();
    }
  }

  @Test
  void spareMemoryGoesBackToTheKernelInTime() throws Exception {
    HostMemory hasty = new HostMemory(10 * MEBIBYTE, Duration.ZERO);
    PageStore guest = hasty.allocate(4 * MEBIBYTE);
    long address = MemorySegment.ofBuffer(guest.window(0, 1)).address();
    assertThat(isMapped(address)).isTrue();

    guest.close();

    Awaitility.await().until(() -> hasty.spareBytes() == 0 && !isMapped(address));
    assertThat(hasty.freeBytes()).isEqualTo(10 * MEBIBYTE);
  }

  @Test
  void memoryInAFileServesTheNextGuestUnderAnotherNameAndHasNothingOfTheOneBefore(@TempDir Path directory)
      throws Exception {
    PageStore first = memory.allocateShared(4 * MEBIBYTE, directory.resolve("first"));
    first.putLong(4 * MEBIBYTE - Long.BYTES, -1);
    Object inode = Files.getAttribute(directory.resolve("first"), "unix:ino");
    // Open, or its number could be that of a file that is made after it.
    FileChannel opened = FileChannel.open(directory.resolve("first"));
    first.borrow();
    assertThat(memory.closeShared(first, moved(directory.resolve("first")))).isTrue();
    assertThat(memory.spareBytes()).isZero();
    first.giveBack();
    assertThat(memory.spareBytes()).isEqualTo(4 * MEBIBYTE);
    assertThat(memory.freeBytes()).isEqualTo(10 * MEBIBYTE);

    try (opened;
        PageStore inNoFile = memory.allocate(4 * MEBIBYTE);
        PageStore second = memory.allocateShared(4 * MEBIBYTE, directory.resolve("second"))) {
      assertThat(inNoFile.isZero(0)).isTrue();
      assertThat(memory.spareBytes()).isZero();
      assertThat(Files.getAttribute(directory.resolve("second"), "unix:ino")).isEqualTo(inode);
      for (long page = 0; page < second.pageCount(); page++) {
        assertThat(second.isZero(page)).as("page %d", page).isTrue();
      }
      assertThat(places).isEmpty();
    }
    assertThat(memory.spareBytes()).as("memory in a file that its guest still has").isEqualTo(4 * MEBIBYTE);
  }

  @Test
  void memoryInAFileThatNobodyIsKnownToHaveLeftIsNotKept(@TempDir Path directory) throws Exception {
    memory.allocateShared(4 * MEBIBYTE, directory.resolve("ram")).close();
    assertThat(memory.spareBytes()).isZero();
    assertThat(memory.freeBytes()).isEqualTo(10 * MEBIBYTE);
  }

  @Test
  void memoryThatWasClosedIsNotKept(@TempDir Path directory) throws Exception {
    PageStore guest = memory.allocateShared(4 * MEBIBYTE, directory.resolve("ram"));
    guest.close();
    assertThat(memory.closeShared(guest, moved(directory.resolve("ram")))).isFalse();
    assertThat(memory.spareBytes()).isZero();
    assertThat(places).as("is the caller's").hasSize(1);
  }

  @Test
  void aGuestIsNotRefusedBecauseSomebodyRemovedTheFileOfKeptMemory(@TempDir Path directory) throws Exception {
    PageStore before = memory.allocateShared(8 * MEBIBYTE, directory.resolve("before"));
    memory.closeShared(before, moved(directory.resolve("before")));
    Files.delete(directory.resolve("before-kept"));
    try (PageStore after = memory.allocateShared(8 * MEBIBYTE, directory.resolve("after"))) {
      assertThat(after.isZero(0)).isTrue();
      assertThat(Files.size(directory.resolve("after"))).isEqualTo(8 * MEBIBYTE);
      assertThat(memory.freeBytes()).isEqualTo(2 * MEBIBYTE);
      assertThat(places).isEmpty();
    }
  }

  @Test
  void theEndOfTheHostRemovesTheFilesOfSpareMemoryAndOfWhatIsLeftAfterIt(@TempDir Path directory) throws Exception {
    PageStore before = memory.allocateShared(4 * MEBIBYTE, directory.resolve("before"));
    PageStore after = memory.allocateShared(4 * MEBIBYTE, directory.resolve("after"));
    memory.closeShared(before, moved(directory.resolve("before")));
    assertThat(places).hasSize(1);

    memory.close();
    memory.closeShared(after, moved(directory.resolve("after")));

    assertThat(places).isEmpty();
    assertThat(directory).isEmptyDirectory();
    assertThat(memory.freeBytes()).isEqualTo(10 * MEBIBYTE);
  }

  private SharedPlace moved(Path file) throws IOException {
    Path place = file.resolveSibling(file.getFileName() + "-kept");
    Files.move(file, place);
    places.add(place);
    return new SharedPlace() {
      @Override
      public Path file() {
        return place;
      }

      @Override
      public void close() throws IOException {
        Files.deleteIfExists(place);
        places.remove(place);
      }
    };
  }

  /** Whether an address belongs to a mapping of this process (proc(5), /proc/pid/maps). */
  private static boolean isMapped(long address) throws IOException {
    return Files.readAllLines(Path.of("/proc/self/maps")).stream().map(line -> line.split("[- ]"))
        .anyMatch(range -> Long.compareUnsigned(Long.parseUnsignedLong(range[0], 16), address) <= 0
            && Long.compareUnsigned(address, Long.parseUnsignedLong(range[1], 16)) < 0);
  }
}
