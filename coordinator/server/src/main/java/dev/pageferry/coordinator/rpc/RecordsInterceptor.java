package dev.pageferry.coordinator.rpc;

import dev.pageferry.coordinator.history.RecordsHistory;
import dev.pageferry.coordinator.ownership.NotConcernedException;
import dev.pageferry.proto.registry.v1.RecordsSeen;
import dev.pageferry.proto.registry.v1.RecordsStamp;
import io.grpc.Contexts;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.protobuf.ProtoUtils;

/**
 * Every answer says which records it comes from, and every request of a host what it has seen of them: looked at before the
 * request is, so that no answer comes from records that its own question proves to be old.
 */
final class RecordsInterceptor implements ServerInterceptor {
  private static final Metadata.Key<RecordsStamp> STAMP = Metadata.Key.of("pageferry-records-bin",
      ProtoUtils.metadataMarshaller(RecordsStamp.getDefaultInstance()));
  private static final Metadata.Key<RecordsSeen> SEEN = Metadata.Key.of("pageferry-records-seen-bin",
      ProtoUtils.metadataMarshaller(RecordsSeen.getDefaultInstance()));

  private final RecordsHistory history;

  RecordsInterceptor(RecordsHistory history) {
    this.history = history;
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers,
      ServerCallHandler<Q, A> next) {
    ServerCall<Q, A> stamped = new SimpleForwardingServerCall<>(call) {
      @Override
      public void close(Status status, Metadata trailers) {
        // Read after the request was dealt with: what was decided is in it.
        trailers.put(STAMP, history.stamp());
        super.close(status, trailers);
      }
    };
    RecordsSeen seen = headers.get(SEEN);
    if (seen == null) {
      return next.startCall(stamped, headers);
    }
    try {
      OwnershipService.requireOwn(seen);
      if (Caller.current().isTrusted()) {
        history.observe(seen);
      }
    } catch (NotConcernedException | IllegalArgumentException e) {
      stamped.close(CoordinatorReplies.status(e), new Metadata());
      return new ServerCall.Listener<>() {
      };
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      stamped.close(Status.UNAVAILABLE.withDescription("the coordinator is shutting down"), new Metadata());
      return new ServerCall.Listener<>() {
      };
    }
    return Contexts.interceptCall(CallersVersion.ofThis(), stamped, headers, next);
  }
}
