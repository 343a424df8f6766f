package dev.pageferry.agent.rpc;

import dev.pageferry.agent.disk.DiskExistsException;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.failure.ShortText;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Failures as gRPC status codes with one-line messages. */
final class AgentReplies {
  private static final Logger log = LoggerFactory.getLogger(AgentReplies.class);

  private AgentReplies() {
  }

  /** A request that may fail. */
  interface Request<T> {
    T answer() throws Exception;
  }

  /** Answers a unary request, or says why not. */
  static <T> void answer(StreamObserver<T> observer, Request<T> request) {
    try {
      T answer = request.answer();
      observer.onNext(answer);
      observer.onCompleted();
    } catch (Exception e) {
      observer.onError(status(e).asRuntimeException());
    }
  }

  static Status status(Exception e) {
    Status status = whole(e);
    return status.withDescription(ShortText.of(status.getDescription()));
  }

  private static Status whole(Exception e) {
    if (e instanceof InterruptedException) {
      Thread.currentThread().interrupt();
    }
    return switch (e) {
      case StatusRuntimeException known -> known.getStatus();
      case IllegalArgumentException wrong -> Status.INVALID_ARGUMENT.withDescription(wrong.getMessage());
      case OutOfMemoryException full -> Status.RESOURCE_EXHAUSTED.withDescription(full.getMessage());
      case DiskExistsException there -> Status.ALREADY_EXISTS.withDescription(there.getMessage());
      case NoSuchFileException missing -> Status.NOT_FOUND.withDescription(
          missing.getReason() == null ? missing.getFile() + " is not there" : missing.getReason());
      case IOException file -> Status.FAILED_PRECONDITION.withDescription(IoFailure.sentence(file));
      case IllegalStateException state -> Status.FAILED_PRECONDITION.withDescription(state.getMessage());
      case InterruptedException ended -> Status.CANCELLED.withDescription("interrupted");
      default -> {
        log.error("a request failed", e);
        yield Status.INTERNAL.withDescription(e.toString());
      }
    };
  }

  static StatusRuntimeException notFound(String what, String id) {
    return Status.NOT_FOUND.withDescription(ShortText.of("%s %s is not on this host".formatted(what, id)))
        .asRuntimeException();
  }
}
