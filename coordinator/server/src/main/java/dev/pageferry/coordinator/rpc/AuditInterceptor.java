package dev.pageferry.coordinator.rpc;

import com.google.protobuf.Message;
import com.google.protobuf.TextFormat;
import dev.pageferry.coordinator.access.AuditLog;
import dev.pageferry.coordinator.fencing.Fences;
import dev.pageferry.coordinator.store.StoreException;
import dev.pageferry.proto.cluster.v1.AuditEntry;
import dev.pageferry.proto.cluster.v1.SetFencingRequest;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Has every change that is asked for in the log of changes, from before it is begun. */
final class AuditInterceptor implements ServerInterceptor {
  private static final Logger log = LoggerFactory.getLogger(AuditInterceptor.class);
  private static final int MAX_REQUEST_CHARS = 1000;
  private static final int MAX_ID_CHARS = 100;
  private static final String VISIT = "JoinNetwork";
  private static final String VALIDATION = "Validate";
  /** Beside those that are carried out once. */
  private static final Set<String> OTHERS = Set.of("AdmitHost", "DeleteHost", "RevokeMember", VISIT, VALIDATION,
      "BackUp", "ArmHa", "SetFencing", "TestFencing", "BeginRolling");

  private final AuditLog audit;

  AuditInterceptor(AuditLog audit) {
    this.audit = audit;
  }

  @Override
  public <Q, R> Listener<Q> interceptCall(ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    String method = String.valueOf(call.getMethodDescriptor().getBareMethodName());
    if (!ChangingMethods.contains(method) && !OTHERS.contains(method)) {
      return next.startCall(call, headers);
    }
    NotedCall<Q, R> noted = new NotedCall<>(call);
    return new SimpleForwardingServerCallListener<>(next.startCall(noted, headers)) {
      private boolean isNoted = true;

      @Override
      public void onMessage(Q message) {
        isNoted = noted.begin(entry(method, headers, (Message) message));
        if (isNoted) {
          super.onMessage(message);
        }
      }

      @Override
      public void onHalfClose() {
        if (isNoted) {
          super.onHalfClose();
        }
      }

      @Override
      public void onCancel() {
        super.onCancel();
        // A visit and a validation end when their caller disconnects; every other change goes on to its end without one.
        switch (method) {
          case VISIT -> noted.end(Status.OK);
          case VALIDATION -> noted.end(Status.CANCELLED);
          default -> {
          }
        }
      }
    };
  }

  private static AuditEntry entry(String method, Metadata headers, Message request) {
    Caller caller = Caller.current();
    AuditEntry.Builder entry = AuditEntry.newBuilder().setMethod(method).setFrom(caller.address())
        .setRequest(
            cut(TextFormat.printer().emittingSingleLine(true).printToString(readable(request)), MAX_REQUEST_CHARS));
    caller.member().ifPresent(it -> entry.setWho(it.toString()));
    String id = Objects.requireNonNullElseGet(headers.get(RequestInterceptor.REQUEST_ID),
        () -> ChangingMethods.requestId(request));
    return id.isEmpty() ? entry.build() : entry.setRequestId(cut(id, MAX_ID_CHARS)).build();
  }

  private static Message readable(Message request) {
    return request instanceof SetFencingRequest fencing ? Fences.redacted(fencing) : request;
  }

  private static String cut(String text, int chars) {
    return text.length() <= chars ? text : text.substring(0, chars) + "...";
  }

  /** A call whose end is noted before the caller hears of it. */
  private final class NotedCall<Q, R> extends SimpleForwardingServerCall<Q, R> {
    private @Nullable AuditEntry begun;

    NotedCall(ServerCall<Q, R> call) {
      super(call);
    }

    /** False where it cannot be noted: then nothing is done. */
    boolean begin(AuditEntry entry) {
      try {
        begun = audit.begin(entry);
        return true;
      } catch (StoreException e) {
        Metadata trailers = new Metadata();
        trailers.put(RequestInterceptor.DECIDED, "1");
        super.close(CoordinatorReplies.status(e), trailers);
        return false;
      }
    }

    @Override
    public void close(Status status, Metadata trailers) {
      end(status);
      super.close(status, trailers);
    }

    void end(Status status) {
      AuditEntry entry = begun;
      begun = null;
      if (entry != null) {
        try {
          audit.end(entry, status.getCode().name(), Objects.requireNonNullElse(status.getDescription(), ""));
        } catch (StoreException e) {
          // What was done is done: that it is not noted must not be taken for a failure of it.
          log.error("change {} of {} ended with {}, which cannot be noted", entry.getNumber(), entry.getMethod(),
              status.getCode(), e);
        }
      }
    }
  }
}
