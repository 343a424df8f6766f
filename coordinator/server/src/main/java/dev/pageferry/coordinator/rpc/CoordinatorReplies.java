package dev.pageferry.coordinator.rpc;

import dev.pageferry.common.failure.ShortText;
import dev.pageferry.coordinator.ownership.NotConcernedException;
import dev.pageferry.coordinator.ownership.RowsFrozenException;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.store.StoreException;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Failures as gRPC status codes with one-line messages. UNAVAILABLE means: ask again, as where the coordinator is not there. */
final class CoordinatorReplies {
  private static final Logger log = LoggerFactory.getLogger(CoordinatorReplies.class);

  private CoordinatorReplies() {
  }

  /** A request that may fail. */
  interface Request<T> {
    T answer() throws RequestException, InterruptedException;
  }

  /** Answers a unary request, or says why not. */
  static <T> void answer(StreamObserver<T> observer, Request<T> request) {
    T answer;
    try {
      answer = request.answer();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      observer.onError(Status.CANCELLED.withDescription("the coordinator is shutting down").asRuntimeException());
      return;
    } catch (RequestException | RuntimeException e) {
      observer.onError(status(e).asRuntimeException());
      return;
    }
    observer.onNext(answer);
    observer.onCompleted();
  }

  static Status status(Exception e) {
    Status status = whole(e);
    return status.withDescription(ShortText.of(status.getDescription()));
  }

  private static Status whole(Exception e) {
    return switch (e) {
      case RequestException refused -> (switch (refused.kind()) {
        case INVALID -> Status.INVALID_ARGUMENT;
        case NOT_FOUND -> Status.NOT_FOUND;
        case EXISTS -> Status.ALREADY_EXISTS;
        case REFUSED, FROZEN -> Status.FAILED_PRECONDITION;
        case FAILED -> Status.INTERNAL;
        case LOST -> Status.DATA_LOSS;
        case IN_DOUBT -> Status.UNKNOWN;
      }).withDescription(refused.getMessage()).withCause(refused);
      case NotConcernedException denied -> {
        log.warn("refused: {}", denied.getMessage());
        yield Status.PERMISSION_DENIED.withDescription(denied.getMessage()).withCause(denied);
      }
      case RowsFrozenException frozen ->
        Status.FAILED_PRECONDITION.withDescription(frozen.getMessage()).withCause(frozen);
      case StatusRuntimeException status -> status.getStatus();
      case IllegalArgumentException wrong -> Status.INVALID_ARGUMENT.withDescription(wrong.getMessage())
          .withCause(wrong);
      case StoreException store -> {
        log.error("the records failed", store);
        yield Status.INTERNAL.withDescription(store.getMessage());
      }
      default -> {
        log.error("a request failed", e);
        yield Status.INTERNAL.withDescription(e.toString());
      }
    };
  }
}
