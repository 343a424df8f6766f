package dev.pageferry.ferry.session;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What a gRPC status means to an operator. */
final class Refusals {
  private Refusals() {
  }

  static Failure ofRead(StatusRuntimeException refusal, Coordinator coordinator) {
    Status status = refusal.getStatus();
    Optional<String> handshake = HandshakeTrouble.line(status, coordinator);
    if (handshake.isPresent()) {
      return new Failure(ExitCode.UNREACHABLE, handshake.get(), refusal);
    }
    return switch (status.getCode()) {
      case UNAVAILABLE, CANCELLED -> new Failure(ExitCode.UNREACHABLE, unreachable(status, coordinator), refusal);
      case DEADLINE_EXCEEDED -> new Failure(ExitCode.UNREACHABLE,
          "no answer from the coordinator at %s; it did not come in time; see whether it runs and is not overloaded, then try again"
              .formatted(coordinator),
          refusal);
      case UNIMPLEMENTED -> new Failure(ExitCode.FAILED,
          "the coordinator at %s does not know this command; it is of another version; use the ferry that came with it"
              .formatted(coordinator),
          refusal);
      default -> isNoGrpc(status)
          ? new Failure(ExitCode.UNREACHABLE,
              "what listens at %s does not speak gRPC; name the coordinator's --listen address, not its HTTP one"
                  .formatted(coordinator),
              refusal)
          : new Failure(exitCode(status.getCode()), said(status), refusal);
    };
  }

  /** Netty's word where the other side answers with something else than HTTP/2. */
  private static boolean isNoGrpc(Status status) {
    return status.getCode() == Status.Code.INTERNAL && "http2 exception".equals(status.getDescription());
  }

  /** Like {@link #ofRead}, but once the request may have been sent, silence leaves open whether the change was made. */
  static Failure ofChange(StatusRuntimeException refusal, Coordinator coordinator, Change change) {
    Status status = refusal.getStatus();
    if (!change.mayHaveArrived() || isNoGrpc(status)) {
      return ofRead(refusal, coordinator);
    }
    return switch (status.getCode()) {
      case DEADLINE_EXCEEDED ->
        inDoubt("the coordinator at %s did not answer in time".formatted(coordinator), change, refusal);
      case UNAVAILABLE, CANCELLED ->
        inDoubt("the coordinator at %s went away before it answered (%s)".formatted(coordinator, why(status)), change,
            refusal);
      case UNKNOWN -> inDoubt(said(status), change, refusal);
      // Made on this side where the connection or the answer broke, unless the coordinator vouches for it.
      case INTERNAL -> refusal.getTrailers() != null && Change.isDecided(refusal.getTrailers())
          ? ofRead(refusal, coordinator)
          : inDoubt(said(status), change, refusal);
      case DATA_LOSS -> new Failure(ExitCode.VM_DOWN, said(status), refusal);
      default -> ofRead(refusal, coordinator);
    };
  }

  private static Failure inDoubt(String why, Change change, StatusRuntimeException refusal) {
    return new Failure(ExitCode.IN_DOUBT,
        "it is not known whether this was done; %s; look with 'show' or 'list', or repeat it with --request-id %s, under which it is not done twice"
            .formatted(why, change.requestId()),
        refusal);
  }

  private static int exitCode(Status.Code code) {
    return switch (code) {
      case INVALID_ARGUMENT, OUT_OF_RANGE -> ExitCode.USAGE;
      case NOT_FOUND -> ExitCode.NOT_FOUND;
      case FAILED_PRECONDITION, ALREADY_EXISTS, RESOURCE_EXHAUSTED, ABORTED, PERMISSION_DENIED, UNAUTHENTICATED ->
        ExitCode.REFUSED;
      case OK, CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS ->
        ExitCode.FAILED;
    };
  }

  private static String said(Status status) {
    String description = status.getDescription();
    return description == null || description.isBlank()
        ? "refused with %s; the coordinator did not say why; its log may".formatted(status.getCode())
        : description;
  }

  /**
   * A status with a cause was made on this side and describes pipelines; one without is what the
   * coordinator said.
   */
  private static String why(Status status) {
    if (status.getCode() == Status.Code.CANCELLED) {
      return "it ended the call";
    }
    Throwable cause = status.getCause();
    String why = cause == null ? status.getDescription() : rootMessage(cause);
    return why == null || why.isBlank() ? "the connection ended" : why;
  }

  private static String unreachable(Status status, Coordinator coordinator) {
    return "cannot reach the coordinator at %s; %s; start it, or name another with --coordinator".formatted(coordinator,
        why(status));
  }

  private static @Nullable String rootMessage(Throwable cause) {
    Throwable root = cause;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root.getMessage();
  }
}
