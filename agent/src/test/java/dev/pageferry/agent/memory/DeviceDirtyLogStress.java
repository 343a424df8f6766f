package dev.pageferry.agent.memory;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.L_Result;

/** Schedules of the log of devices. {@link DirtyLogStressTest} runs them. */
public class DeviceDirtyLogStress {

  /** A frame is stored, and its page marked. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.FORBIDDEN, desc = "The last write never arrives.")
  public static class OneFrame {
    private final StressedDevice device = new StressedDevice();

    @Actor
    public void device() {
      device.meetMigration();
      device.storeThenMark(2);
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

  /** Two frames, one behind the other, into one page. */
  @JCStressTest
  @State
  @Outcome(id = StressedPage.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the last write.")
  @Outcome(id = StressedPage.SENT_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next harvest has the page.")
  @Outcome(id = StressedPage.LOST, expect = Expect.FORBIDDEN, desc = "The last write never arrives.")
  public static class TwoFrames {
    private final StressedDevice device = new StressedDevice();

    @Actor
    public void device() {
      device.meetMigration();
      device.storeThenMark(2);
      device.storeThenMark(3);
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
}
