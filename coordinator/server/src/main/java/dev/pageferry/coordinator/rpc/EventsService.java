package dev.pageferry.coordinator.rpc;

import dev.pageferry.coordinator.events.EventLog;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.cluster.v1.Event;
import dev.pageferry.proto.cluster.v1.EventsGrpc;
import dev.pageferry.proto.cluster.v1.ListEventsRequest;
import dev.pageferry.proto.cluster.v1.ListEventsResponse;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;

/** What happened in the cluster, for operators and viewers. */
final class EventsService extends EventsGrpc.EventsImplBase {
  private static final int DEFAULT_LIMIT = 100;
  /** So that an answer is no larger than a gRPC message may be. */
  private static final int MOST = 2000;

  private final EventLog events;

  EventsService(EventLog events) {
    this.events = events;
  }

  @Override
  public void listEvents(ListEventsRequest request, StreamObserver<ListEventsResponse> observer) {
    CoordinatorReplies.answer(observer, () -> list(request));
  }

  private ListEventsResponse list(ListEventsRequest request) throws RequestException, InterruptedException {
    if (request.getLimit() < 0 || request.getAfter() < 0 || request.getWaitMillis() < 0) {
      throw new RequestException(Kind.INVALID, "limit %d, after %d or wait %d ms is negative", request.getLimit(),
          request.getAfter(), request.getWaitMillis());
    }
    int limit = request.getLimit() == 0 ? DEFAULT_LIMIT : Math.min(request.getLimit(), MOST);
    long last = events.last();
    List<Event> listed = request.hasAfter()
        ? events.next(request.getAfter(), limit, request.getAbout(), Duration.ofMillis(request.getWaitMillis()))
        : events.newest(limit, request.getAbout());
    return ListEventsResponse.newBuilder().addAllEvents(listed)
        .setLast(listed.isEmpty() ? last : listed.getLast().getNumber()).build();
  }
}
