package dev.pageferry.agent.disk;

import dev.pageferry.agent.stress.Meeting;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.L_Result;

/** The schedules of {@link DiskGateStress} with gates that have a mistake each. */
public class BrokenDiskGateStress {

  /** Permission is looked at, and nobody waits for what was permitted. */
  @JCStressTest
  @State
  @Outcome(id = StressedDisk.DONE, expect = Expect.ACCEPTABLE, desc = "The write was over before.")
  @Outcome(id = StressedDisk.REFUSED, expect = Expect.ACCEPTABLE, desc = "The guest knows that it was not done.")
  @Outcome(id = Meeting.WRONG, expect = Expect.ACCEPTABLE_INTERESTING, desc = "It is written after that.")
  public static class NobodyWaits {
    private final StressedDisk disk = new StressedDisk(BrokenGates.NobodyWaits::new);

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

  /** Permission is looked at before the gate is entered. */
  @JCStressTest
  @State
  @Outcome(id = StressedDisk.DONE, expect = Expect.ACCEPTABLE, desc = "The write was over before.")
  @Outcome(id = StressedDisk.REFUSED, expect = Expect.ACCEPTABLE, desc = "The guest knows that it was not done.")
  @Outcome(id = Meeting.WRONG, expect = Expect.ACCEPTABLE_INTERESTING, desc = "It is written after that.")
  public static class LooksAheadOfTheGate {
    private final StressedDisk disk = new StressedDisk(BrokenGates.LooksAheadOfTheGate::new);

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

  /** Notes may be taken between a note and its write. */
  @JCStressTest
  @State
  @Outcome(id = StressedDisk.FRESH, expect = Expect.ACCEPTABLE, desc = "The copy has the write.")
  @Outcome(id = StressedDisk.COPIED_AGAIN, expect = Expect.ACCEPTABLE, desc = "The next copy has it.")
  @Outcome(id = Meeting.WRONG, expect = Expect.ACCEPTABLE_INTERESTING, desc = "The write never arrives.")
  public static class NotesApartFromWrites {
    private final StressedDisk disk = new StressedDisk(BrokenGates.NotesApartFromWrites::new);

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
