package dev.pageferry.agent.migration.destination;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.PageChecksum;
import dev.pageferry.agent.wire.FrameType;
import dev.pageferry.agent.wire.PageFrame;
import dev.pageferry.agent.wire.PageFrameMeta;
import dev.pageferry.agent.wire.WireException;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.time.Ticker;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Optional;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PagePlacementTest {
  private static final long BYTES = 64L << 20;
  private static final int BLOCKS = (int) (BYTES / PageSize.BYTES / PageFrame.BLOCK_PAGES);
  private static final int MOST_AT_ONCE = 2048 + PageFrame.BLOCK_PAGES;

  private final PageChecksum checksum = new PageChecksum();
  private VirtualMachine vm;
  private PagePlacement placement;

  @BeforeEach
  void build() throws Exception {
    VmSpec spec = VmSpec.diskless(new VmId("vm"), "vm", BYTES, 1, new ProgramSpec("idle", Map.of(), BYTES, 1));
    vm = new VmFactory(new HostMemory(2 * BYTES), GuestDisks.NONE, Ticker.SYSTEM).skeleton(spec);
    placement = new PagePlacement(vm, Optional.empty(), 1, Scheduler.SYSTEM, failure -> {
      throw new AssertionError(failure);
    });
    placement.streamOpened(0);
  }

  @AfterEach
  void close() {
    placement.streamClosed(0);
    vm.close();
  }

  private static PageFrameMeta meta(PageFrame frame, FrameType type, int count) throws Exception {
    return PageFrameMeta.of(type, count, frame.buffer());
  }

  /** Fills the first pages of each block. */
  private void fill(int round, int pagesOfEachBlock) throws Exception {
    for (int block = 0; block < BLOCKS; block++) {
      for (int at = 0; at < pagesOfEachBlock; at += PageFrame.MAX_PAGES) {
        PageFrame frame = new PageFrame();
        frame.startRun(round, (long) block * PageFrame.BLOCK_PAGES + at, PageFrame.MAX_PAGES);
        ByteBuffer contents = ByteBuffer.allocateDirect(PageSize.BYTES * PageFrame.MAX_PAGES);
        for (int i = 0; i < PageFrame.MAX_PAGES; i++) {
          contents.clear().put(i * PageSize.BYTES, (byte) 1);
          frame.setChecksum(i, checksum.of(contents, i * PageSize.BYTES));
        }
        PageFrameMeta run = meta(frame, FrameType.PAGE_RUN, PageFrame.MAX_PAGES);
        ByteBuffer window = placement.runStarts(0, run);
        window.put(0, contents.clear(), 0, contents.capacity());
        placement.runPlaced(0, run, window);
      }
    }
  }

  private PageFrameMeta wholeVm(int round) throws Exception {
    PageFrame frame = new PageFrame();
    frame.startZeroRanges(round, LongStream.range(0, BLOCKS).map(block -> block * PageFrame.BLOCK_PAGES).toArray(),
        LongStream.range(0, BLOCKS).map(block -> PageFrame.BLOCK_PAGES).toArray(), BLOCKS);
    return meta(frame, FrameType.ZERO_RANGES, BLOCKS);
  }

  private long pagesNotZero() {
    return LongStream.range(0, vm.ram().pageCount()).filter(page -> !vm.ram().isZero(page)).count();
  }

  @Test
  void aRunThatReachesIntoTheNextBlockIsRefusedBeforeAPageIsPlacedOnASingleStreamToo() throws Exception {
    PageFrame frame = new PageFrame();
    frame.startRun(0, PageFrame.BLOCK_PAGES - 1, 2);
    PageFrameMeta run = meta(frame, FrameType.PAGE_RUN, 2);

    assertThatExceptionOfType(WireException.class).isThrownBy(() -> placement.runStarts(0, run))
        .satisfies(thrown -> assertThat(thrown.fault()).isEqualTo(WireException.Fault.WRONG_STREAM));
  }

  @Test
  void muchThatIsToBeClearedIsClearedInPieces() throws Exception {
    fill(0, PageFrame.BLOCK_PAGES);
    assertThat(placement.roundEnded(0, 0)).isEqualTo(vm.ram().pageCount());
    PageFrameMeta ranges = wholeVm(1);
    placement.zerosStart(0, ranges);
    long before = pagesNotZero();
    for (int next = 0; next < BLOCKS;) {
      int after = placement.clearSome(0, ranges, next);
      assertThat(after).as("each call gets on").isGreaterThan(next);
      long left = pagesNotZero();
      assertThat(before - left).isLessThanOrEqualTo(MOST_AT_ONCE);
      before = left;
      next = after;
    }

    assertThat(before).isZero();
    assertThat(placement.digest()).as("of zero pages").isZero();
    assertThat(vm.written().contains(5)).as("a later move sends it").isTrue();
  }

  @Test
  void whatIsClearIsNotClearedAgainHoweverOftenThePeerSaysSo() throws Exception {
    fill(0, PageFrame.MAX_PAGES);
    assertThat(placement.roundEnded(0, 0)).isEqualTo((long) BLOCKS * PageFrame.MAX_PAGES);
    clearWholeVm(1);
    // Nobody but this test writes to it: a page that was cleared once more would lose this.
    vm.ram().putLong(0, 42);
    clearWholeVm(2);

    assertThat(vm.ram().getLong(0)).isEqualTo(42);
    assertThat(pagesNotZero()).isEqualTo(1);
  }

  private void clearWholeVm(int round) throws Exception {
    PageFrameMeta ranges = wholeVm(round);
    placement.zerosStart(0, ranges);
    for (int next = 0; next < BLOCKS;) {
      next = placement.clearSome(0, ranges, next);
    }
    long unused = placement.roundEnded(0, round);
  }
}
