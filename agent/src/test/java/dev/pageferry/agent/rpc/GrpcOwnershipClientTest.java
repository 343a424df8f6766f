package dev.pageferry.agent.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.ownership.OwnershipClient.Decision;
import dev.pageferry.agent.ownership.OwnershipClient.NoAnswerException;
import dev.pageferry.agent.ownership.OwnershipClient.Outcome;
import dev.pageferry.agent.ownership.OwnershipClient.UnreachableException;
import dev.pageferry.common.concurrent.ForwardingScheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.registry.v1.CommitAnswer;
import dev.pageferry.proto.registry.v1.CommitRequest;
import dev.pageferry.proto.registry.v1.CommitStep;
import dev.pageferry.proto.registry.v1.OwnershipGrpc;
import dev.pageferry.proto.registry.v1.ProbeRequest;
import dev.pageferry.proto.registry.v1.ProbeResponse;
import dev.pageferry.proto.registry.v1.RecordsStamp;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class GrpcOwnershipClientTest {
  private static final VmId VM = new VmId("db");
  private static final MigrationId MOVE = new MigrationId("m");
  private static final Duration PATIENCE = Duration.ofSeconds(20);
  private static final RecordsStamp STAMP = RecordsStamp.newBuilder().setLineage("l").setStartId("s").setRevision(7)
      .build();

  private final Row row = new Row();
  private final SkippingClock clock = new SkippingClock();
  private final RecordsMemory memory = new RecordsMemory(new HostId("a"), new Incarnation("first"));
  private Server server;
  private ManagedChannel channel;
  private GrpcOwnershipClient client;

  /** Commits whatever it is asked to, and remembers by which way it was asked. */
  private static final class Row extends OwnershipGrpc.OwnershipImplBase {
    private enum Behaviour {
      GOOD,
      OF_THE_VERSION_BEFORE,
      BREAKS_WHEN_ASKED,
      SLOW_TO_PREPARE,
      SAYS_NOTHING_OF_ITS_RECORDS,
      SILENT
    }

    private final Queue<String> asked = new ConcurrentLinkedQueue<>();
    private final Queue<CommitStep> steps = new ConcurrentLinkedQueue<>();
    private final Queue<Throwable> ends = new ConcurrentLinkedQueue<>();
    private final Queue<StreamObserver<CommitAnswer>> prepares = new ConcurrentLinkedQueue<>();
    private volatile Behaviour behaviour = Behaviour.GOOD;

    private static dev.pageferry.proto.registry.v1.Decision committed() {
      return dev.pageferry.proto.registry.v1.Decision.newBuilder()
          .setOutcome(dev.pageferry.proto.registry.v1.Decision.Outcome.COMMITTED).setOwnerHost("b").setEpoch(2).build();
    }

    @Override
    public void commit(CommitRequest request, StreamObserver<dev.pageferry.proto.registry.v1.Decision> observer) {
      asked.add("commit");
      observer.onNext(committed());
      observer.onCompleted();
    }

    @Override
    public void probe(ProbeRequest request, StreamObserver<ProbeResponse> observer) {
      asked.add("probe");
      observer.onNext(ProbeResponse.getDefaultInstance());
      observer.onCompleted();
    }

    @Override
    public StreamObserver<CommitStep> preparedCommit(StreamObserver<CommitAnswer> observer) {
      if (behaviour == Behaviour.OF_THE_VERSION_BEFORE) {
        return super.preparedCommit(observer);
      }
      return new StreamObserver<>() {
        @Override
        public void onNext(CommitStep step) {
          if (!step.hasCommit()) {
            asked.add("prepare");
            if (behaviour == Behaviour.SLOW_TO_PREPARE) {
              prepares.add(observer);
              return;
            }
            observer.onNext(CommitAnswer.getDefaultInstance());
            return;
          }
          asked.add("prepared commit");
          steps.add(step);
          switch (behaviour) {
            case BREAKS_WHEN_ASKED ->
              observer.onError(Status.INTERNAL.withDescription("it broke").asRuntimeException());
            case SILENT -> {
            }
            case SAYS_NOTHING_OF_ITS_RECORDS -> {
              observer.onNext(CommitAnswer.newBuilder().setDecision(committed()).build());
              observer.onCompleted();
            }
            case GOOD, SLOW_TO_PREPARE, OF_THE_VERSION_BEFORE -> {
              observer.onNext(CommitAnswer.newBuilder().setDecision(committed()).setRecords(STAMP).build());
              observer.onCompleted();
            }
          }
        }

        @Override
        public void onError(Throwable cause) {
          ends.add(cause);
        }

        @Override
        public void onCompleted() {
          // The caller does not end it.
        }
      };
    }
  }

  /** The test may let time pass. */
  private static final class SkippingClock extends ForwardingScheduler {
    private final AtomicLong passedNanos = new AtomicLong();

    void passes(Duration time) {
      passedNanos.addAndGet(time.toNanos());
    }

    @Override
    public long nanos() {
      return super.nanos() + passedNanos.get();
    }
  }

  @BeforeEach
  void open() throws Exception {
    server = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0)).addService(row).build().start();
    channel = NettyChannelBuilder.forAddress("127.0.0.1", server.getPort()).usePlaintext().build();
    client = new GrpcOwnershipClient(channel, memory, new HostId("a"), new Incarnation("first"), clock);
  }

  @AfterEach
  void close() {
    channel.shutdownNow();
    server.shutdownNow();
  }

  private void prepared() throws InterruptedException {
    assertThat(client.prepareCommit(VM, MOVE, PATIENCE).await(PATIENCE)).isPresent();
  }

  @Test
  void aCommitThatWasPreparedIsAskedByTheCallThatIsThere() throws Exception {
    prepared();
    assertThat(client.commit(VM, MOVE)).isEqualTo(new Decision(Outcome.COMMITTED, "b", 2));
    assertThat(row.asked).containsExactly("prepare", "prepared commit");
    assertThat(row.steps).singleElement()
        .satisfies(step -> assertThat(step.getCommit()).isEqualTo(CommitRequest.newBuilder().setVmId("db")
            .setMigrationId("m").build()));
  }

  @Test
  void whatItsAnswerSaysOfTheRecordsIsToldWithTheNextQuestion() throws Exception {
    prepared();
    client.commit(VM, MOVE);
    prepared();
    client.commit(VM, MOVE);
    assertThat(row.steps).last()
        .satisfies(step -> assertThat(step.getSeen().getStampsList()).isEqualTo(List.of(STAMP)));
  }

  @Test
  void aCommitIsAskedOnceByEachCall() throws Exception {
    prepared();
    client.commit(VM, MOVE);
    client.commit(VM, MOVE);
    client.commit(VM, new MigrationId("another"));
    assertThat(row.asked).containsExactly("prepare", "prepared commit", "commit", "commit");
  }

  @Test
  void aCoordinatorOfTheVersionBeforeIsProbedAndAskedAsEver() throws Exception {
    row.behaviour = Row.Behaviour.OF_THE_VERSION_BEFORE;
    prepared();
    assertThat(client.commit(VM, MOVE).outcome()).isEqualTo(Outcome.COMMITTED);
    assertThat(row.asked).containsExactly("probe", "commit");
  }

  @Test
  void aCallThatBreaksIsNoAnswerAndTheNextQuestionIsACallOfItsOwn() throws Exception {
    row.behaviour = Row.Behaviour.BREAKS_WHEN_ASKED;
    prepared();
    assertThatThrownBy(() -> client.commit(VM, MOVE)).isInstanceOf(UnreachableException.class)
        .hasMessageContaining("it broke");
    assertThat(client.commit(VM, MOVE).outcome()).isEqualTo(Outcome.COMMITTED);
  }

  @Test
  void aCoordinatorThatFallsSilentIsNotWaitedForLongerThanForAnyQuestion() throws Exception {
    row.behaviour = Row.Behaviour.SILENT;
    prepared();
    assertThatThrownBy(() -> client.commit(VM, MOVE)).isInstanceOf(NoAnswerException.class)
        .hasMessageContaining("within 3 s");
    Awaitility.await().until(() -> !row.ends.isEmpty());
  }

  @Test
  void aCoordinatorThatIsNotThereFailsThePreparation() throws Exception {
    server.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
    var reached = client.prepareCommit(VM, MOVE, PATIENCE);
    Awaitility.await().until(reached::isSettled);
    assertThat(reached.now()).isEmpty();
    assertThatThrownBy(() -> client.commit(VM, MOVE)).isInstanceOf(UnreachableException.class);
  }

  /** Its answer tells nothing of how long a commit would take now, and the guest is to run again. */
  @Test
  void anAnswerThatComesLaterThanItWasToIsNone() throws Exception {
    row.behaviour = Row.Behaviour.SLOW_TO_PREPARE;
    var reached = client.prepareCommit(VM, MOVE, PATIENCE);
    Awaitility.await().until(() -> !row.prepares.isEmpty());
    clock.passes(PATIENCE);
    row.prepares.forEach(each -> each.onNext(CommitAnswer.getDefaultInstance()));
    Awaitility.await().until(reached::isSettled);
    assertThat(reached.now()).isEmpty();
  }

  /** Asks for a commit so long after it was prepared. */
  private void commitAfter(Duration pause) throws Exception {
    prepared();
    clock.passes(pause);
    assertThat(client.commit(VM, MOVE).outcome()).isEqualTo(Outcome.COMMITTED);
  }

  @Test
  void aPreparationThatIsTooOldToGiveAnAnswerItsTimeIsNotUsed() throws Exception {
    commitAfter(Duration.ofSeconds(61));
    assertThat(row.asked).containsExactly("prepare", "commit");
    Awaitility.await().until(() -> !row.ends.isEmpty());
  }

  /** The pause may take longer than the coordinator was given to be reached. */
  @Test
  void aPreparedCommitServesALongPause() throws Exception {
    commitAfter(PATIENCE.multipliedBy(2));
    assertThat(row.asked).containsExactly("prepare", "prepared commit");
  }

  @Test
  void aCommitThatIsNotWantedAnyMoreEndsItsCall() throws Exception {
    prepared();
    client.dropCommit(MOVE);
    Awaitility.await().until(() -> row.ends.size() == 1);
    client.dropCommit(MOVE);
    assertThat(client.commit(VM, MOVE).outcome()).isEqualTo(Outcome.COMMITTED);
    assertThat(row.asked).containsExactly("prepare", "commit");
  }

  @Test
  void anAnswerThatSaysNothingOfItsRecordsIsNotRememberedAsIfItDid() throws Exception {
    row.behaviour = Row.Behaviour.SAYS_NOTHING_OF_ITS_RECORDS;
    prepared();
    client.commit(VM, MOVE);
    prepared();
    client.commit(VM, MOVE);
    assertThat(row.steps).allSatisfy(step -> assertThat(step.getSeen().getStampsList()).isEmpty());
  }

  /** The guest ran again instead, and pauses a second time. */
  @Test
  void aCallThatWasOfNoUseEndsWhenTheNextIsPrepared() throws Exception {
    prepared();
    prepared();
    Awaitility.await().until(() -> row.ends.size() == 1);
    assertThat(client.commit(VM, MOVE).outcome()).isEqualTo(Outcome.COMMITTED);
    assertThat(row.asked).containsExactly("prepare", "prepare", "prepared commit");
  }
}
