package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.Connection;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc.MaintenanceBlockingStub;
import dev.pageferry.proto.cluster.v1.MovePlan;
import java.util.function.Function;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What all commands are told that have planned work begun. */
final class PlanOptions {
  @Mixin
  private final RequestOption requestOption = new RequestOption();

  @Option(names = "--detach", description = "Prints the id of the plan and returns.")
  private boolean detach;

  boolean detach() {
    return detach;
  }

  boolean hasRequestId() {
    return requestOption.isGiven();
  }

  /** Has it begun, and follows it unless told to detach. */
  int run(Session session, Function<MaintenanceBlockingStub, MovePlan> rpc) {
    Change change = requestOption.change(session);
    MovePlan begun = session.connection().changePatiently(change, stub -> rpc.apply(Connection.maintenance(stub)));
    if (detach) {
      session.output().document(change.stamped(begun), _ -> begun.getId() + "\n");
      return ExitCode.DONE;
    }
    PlanWatch watch = new PlanWatch(session);
    return watch.finish(change.stamped(watch.follow(begun)));
  }
}
