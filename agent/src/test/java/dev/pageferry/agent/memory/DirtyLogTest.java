package dev.pageferry.agent.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

// A harvest that hangs cannot be interrupted.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class DirtyLogTest {
  private static final long PAGES = 200;

  private final DirtyLog log = new DirtyLog(PAGES, 2);

  @Test
  void aVcpuThatNeverRanIsHarvestedAtOnceAndHasNothing() {
    assertThat(harvest()).isEmpty();
  }

  @Test
  void theMarksOfAParkedVcpuAreHarvestedOnce() {
    step(0, 3);
    step(0, 199);

    assertThat(harvest()).containsExactly(3L, 199L);
    assertThat(harvest()).isEmpty();
  }

  @Test
  void aHarvestTakesTheMarksOfAllVcpus() {
    step(0, 3);
    step(1, 4);
    step(1, 3);

    assertThat(harvest()).containsExactly(3L, 4L);
  }

  @Test
  void aHarvestKeepsWhatItsTargetHeldBefore() {
    PageBitmap target = new PageBitmap(PAGES);
    target.add(7);
    step(0, 3);

    log.harvest(target);

    assertThat(pages(target)).containsExactly(3L, 7L);
  }

  @Test
  void marksMadeAfterAHarvestBelongToTheNextOneEvenForThePagesOfTheLast() {
    step(0, 3);
    assertThat(harvest()).containsExactly(3L);

    step(0, 3);
    step(0, 70);
    assertThat(harvest()).containsExactly(3L, 70L);

    step(0, 70);
    assertThat(harvest()).containsExactly(70L);
  }

  @Test
  void aPollWithoutARequestKeepsTheMarksAndTheWords() {
    VcpuDirtyLog vcpu = log.vcpu(0);
    vcpu.unpark();
    long[] words = vcpu.words();
    VcpuDirtyLog.mark(words, 3);
    vcpu.poll();

    assertThat(vcpu.words()).isSameAs(words);
    assertThat(vcpu.seemsDirty(3)).isTrue();
    vcpu.park();
    assertThat(harvest()).containsExactly(3L);
  }

  @Test
  void aRunningVcpuHandsItsMarksOverAtItsPollAndMarksOtherWordsFromThenOn() throws Exception {
    VcpuDirtyLog vcpu = log.vcpu(0);
    vcpu.unpark();
    long[] before = vcpu.words();
    VcpuDirtyLog.mark(before, 3);
    Harvester harvester = new Harvester();
    harvester.awaitWaiting();
    assertThat(vcpu.words()).as("no harvest before the poll").isSameAs(before);

    vcpu.poll();
    long[] after = vcpu.words();
    VcpuDirtyLog.mark(after, 4);

    assertThat(after).isNotSameAs(before);
    assertThat(harvester.result()).containsExactly(3L);
    vcpu.park();
    assertThat(harvest()).containsExactly(4L);
  }

  @Test
  void aVcpuThatGoesToSleepHandsItsMarksOverFirst() throws Exception {
    VcpuDirtyLog vcpu = log.vcpu(0);
    vcpu.unpark();
    VcpuDirtyLog.mark(vcpu.words(), 3);
    Harvester harvester = new Harvester();
    harvester.awaitWaiting();

    vcpu.park();

    assertThat(harvester.result()).containsExactly(3L);
  }

  @Test
  void aHarvestWaitsForEveryRunningVcpu() throws Exception {
    log.vcpu(0).unpark();
    log.vcpu(1).unpark();
    VcpuDirtyLog.mark(log.vcpu(0).words(), 3);
    VcpuDirtyLog.mark(log.vcpu(1).words(), 4);
    Harvester harvester = new Harvester();
    harvester.awaitWaiting();

    log.vcpu(0).poll();
    harvester.awaitWaiting();
    log.vcpu(1).poll();

    assertThat(harvester.result()).containsExactly(3L, 4L);
  }

  @Test
  void aVcpuThatIsHarvestedWhileItSleepsWakesUpWithOtherWords() {
    VcpuDirtyLog vcpu = log.vcpu(0);
    vcpu.unpark();
    long[] before = vcpu.words();
    VcpuDirtyLog.mark(before, 3);
    vcpu.park();
    assertThat(harvest()).containsExactly(3L);

    vcpu.unpark();
    assertThat(vcpu.words()).isNotSameAs(before);
    VcpuDirtyLog.mark(vcpu.words(), 5);
    vcpu.park();

    assertThat(harvest()).containsExactly(5L);
  }

  @Test
  void aPageEverWrittenStaysSoThroughEveryHarvest() {
    step(0, 3);
    log.everWritten().add(100);
    assertThat(everWritten()).as("marks count once they are harvested").containsExactly(100L);

    harvest();
    assertThat(everWritten()).containsExactly(3L, 100L);

    step(1, 199);
    harvest();
    harvest();
    assertThat(everWritten()).containsExactly(3L, 100L, 199L);
  }

  @Test
  void pagesFilledFromOutsideAreNotPartOfAHarvest() {
    log.everWritten().addRange(0, PAGES);

    assertThat(harvest()).isEmpty();
  }

  @Test
  void aPageSeemsDirtyFromItsMarkToItsHarvest() {
    assertThat(log.seemsDirty(199)).isFalse();
    step(1, 199);
    assertThat(log.seemsDirty(199)).isTrue();
    assertThat(log.seemsDirty(198)).isFalse();
    harvest();
    assertThat(log.seemsDirty(199)).isFalse();
  }

  @Test
  void markingAPageTwiceMarksItOnce() {
    long[] words = PageBitmap.newWords(PAGES);
    VcpuDirtyLog.mark(words, 65);
    VcpuDirtyLog.mark(words, 65);
    VcpuDirtyLog.mark(words, 127);

    assertThat(words).containsExactly(0, 1L << 1 | 1L << 63, 0, 0);
  }

  private void step(int vcpu, long page) {
    log.vcpu(vcpu).unpark();
    VcpuDirtyLog.mark(log.vcpu(vcpu).words(), page);
    log.vcpu(vcpu).park();
  }

  private List<Long> harvest() {
    PageBitmap target = new PageBitmap(PAGES);
    log.harvest(target);
    return pages(target);
  }

  private List<Long> everWritten() {
    PageBitmap target = new PageBitmap(PAGES);
    log.addEverWritten(target);
    return pages(target);
  }

  private static List<Long> pages(PageBitmap bitmap) {
    List<Long> pages = new ArrayList<>();
    for (long page = bitmap.next(0, PAGES); page >= 0; page = bitmap.next(page + 1, PAGES)) {
      pages.add(page);
    }
    return pages;
  }

  /** A harvest on a thread of its own. */
  private final class Harvester {
    private final PageBitmap target = new PageBitmap(PAGES);
    private final CountDownLatch done = new CountDownLatch(1);
    private final Thread thread = Thread.ofPlatform().daemon().start(() -> {
      log.harvest(target);
      done.countDown();
    });

    /** Waits until the harvester waits for a vCPU. */
    void awaitWaiting() {
      Awaitility.await().until(() -> thread.getState() == Thread.State.WAITING);
      assertThat(done.getCount()).as("the harvest goes on").isEqualTo(1);
    }

    List<Long> result() throws InterruptedException {
      assertThat(done.await(30, TimeUnit.SECONDS)).as("the harvest ended").isTrue();
      return pages(target);
    }
  }
}
