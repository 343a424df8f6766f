package dev.pageferry.ferry.command;

import dev.pageferry.common.concurrent.Backoff;
import dev.pageferry.ferry.session.Connection;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.session.Surroundings;
import dev.pageferry.ferry.view.PlanText;
import dev.pageferry.ferry.view.ProgressDisplay;
import dev.pageferry.proto.cluster.v1.GetPlanRequest;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc.MaintenanceBlockingStub;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Function;

/**
 * Follows planned work to its end. It goes on without whoever follows it, and a coordinator that goes away is waited for: the next one
 * goes on with it. Ctrl-C ends the watching only.
 */
final class PlanWatch {
  private static final Duration INTERVAL = Duration.ofMillis(300);
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final Duration FIRST_PAUSE = Duration.ofMillis(200);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(5);

  private final Session session;
  private final Runnable meanwhile;
  private final Set<String> told = new HashSet<>();

  PlanWatch(Session session) {
    this(session, () -> {
    });
  }

  /** @param meanwhile is done now and then */
  PlanWatch(Session session, Runnable meanwhile) {
    this.session = session;
    this.meanwhile = meanwhile;
  }

  /** Asks the coordinator about planned work; agents may be asked meanwhile. */
  static MovePlan ask(Session session, Function<MaintenanceBlockingStub, MovePlan> rpc) {
    return session.connection().patiently(stub -> rpc.apply(Connection.maintenance(stub)));
  }

  /** Follows it, prints what became of it, and gives the exit code. */
  int run(MovePlan begun) {
    return finish(follow(begun));
  }

  /** Prints what became of it, and gives the exit code. */
  int finish(MovePlan end) {
    session.output().document(end, palette -> PlanText.of(end, palette));
    requireCompleted(end);
    return ExitCode.DONE;
  }

  private static void requireCompleted(MovePlan end) {
    if (end.getState() == MovePlan.State.COMPLETED) {
      return;
    }
    List<String> down = end.getMovesList().stream().filter(PlannedMove::getDown).map(PlannedMove::getVm).toList();
    if (!down.isEmpty()) {
      throw new Failure(ExitCode.VM_DOWN,
          "%s; VM %s is down: 'ferry ha status' and 'ferry vm show' say what becomes of it"
              .formatted(end.getReason(), String.join(", ", down)));
    }
    boolean isInDoubt = end.getMovesList().stream().anyMatch(each -> each.getState() == PlannedMove.State.IN_DOUBT);
    throw isInDoubt
        ? new Failure(ExitCode.IN_DOUBT, "%s; see 'ferry plan show %s' later".formatted(end.getReason(), end.getId()))
        : new Failure(ExitCode.FAILED, "%s; nothing was lost; %s".formatted(end.getReason(), whatToDo(end)));
  }

  private static String whatToDo(MovePlan end) {
    return switch (end.getKind()) {
      case DRAIN -> "'ferry host drain %s' tries once more".formatted(end.getHost());
      case FAIL_BACK -> "'ferry host activate %s' tries once more".formatted(end.getHost());
      case REBALANCE, KIND_UNSPECIFIED, UNRECOGNIZED -> "'ferry rebalance' looks for moves anew";
    };
  }

  /** @return as it ended */
  MovePlan follow(MovePlan begun) {
    MovePlan now = begun;
    try (ProgressDisplay display = session.progress(true);
        Surroundings.Registration _ = session.surroundings().interrupts().register(() -> detached(begun))) {
      while (now.getState() == MovePlan.State.RUNNING) {
        tell(now, display);
        pause(INTERVAL, begun);
        meanwhile.run();
        now = again(begun, display);
      }
      tell(now, display);
    }
    return now;
  }

  private void tell(MovePlan now, ProgressDisplay display) {
    for (PlannedMove each : now.getMovesList()) {
      boolean isOver = each.getState() != PlannedMove.State.WAITING && each.getState() != PlannedMove.State.MOVING;
      if (isOver && told.add(each.getVmId() + each.getFrom() + each.getState())) {
        display.note(PlanText.of(each));
      }
    }
    if (now.getState() == MovePlan.State.RUNNING) {
      display.show(PlanText.progress(now));
    }
  }

  private MovePlan again(MovePlan begun, ProgressDisplay display) {
    GetPlanRequest request = GetPlanRequest.newBuilder().setId(begun.getId()).build();
    Backoff backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE, new Random());
    long since = session.surroundings().ticker().nanos();
    boolean isGone = false;
    while (true) {
      try {
        return session.connection()
            .read(stub -> Connection.maintenance(stub).getPlan(request));
      } catch (Failure e) {
        if (e.exitCode() == ExitCode.NOT_FOUND) {
          throw new Failure(ExitCode.IN_DOUBT,
              "plan %s was replaced by a newer one of its host; see 'ferry plan list'".formatted(begun.getId()), e);
        }
        boolean isOver = session.surroundings().ticker().nanos() - since >= PATIENCE.toNanos();
        if (e.exitCode() != ExitCode.UNREACHABLE || isOver) {
          throw e.exitCode() == ExitCode.UNREACHABLE
              ? new Failure(ExitCode.IN_DOUBT,
                  "cannot reach the coordinator at %s; no answer for %d s; it goes on with plan %s once it runs, look later with 'ferry plan show %s'"
                      .formatted(session.connection().coordinator(), PATIENCE.toSeconds(), begun.getId(),
                          begun.getId()),
                  e)
              : e;
        }
      }
      if (!isGone) {
        isGone = true;
        display.note("lost the coordinator at %s; trying to reach it for %d s"
            .formatted(session.connection().coordinator(), PATIENCE.toSeconds()));
      }
      pause(backoff.next(), begun);
      session.connection().reconnect();
    }
  }

  private void pause(Duration time, MovePlan begun) {
    try {
      session.surroundings().pause().sleep(time);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.IN_DOUBT, "interrupted; plan %s goes on; look with 'ferry plan show %s'"
          .formatted(begun.getId(), begun.getId()), e);
    }
  }

  private void detached(MovePlan begun) {
    session.output().message("detached; plan %s goes on; 'ferry plan watch %s' follows it"
        .formatted(begun.getId(), begun.getId()));
  }
}
