package dev.pageferry.agent.memory;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.L_Result;

/** Schedules of the dirty log that the product uses. {@link DirtyLogStressTest} runs them. */
public class DirtyLogStress {

  /** Two steps between two polls; each marks, works and stores. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.FORBIDDEN, desc = "The last write never arrives.")
  public static class MarkThenStore {
    private final StressedPage page = StressedPage.withRealLog();

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

  /** Two steps between two polls; each stores and marks at once: the store may still be buffered. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.FORBIDDEN, desc = "The last write never arrives.")
  public static class StoreThenMark {
    private final StressedPage page = StressedPage.withRealLog();

    @Actor
    public void vcpu() {
      page.meetMigration();
      page.log.unpark();
      page.storeThenMark(page.log.words(), 2);
      page.storeThenMark(page.log.words(), 3);
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

  /** The vCPU hands its marks over at a step boundary. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.FORBIDDEN, desc = "The last write never arrives.")
  public static class PollBetweenSteps {
    private final StressedPage page = StressedPage.withRealLog();

    @Actor
    public void vcpu() {
      page.meetMigration();
      page.log.unpark();
      page.markThenStoreSlowly(page.log.words(), 2);
      page.log.poll();
      page.storeThenMarkSlowly(page.log.words(), 3);
      page.log.poll();
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

  /** The migration takes the marks while the vCPU waits, and the vCPU unparks under it. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.FORBIDDEN, desc = "The last write never arrives.")
  public static class ParkBetweenSteps {
    private final StressedPage page = StressedPage.withRealLog();

    @Actor
    public void vcpu() {
      page.meetMigration();
      page.log.unpark();
      page.storeThenMarkSlowly(page.log.words(), 2);
      page.log.park();
      StressedPage.work();
      page.log.unpark();
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

  /**
   * Two vCPUs whose pages lie in the same word of the bitmap. One thread takes turns at them, so that two processors are
   * enough; the logs cannot tell, for neither looks at the other.
   */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "Both copies have the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has what is stale.")
  @Outcome(id = StressedPage.LOST, expect = Expect.FORBIDDEN, desc = "A last write never arrives.")
  public static class TwoVcpus {
    private final DirtyLog logs = new DirtyLog(64, 2);
    private final StressedPage one = new StressedPage(StressedLog.of(logs.vcpu(0)), 3);
    private final StressedPage other = new StressedPage(StressedLog.of(logs.vcpu(1)), 5);

    @Actor
    public void vcpus() {
      one.meetMigration();
      one.log.unpark();
      one.markThenStoreSlowly(one.log.words(), 2);
      other.log.unpark();
      other.storeThenMarkSlowly(other.log.words(), 2);
      one.log.poll();
      one.storeThenMark(one.log.words(), 3);
      other.log.poll();
      one.log.park();
      other.markThenStoreSlowly(other.log.words(), 3);
      other.log.park();
    }

    @Actor
    public void migration() {
      one.meetVcpu();
      logs.harvest(new PageBitmap(64));
      one.copy();
      other.copy();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = StressedPage.worse(one.verdict(), other.verdict());
    }
  }
}
