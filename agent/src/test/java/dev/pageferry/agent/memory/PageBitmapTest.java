package dev.pageferry.agent.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class PageBitmapTest {
  @ParameterizedTest
  @CsvSource({"1, 1", "63, 1", "64, 1", "65, 2", "128, 2", "262144, 4096"})
  void aWordHoldsSixtyFourPages(long pages, int words) {
    assertThat(PageBitmap.newWords(pages)).hasSize(words);
    assertThat(new PageBitmap(pages).pageCount()).isEqualTo(pages);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 62, 63, 64, 65, 127, 128, 199})
  void aPageThatWasAddedIsTheOnlyOneThere(long page) {
    PageBitmap pages = new PageBitmap(200);

    pages.add(page);

    for (long other = 0; other < 200; other++) {
      assertThat(pages.contains(other)).as("page %d", other).isEqualTo(other == page);
    }
    assertThat(pages.cardinality()).isEqualTo(1);
    assertThat(pages.next(0, 200)).isEqualTo(page);
    assertThat(pages.next(page, page + 1)).isEqualTo(page);
    assertThat(pages.next(page + 1, 200)).isEqualTo(-1);
    assertThat(pages.next(0, page)).isEqualTo(-1);
  }

  @Test
  void pagesOutsideTheWordsAreRefused() {
    PageBitmap pages = new PageBitmap(128);

    assertThatThrownBy(() -> pages.add(128)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> pages.contains(128)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> pages.add(-1)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> pages.contains(-1)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThat(pages.cardinality()).isZero();
  }

  @Test
  void anEmptyRangeHasNoNextPage() {
    PageBitmap pages = new PageBitmap(128);
    pages.add(64);

    assertThat(pages.next(64, 64)).isEqualTo(-1);
    assertThat(pages.next(65, 64)).isEqualTo(-1);
    assertThat(pages.next(128, 128)).isEqualTo(-1);
  }

  @Test
  void nextFindsWhatAPlainSearchFinds() {
    Random random = new Random(7);
    for (int round = 0; round < 50; round++) {
      int count = 1 + random.nextInt(300);
      PageBitmap pages = new PageBitmap(count);
      BitSet expected = new BitSet(count);
      for (int i = random.nextInt(40); i > 0; i--) {
        int page = random.nextInt(count);
        pages.add(page);
        expected.set(page);
      }
      assertThat(pages.cardinality()).isEqualTo(expected.cardinality());
      for (int from = 0; from < count; from++) {
        int end = from + random.nextInt(count - from + 1);
        int next = expected.nextSetBit(from);
        assertThat(pages.next(from, end)).as("round %d, [%d, %d) of %s", round, from, end, expected)
            .isEqualTo(next >= 0 && next < end ? next : -1);
      }
    }
  }

  @Test
  void theUnionHasThePagesOfBothAndLeavesTheOtherAlone() {
    PageBitmap one = new PageBitmap(130);
    PageBitmap other = new PageBitmap(130);
    one.add(0);
    one.add(64);
    other.add(64);
    other.add(129);

    one.addAll(other);

    assertThat(one.cardinality()).isEqualTo(3);
    assertThat(one.contains(129)).isTrue();
    assertThat(other.cardinality()).isEqualTo(2);
    assertThat(other.contains(0)).isFalse();
  }

  @Test
  void aClearedSetIsEmpty() {
    PageBitmap pages = new PageBitmap(130);
    pages.add(3);
    pages.add(129);

    pages.clear();

    assertThat(pages.cardinality()).isZero();
    assertThat(pages.next(0, 130)).isEqualTo(-1);
  }
}
