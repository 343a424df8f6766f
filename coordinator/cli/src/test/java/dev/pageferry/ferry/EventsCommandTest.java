package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.util.Timestamps;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.Event;
import dev.pageferry.proto.cluster.v1.ListEventsRequest;
import dev.pageferry.proto.cluster.v1.ListEventsResponse;
import io.grpc.Status;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What happened, on the command line. */
class EventsCommandTest extends CommandFixture {
  private static Event event(long number, String text) {
    return Event.newBuilder().setNumber(number).setAt(Timestamps.fromMillis(1_000_000)).setKind(Event.Kind.HOST_UP)
        .setHost("host-a").setText(text).build();
  }

  @Test
  void theNewestEventsAreLines() {
    cluster.answer("ListEvents",
        ListEventsResponse.newBuilder().addEvents(event(1, "host host-a is UP")).setLast(1).build());
    assertThat(ferry.run("events", "host-a", "--limit", "7")).as(ferry.err()).isZero();
    assertThat(cluster.onlyRequest(ListEventsRequest.class))
        .isEqualTo(ListEventsRequest.newBuilder().setAbout("host-a").setLimit(7).build());
    assertThat(ferry.out()).contains("1970-01-01T00:16:40Z  host host-a is UP");
    assertThat(ferry.run("events", "-o", "json")).isZero();
    assertThat(ferry.out()).contains("\"kind\": \"HOST_UP\"", "\"text\": \"host host-a is UP\"");
  }

  @Test
  void followingGoesOnFromTheLastOneAndOverACoordinatorThatGoesAway() {
    cluster.answer("ListEvents", request -> switch ((int) ((ListEventsRequest) request).getAfter()) {
      case 0 -> new FakeCluster.Answer(
          List.of(ListEventsResponse.newBuilder().addEvents(event(1, "one")).setLast(1).build()), Status.OK);
      case 1 -> new FakeCluster.Answer(
          List.of(ListEventsResponse.newBuilder().addEvents(event(2, "two")).setLast(2).build()), Status.OK);
      default -> new FakeCluster.Answer(List.of(),
          cluster.requests().size() < 5 ? Status.UNAVAILABLE : Status.PERMISSION_DENIED.withDescription("no more"));
    });
    assertThat(ferry.run("events", "--follow")).isNotEqualTo(ExitCode.DONE);
    assertThat(ferry.out()).containsSubsequence("one", "two");
    assertThat(ferry.err()).contains("lost the coordinator", "no more");
  }
}
