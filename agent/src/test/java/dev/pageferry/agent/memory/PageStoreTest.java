package dev.pageferry.agent.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class PageStoreTest {
  private static final int PAGES = 64;
  private static final long GIBIBYTE = 1L << 30;

  private PageStore ram;

  @BeforeEach
  void allocate() throws Exception {
    ram = PageStore.allocate(PageSize.bytesOf(PAGES));
  }

  @AfterEach
  void close() {
    ram.close();
  }

  @Test
  void newMemoryIsZero() {
    assertThat(ram.pageCount()).isEqualTo(PAGES);
    for (int page = 0; page < PAGES; page++) {
      assertThat(ram.isZero(page)).as("page %d", page).isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -4096, 1, 4095, 4097, Long.MIN_VALUE})
  void sizesThatAreNotWholePagesAreRefused(long bytes) {
    assertThatThrownBy(() -> PageStore.allocate(bytes)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(Long.toString(bytes));
  }

  @Test
  void memoryThatNoHostHasIsRefusedWithItsSize() {
    assertThatThrownBy(() -> PageStore.allocate(1L << 60)).isInstanceOf(OutOfMemoryException.class)
        .hasMessageContaining("1048576 TiB");
  }

  @Test
  void wordsAreLittleEndian() {
    ram.putLong(4096 + 8, 0x0102030405060708L);

    assertThat(ram.getLong(4096 + 8)).isEqualTo(0x0102030405060708L);
    assertThat(ram.window(1, 1).get(8)).isEqualTo((byte) 8);
    assertThat(ram.window(1, 1).get(15)).isEqualTo((byte) 1);
  }

  @Test
  void addressesOutsideAreRefused() {
    assertThatThrownBy(() -> ram.putLong(PAGES * 4096L, 1)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> ram.getLong(-8)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> ram.getLong(PAGES * 4096L - 4)).isInstanceOf(RuntimeException.class);
    assertThatThrownBy(() -> ram.isZero(PAGES)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> ram.hash(PAGES)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> ram.zero(PAGES - 1, 2)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> ram.window(PAGES - 1, 2)).isInstanceOf(IndexOutOfBoundsException.class);
    ByteBuffer buffer = ByteBuffer.allocateDirect(8192);
    assertThatThrownBy(() -> ram.copyOut(PAGES - 1, 2, buffer, 0)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> ram.copyOut(0, 2, buffer, 1)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> ram.copyIn(PAGES, buffer, 0)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> ram.copyIn(0, buffer, 4097)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 7, 8, 63, 64, 2047, 4088, 4095})
  void oneByteMakesAPageNonZero(int offset) {
    ram.window(2, 1).put(offset, (byte) 0x80);

    assertThat(ram.isZero(2)).isFalse();
    assertThat(ram.isZero(1)).isTrue();
    assertThat(ram.isZero(3)).isTrue();
  }

  @Test
  void aPageZeroedAgainIsZeroAndItsNeighboursAreNot() {
    for (int page = 0; page < 4; page++) {
      ram.putLong(PageSize.bytesOf(page) + 4088, -1);
    }

    ram.zero(1, 2);

    assertThat(ram.isZero(0)).isFalse();
    assertThat(ram.isZero(1)).isTrue();
    assertThat(ram.isZero(2)).isTrue();
    assertThat(ram.isZero(3)).isFalse();
  }

  @Test
  void copiesCarryEveryByteToItsPlaceAndLeaveTheBuffersPositionAlone() throws Exception {
    byte[] bytes = new byte[3 * 4096];
    new Random(5).nextBytes(bytes);
    ram.window(10, 3).put(bytes);
    ByteBuffer buffer = ByteBuffer.allocateDirect(100 + bytes.length);
    buffer.position(1).limit(2);

    ram.copyOut(10, 3, buffer, 100);

    assertThat(buffer.position()).isEqualTo(1);
    assertThat(buffer.limit()).isEqualTo(2);
    byte[] copied = new byte[bytes.length];
    buffer.duplicate().clear().position(100).get(copied);
    assertThat(copied).isEqualTo(bytes);
    try (PageStore other = PageStore.allocate(PageSize.bytesOf(5))) {
      for (int page = 0; page < 3; page++) {
        other.copyIn(1 + page, buffer, 100 + page * 4096);
      }
      assertThat(other.window(1, 3)).isEqualTo(ByteBuffer.wrap(bytes));
      assertThat(other.isZero(0)).isTrue();
      assertThat(other.isZero(4)).isTrue();
    }
  }

  @Test
  void aWindowIsTheMemoryItself() {
    ByteBuffer window = ram.window(5, 2);
    assertThat(window.isDirect()).isTrue();
    assertThat(window.remaining()).isEqualTo(8192);

    window.put(4096, (byte) 7);

    assertThat(ram.getLong(6 * 4096)).isEqualTo(7);
  }

  @Test
  void memoryStaysMappedUntilTheLastBorrowerReturnsIt() {
    ram.borrow();
    ram.borrow();
    ram.putLong(0, 42);
    ram.close();
    assertThat(ram.getLong(0)).isEqualTo(42);

    ram.giveBack();
    assertThat(ram.getLong(0)).as("one borrower is left").isEqualTo(42);

    ram.giveBack();
    assertThatThrownBy(() -> ram.getLong(0)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void borrowersThatReturnBeforeTheOwnerClosesDoNotUnmap() {
    ram.borrow();
    ram.giveBack();
    ram.putLong(0, 42);
    assertThat(ram.getLong(0)).isEqualTo(42);

    ram.close();
    assertThatThrownBy(() -> ram.getLong(0)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void aClosedStoreIsNotLentEvenWhileOthersStillHaveIt() {
    ram.borrow();
    ram.close();

    assertThatThrownBy(ram::borrow).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed");

    assertThat(ram.isZero(0)).isTrue();
    ram.giveBack();
    assertThatThrownBy(ram::borrow).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void closingTwiceCountsOnce() {
    ram.borrow();
    ram.close();
    ram.close();

    assertThat(ram.isZero(0)).isTrue();
    ram.giveBack();
  }

  @Test
  void memoryBeyondTwoGibibytesIsLikeAnyOther() throws Exception {
    assumeTrue(availableBytes() >= 5 * GIBIBYTE, "needs 5 GiB of available memory");
    try (PageStore large = PageStore.allocate(3 * GIBIBYTE)) {
      long last = large.pageCount() - 1;
      large.putLong(0, 1);
      large.putLong(3 * GIBIBYTE - 8, 2);
      large.putLong(2 * GIBIBYTE, 3);

      assertThat(large.getLong(0)).isEqualTo(1);
      assertThat(large.getLong(3 * GIBIBYTE - 8)).isEqualTo(2);
      assertThat(large.window(1 << 19, 1).get(0)).isEqualTo((byte) 3);
      assertThat(large.isZero(last)).isFalse();
      assertThat(large.isZero(last - 1)).isTrue();
      assertThat(large.isZero((1 << 19) - 1)).isTrue();
      ByteBuffer page = ByteBuffer.allocateDirect(4096);
      large.copyOut(last, 1, page, 0);
      assertThat(page.get(4088)).isEqualTo((byte) 2);
      large.copyIn(1 << 19, page, 0);
      assertThat(large.hash(1 << 19)).isEqualTo(large.hash(last));
      large.zero(1 << 19, large.pageCount() - (1 << 19));
      assertThat(large.isZero(1 << 19)).isTrue();
      assertThat(large.isZero(last)).isTrue();
      assertThat(large.isZero(0)).isFalse();
    }
  }

  private static long availableBytes() throws IOException {
    return Files.readAllLines(Path.of("/proc/meminfo")).stream().filter(line -> line.startsWith("MemAvailable:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024).findFirst().orElse(0);
  }
}
