package dev.pageferry.coordinator.rpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestedChange;
import dev.pageferry.coordinator.request.Requests;
import dev.pageferry.coordinator.request.Requests.Admission;
import dev.pageferry.coordinator.request.Requests.Begun;
import dev.pageferry.coordinator.request.Requests.Finished;
import dev.pageferry.coordinator.request.Requests.Subject;
import dev.pageferry.coordinator.request.Requests.UnderWay;
import dev.pageferry.proto.records.v1.RequestOutcome;
import io.grpc.Context;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Stands before the methods that change something: one that comes again under the same id is not carried out twice. What was
 * begun under an id goes on to its end whether its caller still listens or not.
 */
final class RequestInterceptor implements ServerInterceptor {
  static final Metadata.Key<String> REQUEST_ID = Metadata.Key.of("pageferry-request-id",
      Metadata.ASCII_STRING_MARSHALLER);
  /** In the end of a call: the status is the coordinator's own word, and not that of a broken connection. */
  static final Metadata.Key<String> DECIDED = Metadata.Key.of("pageferry-decided", Metadata.ASCII_STRING_MARSHALLER);
  private static final Context.Key<RequestedChange> CHANGE = Context.key("requested-change");
  private static final Duration LOOK_FOR_CALLER = Duration.ofSeconds(1);

  private final Requests requests;
  private final Function<String, Subject> subjects;

  /** @param subjects gives the VM of a name, if there is one */
  RequestInterceptor(Requests requests, Function<String, Subject> subjects) {
    this.requests = requests;
    this.subjects = subjects;
  }

  /** The change that the calling thread carries out; empty: it was asked for without an id. */
  static Optional<RequestedChange> current() {
    return Optional.ofNullable(CHANGE.get());
  }

  @Override
  public <Q, R> Listener<Q> interceptCall(ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    if (!ChangingMethods.contains(method(call))) {
      return next.startCall(call, headers);
    }
    RecordedCall<Q, R> recorded = new RecordedCall<>(call);
    return new SimpleForwardingServerCallListener<>(next.startCall(recorded, headers)) {
      private @Nullable Q request;

      @Override
      public void onMessage(Q message) {
        request = message;
      }

      @Override
      public void onHalfClose() {
        Q message = request;
        if (message == null) {
          super.onHalfClose();
          return;
        }
        Runnable carryOut = () -> {
          super.onMessage(message);
          super.onHalfClose();
        };
        String id = Objects.requireNonNullElseGet(headers.get(REQUEST_ID),
            () -> ChangingMethods.requestId((Message) message));
        if (id.isEmpty()) {
          carryOut.run();
        } else {
          admit(id, (Message) message, recorded, carryOut);
        }
      }
    };
  }

  private <Q, R> void admit(String id, Message request, RecordedCall<Q, R> call, Runnable carryOut) {
    Admission admission;
    try {
      admission = requests.admit(id, ChangingMethods.content(method(call), request),
          () -> subjects.apply(ChangingMethods.vmName(method(call), request)));
    } catch (RequestException | RuntimeException e) {
      call.refuse(CoordinatorReplies.status(e));
      return;
    }
    switch (admission) {
      case Begun begun -> carryOut(begun.change(), call, carryOut);
      case Finished finished -> call.answer(finished);
      case UnderWay other -> await(other, call);
    }
  }

  private <Q, R> void carryOut(RequestedChange change, RecordedCall<Q, R> call, Runnable body) {
    call.change = change;
    try {
      Context.ROOT.withValue(CHANGE, change).run(body);
    } finally {
      if (call.change != null) {
        // It threw something, or never ended the call.
        requests.leaveOpen(change);
      }
    }
  }

  private static <Q, R> void await(UnderWay other, RecordedCall<Q, R> call) {
    try {
      while (!other.end().isSettled() && !call.isCancelled()) {
        var _ = other.end().await(LOOK_FOR_CALLER);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    Optional<Finished> finished = other.end().now();
    if (finished.isPresent()) {
      call.answer(finished.get());
    } else {
      call.refuse(Status.UNKNOWN.withDescription("the first attempt of this request ended without an outcome"));
    }
  }

  private static String method(ServerCall<?, ?> call) {
    return String.valueOf(call.getMethodDescriptor().getBareMethodName());
  }

  /** A call whose end is written down before the caller hears of it. */
  private final class RecordedCall<Q, R> extends SimpleForwardingServerCall<Q, R> {
    /** From the beginning to the end of what is to be remembered. */
    private @Nullable RequestedChange change;
    private @Nullable R last;

    RecordedCall(ServerCall<Q, R> call) {
      super(call);
    }

    @Override
    public void sendMessage(R message) {
      last = message;
      super.sendMessage(message);
    }

    @Override
    public void close(Status status, Metadata trailers) {
      RequestedChange ended = change;
      change = null;
      if (ended == null) {
        super.close(status, trailers);
        return;
      }
      // Nothing to remember: it may be carried out when rows change again. Where they froze in the middle, something was done.
      boolean frozen = status.getCause() instanceof RequestException e && e.kind() == RequestException.Kind.FROZEN;
      boolean refused = frozen || status.getCause() instanceof IllegalArgumentException
          || (status.getCause() instanceof RequestException e && e.kind() != RequestException.Kind.IN_DOUBT);
      // What was begun before may have been done then: a refusal now is not the last word about that.
      if (status.isOk() || (refused && !frozen && !ended.isRepeated())) {
        requests.finish(ended, new Finished(method(this), outcome(status)));
      } else {
        requests.leaveOpen(ended);
      }
      if (status.isOk() || refused) {
        trailers.put(DECIDED, "1");
        super.close(status, trailers);
      } else {
        super.close(Status.UNKNOWN.withDescription(status.getDescription()), trailers);
      }
    }

    private RequestOutcome outcome(Status status) {
      RequestOutcome.Builder outcome = RequestOutcome.newBuilder().setStatusCode(status.getCode().value());
      if (status.getDescription() != null) {
        outcome.setStatusMessage(status.getDescription());
      }
      return status.isOk() && last instanceof Message message
          ? outcome.setResponse(message.toByteString()).build()
          : outcome.build();
    }

    /** Answers without carrying anything out. */
    void answer(Finished finished) {
      Status status = Status.fromCodeValue(finished.outcome().getStatusCode());
      if (!status.isOk()) {
        refuse(status.withDescription(finished.outcome().getStatusMessage()));
        return;
      }
      ByteString response = ChangingMethods.answer(finished, method(this));
      Metadata trailers = new Metadata();
      trailers.put(DECIDED, "1");
      sendHeaders(new Metadata());
      super.sendMessage(getMethodDescriptor().parseResponse(response.newInput()));
      super.close(Status.OK, trailers);
    }

    void refuse(Status status) {
      Metadata trailers = new Metadata();
      if (status.getCode() != Status.Code.UNKNOWN) {
        trailers.put(DECIDED, "1");
      }
      super.close(status, trailers);
    }
  }
}
