package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.Session;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Under which id a change is asked for. */
final class RequestOption {
  @Option(names = "--request-id", paramLabel = "ID", converter = Converters.RequestId.class, order = 90,
      description = "Of an attempt whose outcome is not known: what it asked for is not done twice (default: a new id).")
  private @Nullable String id;

  boolean isGiven() {
    return id != null;
  }

  /** The change that this run of the command is to make. */
  Change change(Session session) {
    Change change = new Change(id == null ? session.surroundings().newIds().get() : id);
    session.output().detail("request id: " + change.requestId());
    return change;
  }
}
