package dev.pageferry.agent.disk;

import dev.pageferry.agent.stress.Meeting;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.L_Result;

/** Schedules of the gate in {@link LeasedDisk}. */
public class DiskGateStress {

  /** Another host is to have the disk while it is written. */
  @JCStressTest
  @State
  @Outcome(id = StressedDisk.DONE, expect = Expect.ACCEPTABLE, desc = "The write was over before.")
  @Outcome(id = StressedDisk.REFUSED, expect = Expect.ACCEPTABLE, desc = "The guest knows that it was not done.")
  @Outcome(id = Meeting.WRONG, expect = Expect.FORBIDDEN, desc = "It is written while another host may have it.")
  public static class WriteAndYield {
    private final StressedDisk disk = StressedDisk.withRealGate(false);

    @Actor
    public void guest() {
      disk.meeting.one();
      disk.write();
    }

    @Actor
    public void host() {
      disk.meeting.other();
      disk.giveAway();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = disk.verdictOfGivingAway();
    }
  }

  /** The disk is released for a migration while a request is still under way. */
  @JCStressTest
  @State
  @Outcome(id = StressedDisk.DONE, expect = Expect.ACCEPTABLE, desc = "The write was over before.")
  @Outcome(id = StressedDisk.REFUSED, expect = Expect.ACCEPTABLE, desc = "The guest knows that it was not done.")
  @Outcome(id = Meeting.WRONG, expect = Expect.FORBIDDEN, desc = "It is written while another host may have it.")
  public static class WriteAndRelease {
    private final StressedDisk disk = StressedDisk.withRealGate(true);

    @Actor
    public void guest() {
      disk.meeting.one();
      disk.write();
    }

    @Actor
    public void host() {
      disk.meeting.other();
      disk.giveAway();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = disk.verdictOfGivingAway();
    }
  }

  /** The notes of what was written are taken, and the block is copied, while it is written. */
  @JCStressTest
  @State
  @Outcome(id = StressedDisk.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the write.")
  @Outcome(id = StressedDisk.COPIED_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next copy has it.")
  @Outcome(id = Meeting.WRONG, expect = Expect.FORBIDDEN, desc = "The write never arrives.")
  public static class WriteAndHarvest {
    private final StressedDisk disk = StressedDisk.withRealGate(false);

    @Actor
    public void guest() {
      disk.meeting.one();
      disk.write();
    }

    @Actor
    public void migration() {
      disk.meeting.other();
      disk.harvestThenCopy();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = disk.verdictOfCopy();
    }
  }
}
