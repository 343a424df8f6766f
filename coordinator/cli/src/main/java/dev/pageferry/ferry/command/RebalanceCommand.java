package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.PlanText;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.RebalanceRequest;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code ferry rebalance}. */
@Command(name = "rebalance", sortOptions = false,
    description = "Moves VMs from hosts with little free memory to hosts with much.",
    footer = {"",
        "Moves that gain little are left alone, and so are VMs that are on the first host of their --prefer. What 'ferry vm set'",
        "keeps apart stays apart."})
public final class RebalanceCommand implements Callable<Integer> {
  private final Session.Opener ferry;

  @Option(names = "--dry-run", description = "Shows the plan without starting it.")
  private boolean dryRun;

  @Mixin
  private final PlanOptions plan = new PlanOptions();

  public RebalanceCommand(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    if (dryRun && plan.detach()) {
      throw new Failure(ExitCode.USAGE, "--dry-run begins nothing; leave --detach out");
    }
    RebalanceRequest request = RebalanceRequest.newBuilder().setDryRun(dryRun).build();
    return ferry.inSession(session -> {
      if (!dryRun) {
        return plan.run(session, stub -> stub.rebalance(request));
      }
      MovePlan dry = PlanWatch.ask(session, stub -> stub.rebalance(request));
      session.output().document(dry, palette -> PlanText.of(dry, palette));
      return ExitCode.DONE;
    });
  }
}
