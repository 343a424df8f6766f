package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.Output;
import dev.pageferry.ferry.view.PlanText;
import dev.pageferry.proto.cluster.v1.DrainHostRequest;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry host drain}. */
@Command(name = "drain", sortOptions = false, description = "Moves all VMs of a host elsewhere, and lets none come.",
    footer = {"",
        "VMs are moved one after the other, those that write most last; each goes where 'ferry vm place' would have it. Where one has",
        "nowhere to go, nothing is begun (exit code 4). A move that fails is tried again, at last through a file on shared storage if both",
        "hosts have it. The host is in MAINTENANCE once it is empty, until 'ferry host activate'. It goes on without this command, and",
        "with the next coordinator; repeat it to follow it, or to try once more what failed (exit code 1).",
        "",
        "With --rolling each host in turn is drained, COMMAND is run, and the host is activated; one that was drained before is left so.",
        "Repeated after it stopped, it goes on where it stopped. Ctrl-C stops it: a host that it was at stays drained."})
public final class HostDrain implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "HOST", arity = "0..*",
      description = "Id of the host; with --rolling of those that are drained, in that order (default all).")
  private @Nullable List<String> hosts;

  @Option(names = "--quick", description = "Moves VMs through files on shared storage; each is paused meanwhile.")
  private boolean quick;

  @Option(names = "--dry-run", description = "Shows the plan without starting it.")
  private boolean dryRun;

  @Mixin
  private final PlanOptions plan = new PlanOptions();

  @Option(names = "--rolling", description = "Drains and activates one host after the other.")
  private boolean rolling;

  @Option(names = "--then", paramLabel = "COMMAND",
      description = "With --rolling: run by sh with FERRY_HOST set while the host is empty; must not exit before the host has restarted, if it restarts.")
  private @Nullable String then;

  @Option(names = "--anew", description = "With --rolling: discards one that stopped before its end.")
  private boolean anew;

  public HostDrain(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    List<String> named = hosts == null ? List.of() : hosts;
    if (rolling) {
      if (dryRun || plan.detach() || plan.hasRequestId()) {
        throw new Failure(ExitCode.USAGE, "--rolling goes with none of --dry-run, --detach and --request-id");
      }
      return ferry.inSession(
          session -> new RollingDrain(session, quick, Objects.requireNonNullElse(then, "")).run(named, anew));
    }
    if (named.size() != 1 || then != null || anew) {
      throw new Failure(ExitCode.USAGE, then != null || anew
          ? "--then and --anew go with --rolling"
          : "name one host, or give --rolling; see 'ferry host drain --help'");
    }
    if (dryRun && plan.detach()) {
      throw new Failure(ExitCode.USAGE, "--dry-run begins nothing; leave --detach out");
    }
    DrainHostRequest request = DrainHostRequest.newBuilder().setHost(named.getFirst()).setQuick(quick)
        .setDryRun(dryRun).build();
    return ferry.inSession(session -> dryRun
        ? show(session, PlanWatch.ask(session, stub -> stub.drainHost(request)))
        : plan.run(session, stub -> stub.drainHost(request)));
  }

  private static int show(Session session, MovePlan dry) {
    session.output().document(dry, palette -> PlanText.of(dry, palette));
    List<PlannedMove> nowhere = dry.getMovesList().stream()
        .filter(each -> each.getState() == PlannedMove.State.WAITING && each.getTo().isEmpty()).toList();
    if (!nowhere.isEmpty()) {
      PlannedMove first = nowhere.getFirst();
      throw new Failure(ExitCode.REFUSED, "host %s cannot be drained: %d of %d VMs have nowhere to go, such as %s: %s"
          .formatted(dry.getHost(), nowhere.size(), dry.getMovesCount(), first.getVm(),
              Output.oneLine(first.getReason())));
    }
    return ExitCode.DONE;
  }
}
