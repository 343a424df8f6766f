package dev.pageferry.agent.memory;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.L_Result;

/**
 * The same with the mistakes that {@link DeviceDirtyLog} warns of. {@link DirtyLogStressTest} expects each to lose a write.
 */
public class BrokenDeviceDirtyLogStress {

  /** The migration comes between the mark and the store. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.ACCEPTABLE_INTERESTING, desc = "The last write never arrives.")
  public static class MarkThenStore {
    private final StressedDevice device = new StressedDevice();

    @Actor
    public void device() {
      device.meetMigration();
      device.markThenStore(2);
    }

    @Actor
    public void migration() {
      device.meetDevice();
      device.harvestThenCopy();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = device.verdict();
    }
  }

  /** The mark is cleared while the store, older in program order than the look at it, is buffered. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.ACCEPTABLE_INTERESTING, desc = "The last write never arrives.")
  public static class MarkWhereUnmarked {
    private final StressedDevice device = new StressedDevice();

    @Actor
    public void device() {
      device.meetMigration();
      device.storeThenMarkWhereUnmarked(2);
    }

    @Actor
    public void migration() {
      device.meetDevice();
      device.harvestLookedAtThenCopy();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = device.verdictOfLookedAt();
    }
  }
}
