package dev.pageferry.agent.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class PushedPagesTest {
  private static final long PAGES = 4096;
  /** An eighth of all. */
  private static final int WORTHWHILE = 512;

  private final AtomicInteger ends = new AtomicInteger();
  private final PushedPages pages = new PushedPages(PAGES, Scheduler.SYSTEM, ends::incrementAndGet);

  private PageBitmap harvested() throws Exception {
    PageBitmap into = new PageBitmap(PAGES);
    boolean _ = pages.harvest(into);
    return into;
  }

  @Test
  void fewPagesWaitForMoreUntilAPassIsOver() throws Exception {
    assertThat(pages.push(10, 3)).isTrue();
    assertThat(harvested().isEmpty()).isTrue();
    pages.figures(7, 1000);
    pages.passOver();

    PageBitmap into = new PageBitmap(PAGES);
    assertThat(pages.harvest(into)).isTrue();
    assertThat(into.cardinality()).isEqualTo(3);
    assertThat(into.next(0, PAGES)).isEqualTo(10);
    assertThat(pages.waitingPages()).isEqualTo(7);
    assertThat(pages.pagesPerSecond()).isEqualTo(1000);
  }

  @Test
  void enoughPagesAreARoundThoughThePassGoesOn() throws Exception {
    assertThat(pages.waitingPages()).as("all that there is").isEqualTo(PAGES);
    assertThat(pages.push(0, WORTHWHILE)).isTrue();
    assertThat(pages.waitingPages()).isEqualTo(PAGES);

    PageBitmap into = new PageBitmap(PAGES);
    assertThat(pages.harvest(into)).isFalse();
    assertThat(into.cardinality()).isEqualTo(WORTHWHILE);
    assertThat(pages.waitingPages()).isEqualTo(PAGES - WORTHWHILE);
  }

  @Test
  void aPageThatIsPushedAgainBeforeItWasHarvestedIsHandedOverOnceAndAfterThatAgain() throws Exception {
    assertThat(pages.push(5, 1)).isTrue();
    assertThat(pages.push(5, 1)).isTrue();
    assertThat(pages.seemsDirty(5)).isTrue();
    pages.passOver();
    assertThat(harvested().cardinality()).isEqualTo(1);
    assertThat(pages.seemsDirty(5)).isFalse();

    assertThat(pages.push(5, 1)).isTrue();
    pages.passOver();
    assertThat(harvested().contains(5)).isTrue();
  }

  @Test
  void ofAGuestThatWasPausedBeforeAllIsPushedAndEachHarvestIsAPass() throws Exception {
    assertThat(pages.push(10, 3)).isTrue();
    pages.restPushed();

    PageBitmap into = new PageBitmap(PAGES);
    assertThat(pages.harvest(into)).isTrue();
    assertThat(into.cardinality()).isEqualTo(3);
    assertThat(pages.waitingPages()).isZero();
    assertThat(pages.harvest(into)).isTrue();
    assertThat(pages.harvestRest(into)).isTrue();
  }

  @Test
  void whoeverPushesMoreThanIsTakenWaits() throws Exception {
    assertThat(pages.push(0, 2 * WORTHWHILE)).isTrue();
    AtomicReference<Boolean> second = new AtomicReference<>();
    Thread pusher = Thread.ofPlatform().start(() -> {
      try {
        second.set(pages.push(2 * WORTHWHILE, 1));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });
    await().until(() -> pusher.getState() == Thread.State.WAITING || pusher.getState() == Thread.State.TIMED_WAITING);
    assertThat(second.get()).isNull();

    assertThat(harvested().cardinality()).isEqualTo(2 * WORTHWHILE);
    pusher.join();
    assertThat(second.get()).isTrue();
  }

  @Test
  void theRestIsAllOnceTheMachineHasSaidSoAndNoLongerWhenTheGuestRunsAgain() throws Exception {
    PageBitmap into = new PageBitmap(PAGES);
    assertThat(pages.push(1, 1)).isTrue();
    assertThat(pages.harvestRest(into)).isFalse();
    assertThat(pages.push(2, 1)).isTrue();
    pages.restPushed();
    assertThat(pages.harvestRest(into)).isTrue();
    assertThat(into.cardinality()).isEqualTo(2);
    assertThat(pages.waitingPages()).isZero();

    pages.runsAgain();
    assertThat(pages.harvestRest(into)).isFalse();
  }

  @Test
  void aMachineThatFailsSaysSoToWhoeverHarvests() {
    pages.failed(new IOException("its socket is closed"));
    assertThatThrownBy(this::harvested).isInstanceOf(IOException.class).hasMessage("its socket is closed");
    assertThatThrownBy(() -> pages.harvestRest(new PageBitmap(PAGES))).isInstanceOf(IOException.class);
  }

  @Test
  void onceItIsClosedTheMachineIsToldAndNothingMoreIsWanted() throws Exception {
    pages.close();
    pages.close();
    assertThat(ends).hasValue(1);
    assertThat(pages.push(0, 1)).isFalse();
  }
}
