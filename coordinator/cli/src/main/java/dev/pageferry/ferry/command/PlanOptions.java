package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.proto.cluster.v1.MovePlan;
import picocli.CommandLine.Option;

/** What all commands are told that have planned work begun. */
final class PlanOptions {
  @Option(names = "--detach", description = "Prints the id of the plan and returns.")
  private boolean detach;

  boolean detach() {
    return detach;
  }

  /** Follows what was begun, unless told to detach. */
  int follow(Session session, MovePlan begun) {
    if (detach) {
      session.output().document(begun, _ -> begun.getId() + "\n");
      return ExitCode.DONE;
    }
    return new PlanWatch(session).run(begun);
  }
}
