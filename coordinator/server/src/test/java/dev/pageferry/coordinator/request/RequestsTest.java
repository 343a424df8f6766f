package dev.pageferry.coordinator.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.pageferry.common.concurrent.ForwardingScheduler;
import dev.pageferry.coordinator.fakes.InterposedStore;
import dev.pageferry.coordinator.request.Requests.Begun;
import dev.pageferry.coordinator.request.Requests.Content;
import dev.pageferry.coordinator.request.Requests.Finished;
import dev.pageferry.coordinator.request.Requests.Subject;
import dev.pageferry.coordinator.request.Requests.UnderWay;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import dev.pageferry.proto.records.v1.RequestOutcome;
import java.io.IOException;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class RequestsTest {
  private static final Content CONTENT = new Content("StopVm", ByteString.copyFromUtf8("hash"));
  private static final Finished DONE = new Finished("StopVm",
      RequestOutcome.newBuilder().setResponse(ByteString.copyFromUtf8("done")).build());

  private InterposedStore store;
  private long wallMillis = 1_764_000_000_000L;
  private Requests requests;

  @BeforeEach
  void open() throws IOException {
    store = new InterposedStore(SqliteRecordStore.inMemory());
    requests = newProcess();
  }

  @AfterEach
  void close() {
    store.close();
  }

  private Requests newProcess() {
    return new Requests(store, new WallClock(), new Random(7));
  }

  private RequestedChange begin(String id) throws RequestException {
    return ((Begun) requests.admit(id, CONTENT, () -> new Subject("vm-1", 4))).change();
  }

  @Test
  void aRequestThatWasBegunIsBegunAgainByTheNextProcessWithWhatItWasBegunWith() throws RequestException {
    RequestedChange first = begin("r");
    assertThat(first.isRepeated()).isFalse();
    requests = newProcess();
    RequestedChange again = ((Begun) requests.admit("r", CONTENT, () -> new Subject("vm-2", 9))).change();
    assertThat(again).isEqualTo(new RequestedChange("r", first.operationId(), "vm-1", 4, true));
    requests.finish(again, DONE);
    requests = newProcess();
    assertThat(requests.admit("r", CONTENT, () -> Subject.NONE)).isEqualTo(DONE);
  }

  @Test
  void anOutcomeThatCannotBeWrittenIsRememberedByThisProcess() throws RequestException {
    RequestedChange change = begin("r");
    store.failWrites(1);
    requests.finish(change, DONE);
    assertThat(((UnderWay) requests.admit("r", CONTENT, () -> Subject.NONE)).end().now()).contains(DONE);
    requests = newProcess();
    assertThat(begin("r").isRepeated()).isTrue();
  }

  @Test
  void aRequestThatCannotBeWrittenDownIsNotBegun() throws RequestException {
    store.failWrites(1);
    assertThatThrownBy(() -> begin("r")).hasMessageContaining("the disk is full");
    assertThat(begin("r").isRepeated()).isFalse();
  }

  @Test
  void whatIsLeftOpenMayBeBegunAgain() throws RequestException {
    RequestedChange change = begin("r");
    UnderWay waiting = (UnderWay) requests.admit("r", CONTENT, () -> Subject.NONE);
    requests.leaveOpen(change);
    assertThat(waiting.end().failure()).isPresent();
    assertThat(begin("r").isRepeated()).isTrue();
  }

  @Test
  void idsMayHaveAnyForm() throws RequestException {
    requests.finish(begin("a/b c%é"), DONE);
    assertThat(store.list("requests/")).hasSize(1);
    assertThat(requests.admit("a/b c%é", CONTENT, () -> Subject.NONE)).isEqualTo(DONE);
  }

  @Test
  void requestsAreForgottenAfterADayUnlessTheyAreUnderWay() throws RequestException {
    requests.finish(begin("old"), DONE);
    RequestedChange slow = begin("slow");
    wallMillis += Requests.REMEMBERED_FOR.toMillis() + 1;
    begin("new");
    assertThat(store.list("requests/")).hasSize(2);
    assertThat(begin("old").isRepeated()).isFalse();
    requests.finish(slow, DONE);
    assertThat(requests.admit("slow", CONTENT, () -> Subject.NONE)).isEqualTo(DONE);
  }

  @Test
  void onlySoManyAreRemembered() throws RequestException {
    for (int i = 0; i < Requests.MAX_REMEMBERED + 10; i++) {
      requests.finish(begin("r-" + i), DONE);
    }
    assertThat(store.list("requests/")).hasSize(Requests.MAX_REMEMBERED);
    requests = newProcess();
    requests.finish(begin("another"), DONE);
    assertThat(store.list("requests/")).hasSize(Requests.MAX_REMEMBERED);
    assertThat(requests.admit("r-11", CONTENT, () -> Subject.NONE)).isEqualTo(DONE);
  }

  /** The machine's, but for the time of day. */
  private final class WallClock extends ForwardingScheduler {
    @Override
    public long wallMillis() {
      return wallMillis;
    }
  }
}
