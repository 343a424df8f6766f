package dev.pageferry.agent.guest.qemu;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.pageferry.agent.guest.GuestCondition;
import dev.pageferry.agent.stress.Meeting;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import org.slf4j.LoggerFactory;

/** What a machine is told, and what it tells, on a thread each. A schedule's actors call its methods, its arbiter asks for a verdict. */
final class StressedMachine {
  /** Which came first. */
  static final String ONE = "one first";
  static final String OTHER = "other first";

  private static final JsonObject PANIC = JsonParser.parseString("{\"event\": \"GUEST_PANICKED\"}").getAsJsonObject();

  static {
    // A million machines crash.
    ((Logger) LoggerFactory.getLogger(MachineCondition.class)).setLevel(Level.OFF);
  }

  final Meeting meeting = new Meeting();
  private final Gate gate;
  private final Condition condition;
  private volatile String atWork = "";
  private volatile String first = "";
  private volatile boolean overlapped;
  private boolean crashedBefore;

  private interface Gate {
    void run(OneAtATime.Work work) throws IOException, InterruptedException;
  }

  private interface Condition {
    boolean isOver();

    void crashes();

    void halts();

    void goesOn();
  }

  private StressedMachine(Gate gate, Condition condition) {
    this.gate = gate;
    this.condition = condition;
    condition.halts();
  }

  static StressedMachine ofThisBuild() {
    return new StressedMachine(new OneAtATime("vm", Scheduler.SYSTEM)::run, new RealCondition());
  }

  static StressedMachine broken() {
    return new StressedMachine(new LooksThenEnters(), new LooksThenChanges());
  }

  void command(String which) {
    try {
      gate.run(() -> {
        overlapped |= !atWork.isEmpty();
        atWork = which;
        if (first.isEmpty()) {
          first = which;
        }
        Meeting.work();
        overlapped |= !atWork.equals(which);
        atWork = "";
      });
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  void crash() {
    condition.crashes();
  }

  void goOn() {
    crashedBefore = condition.isOver();
    condition.goesOn();
  }

  void halt() {
    crashedBefore = condition.isOver();
    condition.halts();
  }

  String verdictOfCommands() {
    return overlapped ? Meeting.WRONG : first;
  }

  String verdictOfCrash() {
    if (!condition.isOver()) {
      return Meeting.WRONG;
    }
    return crashedBefore ? ONE : OTHER;
  }

  private static final class RealCondition implements Condition {
    private final MachineCondition condition = new MachineCondition("vm",
        new MachineCondition.Listener(() -> {
        }, () -> {
        }), Scheduler.SYSTEM.newSignal());

    @Override
    public boolean isOver() {
      return condition.isOver();
    }

    @Override
    public void crashes() {
      condition.hear(PANIC);
    }

    @Override
    public void halts() {
      condition.halted("a disk failed");
    }

    @Override
    public void goesOn() {
      condition.goesOn();
    }
  }

  /** Two that look at the same time both find nobody. */
  private static final class LooksThenEnters implements Gate {
    private volatile boolean taken;

    @Override
    public void run(OneAtATime.Work work) throws IOException, InterruptedException {
      while (taken) {
        Thread.onSpinWait();
      }
      taken = true;
      try {
        work.run();
      } finally {
        taken = false;
      }
    }
  }

  /** What is told between the look and the change is overwritten. */
  private static final class LooksThenChanges implements Condition {
    private volatile GuestCondition now = GuestCondition.FINE;

    @Override
    public boolean isOver() {
      return now.isOver();
    }

    @Override
    public void crashes() {
      now = new GuestCondition(GuestCondition.Kind.FAILED, "the guest's kernel panicked");
    }

    @Override
    public void halts() {
      become(new GuestCondition(GuestCondition.Kind.HALTED, "a disk failed"));
    }

    @Override
    public void goesOn() {
      become(GuestCondition.FINE);
    }

    private void become(GuestCondition next) {
      if (!isOver()) {
        Meeting.work();
        now = next;
      }
    }
  }
}
