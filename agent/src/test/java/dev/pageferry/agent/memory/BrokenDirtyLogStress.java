package dev.pageferry.agent.memory;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.L_Result;

/**
 * The same schedules with a mistake in the log or in its use. {@link DirtyLogStressTest} expects each to lose a write:
 * a stress test that misses one of these would prove nothing about {@link DirtyLogStress}.
 */
public class BrokenDirtyLogStress {

  /** The words are cleared between the vCPU's look at its mark and its store. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.ACCEPTABLE_INTERESTING, desc = "The last write never arrives.")
  public static class NoHandshakeMarkThenStore {
    private final StressedPage page = StressedPage.withoutHandshake();

    @Actor
    public void vcpu() {
      page.meetMigration();
      page.log.unpark();
      page.markThenStoreSlowly(page.log.words(), 2);
      page.markThenStoreSlowly(page.log.words(), 3);
      page.log.park();
    }

    @Actor
    public void migration() {
      page.meetVcpu();
      page.harvestThenCopy();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = page.verdict();
    }
  }

  /** The words are cleared while the store, older in program order than the look at the mark, is buffered. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.ACCEPTABLE_INTERESTING, desc = "The last write never arrives.")
  public static class NoHandshakeStoreThenMark {
    private final StressedPage page = StressedPage.withoutHandshake();

    @Actor
    public void vcpu() {
      page.meetMigration();
      page.log.unpark();
      page.storeThenMark(page.log.words(), 2);
      page.log.park();
    }

    @Actor
    public void migration() {
      page.meetVcpu();
      page.harvestThenCopyAtOnce();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = page.verdict();
    }
  }

  /** The vCPU hands a mark over whose store is still to come. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.ACCEPTABLE_INTERESTING, desc = "The last write never arrives.")
  public static class PollBetweenMarkAndStore {
    private final StressedPage page = StressedPage.withRealLog();

    @Actor
    public void vcpu() {
      page.meetMigration();
      page.log.unpark();
      long[] words = page.log.words();
      VcpuDirtyLog.mark(words, 3);
      page.log.poll();
      StressedPage.work();
      StressedPage.work();
      page.store(2);
      page.log.park();
    }

    @Actor
    public void migration() {
      page.meetVcpu();
      page.harvestThenCopy();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = page.verdict();
    }
  }

  /** The second step marks words that the vCPU has handed over. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.ACCEPTABLE_INTERESTING, desc = "The last write never arrives.")
  public static class WordsKeptAcrossPoll {
    private final StressedPage page = StressedPage.withRealLog();

    @Actor
    public void vcpu() {
      page.meetMigration();
      page.log.unpark();
      long[] words = page.log.words();
      page.markThenStoreSlowly(words, 2);
      page.log.poll();
      StressedPage.work();
      page.markThenStoreSlowly(words, 3);
      page.log.park();
    }

    @Actor
    public void migration() {
      page.meetVcpu();
      page.harvestThenCopy();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = page.verdict();
    }
  }

  /** The second step marks words that were taken while the vCPU waited. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.ACCEPTABLE_INTERESTING, desc = "The last write never arrives.")
  public static class WordsKeptAcrossPark {
    private final StressedPage page = StressedPage.withRealLog();

    @Actor
    public void vcpu() {
      page.meetMigration();
      page.log.unpark();
      long[] words = page.log.words();
      page.markThenStoreSlowly(words, 2);
      page.log.park();
      StressedPage.work();
      page.log.unpark();
      page.markThenStoreSlowly(words, 3);
      page.log.park();
    }

    @Actor
    public void migration() {
      page.meetVcpu();
      page.harvestThenCopy();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = page.verdict();
    }
  }

  /** The page is copied once the marks were asked for, before they came. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.ACCEPTABLE_INTERESTING, desc = "The last write never arrives.")
  public static class CopyBeforeHarvestReturns {
    private final StressedPage page = StressedPage.withRealLog();

    @Actor
    public void vcpu() {
      page.meetMigration();
      page.log.unpark();
      page.markThenStoreSlowly(page.log.words(), 2);
      page.log.park();
    }

    @Actor
    public void migration() {
      page.meetVcpu();
      page.log.request();
      page.copy();
      page.collect();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = page.verdict();
    }
  }

  /** The marks of a parked vCPU are taken without keeping it parked. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.ACCEPTABLE_INTERESTING, desc = "The last write never arrives.")
  public static class ParkingWithoutLock {
    private final StressedPage page = StressedPage.withoutParkingLock();

    @Actor
    public void vcpu() {
      page.meetMigration();
      page.log.unpark();
      page.markThenStoreSlowly(page.log.words(), 2);
      page.log.park();
    }

    @Actor
    public void migration() {
      page.meetVcpu();
      page.harvestThenCopyAtOnce();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = page.verdict();
    }
  }
}
