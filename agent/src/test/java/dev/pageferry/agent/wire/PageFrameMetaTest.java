package dev.pageferry.agent.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.pageferry.agent.wire.WireException.Fault;
import dev.pageferry.common.page.PageSize;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class PageFrameMetaTest {
  private static final long PAGES = 1000;

  @ParameterizedTest
  @CsvSource({"PAGE_RUN, 64", "PAGE_BATCH, 64", "ZERO_RANGES, 1024"})
  void theCountFollowsFromTheLengthOfTheBody(FrameType type, int most) throws WireException {
    for (int count = 1; count <= most; count++) {
      assertThat(PageFrameMeta.count(type, bodyBytes(type, count))).isEqualTo(count);
    }
  }

  @ParameterizedTest
  @CsvSource({"PAGE_RUN, 64", "PAGE_BATCH, 64", "ZERO_RANGES, 1024"})
  void aBodyThatHoldsNoWholeNumberOfEntriesIsRefused(FrameType type, int most) {
    assertMalformed(type, 0);
    assertMalformed(type, bodyBytes(type, 0));
    assertMalformed(type, bodyBytes(type, 1) - 1);
    assertMalformed(type, bodyBytes(type, 1) + 1);
    assertMalformed(type, bodyBytes(type, most) - 1);
    assertMalformed(type, bodyBytes(type, most + 1));
    assertMalformed(type, FrameHeader.MAX_BODY_BYTES);
  }

  @Test
  void theLongestFrameOfEachTypeIsShorterThanTheLongestBody() {
    assertThat(bodyBytes(FrameType.PAGE_RUN, PageFrame.MAX_PAGES)).isLessThan(FrameHeader.MAX_BODY_BYTES);
    assertThat(bodyBytes(FrameType.PAGE_BATCH, PageFrame.MAX_PAGES)).isLessThan(FrameHeader.MAX_BODY_BYTES);
    assertThat(bodyBytes(FrameType.ZERO_RANGES, PageFrame.MAX_RANGES)).isLessThan(FrameHeader.MAX_BODY_BYTES);
  }

  @ParameterizedTest
  @EnumSource(names = {"PAGE_RUN", "PAGE_BATCH", "ZERO_RANGES"})
  void reservedBitsMustBeZero(FrameType type) {
    ByteBuffer frame = ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN);
    frame.putInt(FrameHeader.BYTES + PageFrame.RESERVED_AT, 1 << 31);

    assertThatExceptionOfType(WireException.class).isThrownBy(() -> PageFrameMeta.of(type, 1, frame))
        .satisfies(thrown -> assertThat(thrown.fault()).isEqualTo(Fault.RESERVED_BITS));
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, PAGES, PAGES + 1, Long.MAX_VALUE, Long.MIN_VALUE, Long.MAX_VALUE - 1, 1L << 31, 1L << 52})
  void aPageOutsideTheVmIsRefusedWhateverFrameItComesIn(long page) throws WireException {
    assertFault(Fault.PAGE_OUT_OF_RANGE, run(page, 2), 0, 1);
    assertFault(Fault.PAGE_OUT_OF_RANGE, batch(3, page), 0, 1);
    assertFault(Fault.PAGE_OUT_OF_RANGE, zeroRange(page, 1), 0, 1);
    assertFault(Fault.PAGE_OUT_OF_RANGE, zeroRange(page, Long.MAX_VALUE), 0, 1);
  }

  @Test
  void aRunThatEndsOutsideTheVmIsRefused() throws WireException {
    assertFault(Fault.PAGE_OUT_OF_RANGE, run(PAGES - 1, 2), 0, 1);
    assertThatCode(() -> run(PAGES - 2, 2).verifyWithin(PAGES, 0, 1)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource({"999, 2", "0, 1001", "1, 9223372036854775807", "999, 9223372036854775807", "0, -9223372036854775808",
      "5, 0", "5, -1"})
  void aRangeWhoseEndIsNotInTheVmIsRefused(long first, long pages) throws WireException {
    assertFault(Fault.PAGE_OUT_OF_RANGE, zeroRange(first, pages), 0, 1);
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "255, 0", "256, 1", "511, 1", "512, 2", "768, 0", "999, 0"})
  void aPageBelongsToTheStreamOfItsBlock(long page, int stream) throws WireException {
    for (int other = 0; other < 3; other++) {
      if (other == stream) {
        batch(page).verifyWithin(PAGES, other, 3);
      } else {
        assertFault(Fault.WRONG_STREAM, batch(page), other, 3);
        assertFault(Fault.WRONG_STREAM, run(page, 1), other, 3);
        assertFault(Fault.WRONG_STREAM, zeroRange(page, 1), other, 3);
      }
    }
  }

  @Test
  void aRunThatCrossesIntoAnotherStreamsBlockIsRefused() throws WireException {
    assertFault(Fault.WRONG_STREAM, run(255, 2), 0, 2);
    assertThatCode(() -> run(254, 2).verifyWithin(PAGES, 0, 2)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource({"255, 2", "511, 64", "449, 64"})
  void aRunThatCrossesABlockIsRefusedOnASingleStreamToo(long first, int pages) throws WireException {
    assertFault(Fault.WRONG_STREAM, run(first, pages), 0, 1);
  }

  @Test
  void aRunUpToTheEndOfItsBlockIsTaken() {
    assertThatCode(() -> run(448, 64).verifyWithin(PAGES, 0, 1)).doesNotThrowAnyException();
  }

  @Test
  void aRangeThatCrossesABlockIsRefusedOnASingleStreamToo() throws WireException {
    assertFault(Fault.WRONG_STREAM, zeroRange(255, 2), 0, 1);
    assertFault(Fault.WRONG_STREAM, zeroRange(0, 257), 0, 1);
    assertThatCode(() -> zeroRange(256, 256).verifyWithin(PAGES, 0, 1)).doesNotThrowAnyException();
  }

  @Test
  void theLastEntryIsCheckedAsTheFirst() throws WireException {
    long[] pages = new long[PageFrame.MAX_PAGES];
    pages[PageFrame.MAX_PAGES - 1] = PAGES;

    assertFault(Fault.PAGE_OUT_OF_RANGE, batch(pages), 0, 1);
  }

  private static PageFrameMeta run(long first, int pages) throws WireException {
    PageFrame frame = new PageFrame();
    frame.startRun(0, first, pages);
    frame.finish(0);
    return Frames.meta(Frames.bytes(frame), 0);
  }

  private static PageFrameMeta batch(long... pages) throws WireException {
    PageFrame frame = new PageFrame();
    frame.startBatch(0, pages, pages.length);
    frame.finish(0);
    return Frames.meta(Frames.bytes(frame), 0);
  }

  private static PageFrameMeta zeroRange(long first, long pages) throws WireException {
    PageFrame frame = new PageFrame();
    frame.startZeroRanges(0, new long[]{first}, new long[]{pages}, 1);
    frame.finish(0);
    return Frames.meta(Frames.bytes(frame), 0);
  }

  private static int bodyBytes(FrameType type, int count) {
    int contents = type == FrameType.ZERO_RANGES ? 0 : count * PageSize.BYTES;
    return PageFrameMeta.checkedBodyBytes(type, count) + contents;
  }

  private static void assertMalformed(FrameType type, int bodyBytes) {
    assertThatExceptionOfType(WireException.class).as("%s of %d bytes", type, bodyBytes)
        .isThrownBy(() -> PageFrameMeta.count(type, bodyBytes))
        .satisfies(thrown -> assertThat(thrown.fault()).isEqualTo(Fault.BODY_MALFORMED));
  }

  private static void assertFault(Fault fault, PageFrameMeta meta, int stream, int streams) {
    assertThatExceptionOfType(WireException.class).isThrownBy(() -> meta.verifyWithin(PAGES, stream, streams))
        .satisfies(thrown -> assertThat(thrown.fault()).isEqualTo(fault));
  }
}
