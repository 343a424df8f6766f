package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.Connection;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.PlanText;
import dev.pageferry.proto.cluster.v1.CancelPlanRequest;
import dev.pageferry.proto.cluster.v1.GetPlanRequest;
import dev.pageferry.proto.cluster.v1.ListPlansRequest;
import dev.pageferry.proto.cluster.v1.ListPlansResponse;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc;
import dev.pageferry.proto.cluster.v1.MovePlan;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code ferry plan}. */
@Command(name = "plan", description = "Moves that belong together: drains, fail-backs, rebalancing.")
public final class PlanCommands extends CommandGroup {
  private final Session.Opener ferry;

  public PlanCommands(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Command(name = "list",
      description = "The last plan of each host, and the last one of 'ferry rebalance'; the newest first.")
  int list() {
    return ferry.inSession(session -> {
      ListPlansResponse plans = session.connection().patiently(stub -> MaintenanceGrpc
          .newBlockingStub(stub.getChannel()).listPlans(ListPlansRequest.getDefaultInstance()));
      session.output().rows(plans, PlanText.table(plans.getPlansList()));
      return ExitCode.DONE;
    });
  }

  @Command(name = "show", description = "One plan, with each of its moves.")
  int show(@Parameters(paramLabel = "ID", description = "Id of the plan, or its beginning.") String id) {
    return ferry.inSession(session -> {
      MovePlan plan = find(session, id);
      session.output().document(plan, palette -> PlanText.of(plan, palette));
      return ExitCode.DONE;
    });
  }

  @Command(name = "watch", description = "Follows a plan to its end.")
  int watch(@Parameters(paramLabel = "ID", description = "Id of the plan, or its beginning.") String id) {
    return ferry.inSession(session -> new PlanWatch(session).run(find(session, id)));
  }

  @Command(name = "cancel", sortOptions = false,
      description = "Ends a fail-back or rebalancing; moves that are under way finish.",
      footer = {"",
          "'ferry migration cancel' ends a move that is under way. A drain is ended by 'ferry host activate'."})
  int cancel(@Parameters(paramLabel = "ID", description = "Id of the plan, or its beginning.") String id,
      @Mixin RequestOption requestOption) {
    CancelPlanRequest request = CancelPlanRequest.newBuilder().setId(id).build();
    return ferry.inSession(session -> {
      Change change = requestOption.change(session);
      MovePlan plan = session.connection().changePatiently(change,
          stub -> Connection.maintenance(stub).cancelPlan(request));
      session.output().document(change.stamped(plan), palette -> PlanText.of(plan, palette));
      return ExitCode.DONE;
    });
  }

  private static MovePlan find(Session session, String id) {
    return PlanWatch.ask(session, stub -> stub.getPlan(GetPlanRequest.newBuilder().setId(id).build()));
  }
}
