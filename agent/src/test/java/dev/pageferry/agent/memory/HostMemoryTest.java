package dev.pageferry.agent.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class HostMemoryTest {
  private static final long MEBIBYTE = 1 << 20;

  private final HostMemory memory = new HostMemory(10 * MEBIBYTE);

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

  /** Whether an address belongs to a mapping of this process (proc(5), /proc/pid/maps). */
  private static boolean isMapped(long address) throws IOException {
    return Files.readAllLines(Path.of("/proc/self/maps")).stream().map(line -> line.split("[- ]"))
        .anyMatch(range -> Long.compareUnsigned(Long.parseUnsignedLong(range[0], 16), address) <= 0
            && Long.compareUnsigned(address, Long.parseUnsignedLong(range[1], 16)) < 0);
  }
}
