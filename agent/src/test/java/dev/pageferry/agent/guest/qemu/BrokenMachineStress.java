package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.stress.Meeting;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.L_Result;

/** The schedules of {@link MachineStress} with a mistake in each: what is looked at first is done in a second step. */
public class BrokenMachineStress {

  /** Two commands at the same time. */
  @JCStressTest
  @State
  @Outcome(id = StressedMachine.ONE, expect = Expect.ACCEPTABLE, desc = "Each was alone.")
  @Outcome(id = StressedMachine.OTHER, expect = Expect.ACCEPTABLE, desc = "Each was alone.")
  @Outcome(id = Meeting.WRONG, expect = Expect.ACCEPTABLE_INTERESTING, desc = "Both were at work at once.")
  public static class TwoCommands {
    private final StressedMachine machine = StressedMachine.broken();

    @Actor
    public void one() {
      machine.meeting.one();
      machine.command(StressedMachine.ONE);
    }

    @Actor
    public void other() {
      machine.meeting.other();
      machine.command(StressedMachine.OTHER);
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = machine.verdictOfCommands();
    }
  }

  /** A guest crashes while its machine, which was halted, is had go on. */
  @JCStressTest
  @State
  @Outcome(id = StressedMachine.ONE, expect = Expect.ACCEPTABLE, desc = "It crashed first.")
  @Outcome(id = StressedMachine.OTHER, expect = Expect.ACCEPTABLE, desc = "It went on first.")
  @Outcome(id = Meeting.WRONG, expect = Expect.ACCEPTABLE_INTERESTING, desc = "Nobody knows any more that it crashed.")
  public static class CrashWhileItGoesOn {
    private final StressedMachine machine = StressedMachine.broken();

    @Actor
    public void guest() {
      machine.meeting.one();
      machine.crash();
    }

    @Actor
    public void host() {
      machine.meeting.other();
      machine.goOn();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = machine.verdictOfCrash();
    }
  }

  /** A guest crashes while it is found that its machine does not go on. */
  @JCStressTest
  @State
  @Outcome(id = StressedMachine.ONE, expect = Expect.ACCEPTABLE, desc = "It crashed first.")
  @Outcome(id = StressedMachine.OTHER, expect = Expect.ACCEPTABLE, desc = "It halted first.")
  @Outcome(id = Meeting.WRONG, expect = Expect.ACCEPTABLE_INTERESTING, desc = "Nobody knows any more that it crashed.")
  public static class CrashWhileItHalts {
    private final StressedMachine machine = StressedMachine.broken();

    @Actor
    public void guest() {
      machine.meeting.one();
      machine.crash();
    }

    @Actor
    public void host() {
      machine.meeting.other();
      machine.halt();
    }

    @Arbiter
    public void verdict(L_Result result) {
      result.r1 = machine.verdictOfCrash();
    }
  }
}
