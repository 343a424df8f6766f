package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.proto.cluster.v1.ClusterGrpc.ClusterBlockingStub;
import dev.pageferry.proto.cluster.v1.Migration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What all migrations are told, and how a command follows the one that it started. */
final class MigrateOptions {
  @Parameters(paramLabel = "NAME", description = "Name of the VM.")
  private String name = "";

  @Option(names = "--to", paramLabel = "HOST", required = true, description = "Where it goes.", order = 1)
  private String to = "";

  @Option(names = "--timeout", paramLabel = "TIME", converter = Converters.Millis.class, order = 50,
      description = "Gives up unless the commit was asked by then (default 10min; quick 1h).")
  private @Nullable Long timeoutMillis;

  @Option(names = "--watch", description = "Shows the progress.", order = 51)
  private boolean watch;

  @Option(names = "--detach", description = "Prints the id of the migration and returns.", order = 52)
  private boolean detach;

  @Mixin
  private final RequestOption requestOption = new RequestOption();

  String name() {
    return name;
  }

  String to() {
    return to;
  }

  Optional<Long> timeoutMillis() {
    return Optional.ofNullable(timeoutMillis);
  }

  /** Refuses options that exclude each other. */
  void check() {
    if (watch && detach) {
      throw new Failure(ExitCode.USAGE,
          "--watch and --detach exclude each other; detaching ends before there is progress; leave one out");
    }
  }

  boolean watch() {
    return watch;
  }

  /** Asks for a migration under an id. */
  interface Start {
    Migration with(ClusterBlockingStub stub, String requestId);
  }

  /** Starts a migration, and follows it unless told to detach. */
  int run(Session.Opener ferry, Start start) {
    return ferry.inSession(session -> run(session, start, MigrationWatch.Companion.NONE));
  }

  /** As above, with something that goes on beside it. */
  int run(Session session, Start start, MigrationWatch.Companion companion) {
    Change change = requestOption.change(session);
    if (detach) {
      Migration accepted = accepted(session, change, start);
      session.output().document(change.stamped(accepted), palette -> accepted.getId() + "\n");
      return ExitCode.DONE;
    }
    try (MigrationWatch following = new MigrationWatch(session, watch, companion, Optional.of(change))) {
      return following.run(accepted(session, change, start).getId());
    }
  }

  private static Migration accepted(Session session, Change change, Start start) {
    return session.connection().change(change, stub -> start.with(stub, change.requestId()));
  }
}
