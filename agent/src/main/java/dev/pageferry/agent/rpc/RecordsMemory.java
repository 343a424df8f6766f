package dev.pageferry.agent.rpc;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.proto.registry.v1.RecordsSeen;
import dev.pageferry.proto.registry.v1.RecordsStamp;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.protobuf.ProtoUtils;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What this host has seen of the coordinator's records: of each start that it heard the newest revision. Every request tells
 * the coordinator, which finds out by it whether its records went back in time. Any thread may call.
 */
final class RecordsMemory implements ClientInterceptor {
  static final Metadata.Key<RecordsStamp> STAMP = Metadata.Key.of("pageferry-records-bin",
      ProtoUtils.metadataMarshaller(RecordsStamp.getDefaultInstance()));
  private static final Metadata.Key<RecordsSeen> SEEN = Metadata.Key.of("pageferry-records-seen-bin",
      ProtoUtils.metadataMarshaller(RecordsSeen.getDefaultInstance()));
  /** More starts of a coordinator than matter: what a later one knows of, it knows with the earlier ones. */
  private static final int MAX_STARTS = 8;

  private final HostId host;
  private final Incarnation incarnation;
  private final Signal heard = Scheduler.SYSTEM.newSignal();
  /** Of the answer that came last; guarded by this. */
  private String lastStart = "";
  /** By start id, in the order in which they were first heard. Guarded by this. */
  private final Map<String, RecordsStamp> newest = new LinkedHashMap<>();

  RecordsMemory(HostId host, Incarnation incarnation) {
    this.host = host;
    this.incarnation = incarnation;
  }

  synchronized void heard(RecordsStamp stamp) {
    // Answers may overtake each other.
    lastStart = stamp.getStartId();
    newest.merge(stamp.getStartId(), stamp, (a, b) -> a.getRevision() >= b.getRevision() ? a : b);
    while (newest.size() > MAX_STARTS) {
      newest.remove(newest.keySet().iterator().next());
    }
    heard.raise();
  }

  /** Waits until the coordinator of that start is the one that answered this host last. */
  boolean awaitStart(String startId, Duration atMost) throws InterruptedException {
    return heard.await(() -> isTheLast(startId), atMost);
  }

  private synchronized boolean isTheLast(String startId) {
    return startId.equals(lastStart);
  }

  synchronized RecordsSeen seen() {
    return RecordsSeen.newBuilder().setHostId(host.value()).setIncarnation(incarnation.value())
        .addAllStamps(newest.values()).build();
  }

  @Override
  public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
    return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
      @Override
      public void start(Listener<A> listener, Metadata headers) {
        headers.put(SEEN, seen());
        super.start(new SimpleForwardingClientCallListener<>(listener) {
          @Override
          public void onClose(Status status, Metadata trailers) {
            RecordsStamp stamp = trailers.get(STAMP);
            if (stamp != null) {
              heard(stamp);
            }
            super.onClose(status, trailers);
          }
        }, headers);
      }
    };
  }
}
