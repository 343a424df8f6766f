package dev.pageferry.agent.migration.destination;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.pageferry.agent.wire.WireException;
import dev.pageferry.agent.wire.WireException.Fault;
import java.util.BitSet;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class ReceivedPagesTest {
  private static final long PAGES = (3L << 16) + 100;

  private final ReceivedPages pages = new ReceivedPages(PAGES);

  private boolean isRefused(int round, long first, long count) {
    try {
      pages.come(round, first, count);
      return false;
    } catch (WireException e) {
      assertThat(e.fault()).isEqualTo(Fault.PAGE_REPEATED);
      return true;
    }
  }

  @Test
  void anySequenceOfRangesIsTakenAsASetOfPagesWouldTakeIt() {
    Random random = new Random(7);
    for (int round = 0; round < 20; round++) {
      BitSet came = new BitSet();
      for (int i = 0; i < 2000; i++) {
        int block = random.nextInt((int) (PAGES / 256)) % 40;
        int first = block * 256 + random.nextInt(256);
        int count = 1 + random.nextInt(Math.min(24, block * 256 + 256 - first));
        boolean twice = !came.get(first, first + count).isEmpty();
        assertThat(isRefused(round, first, count)).as("round=%d first=%d count=%d", round, first, count)
            .isEqualTo(twice);
        // A refusal ends the attempt; the test goes on with what was marked before it.
        came.set(first, twice ? firstCommon(came, first, count) : first + count);
      }
    }
  }

  /** Pages of words before the refused one are marked already. */
  private static int firstCommon(BitSet came, int first, int count) {
    int common = came.nextSetBit(first);
    return Math.max(first, Math.min(first + count, common / 64 * 64));
  }

  @Test
  void aWholeBlockMayComeOnceInEachRound() throws Exception {
    for (int round = 0; round < 5; round++) {
      pages.come(round, 256, 256);
      assertThat(isRefused(round, 511, 1)).isTrue();
      pages.come(round, 512, 256);
    }
    pages.come(4, PAGES - 1, 1);
    assertThatExceptionOfType(WireException.class).isThrownBy(() -> pages.come(4, PAGES - 1, 1))
        .withMessage("PAGE_REPEATED: page=%d came in round=4 already", PAGES - 1);
  }

  @Test
  void aPageIsClearedOnlyAfterContentsCame() {
    assertThat(pages.clear(70_000)).isFalse();
    pages.hold(70_000, 1);
    assertThat(pages.clear(70_001)).isFalse();
    assertThat(pages.clear(70_000)).isTrue();
    assertThat(pages.clear(70_000)).isFalse();
    pages.hold(70_000, 112);
    assertThat(LongStream.range(69_900, 70_200).filter(pages::clear)).containsExactlyElementsOf(
        LongStream.range(70_000, 70_112).boxed().toList());
  }
}
