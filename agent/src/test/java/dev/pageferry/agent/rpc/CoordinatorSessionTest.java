package dev.pageferry.agent.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.builtin.Booted;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.hosting.BoundGuests;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.migration.DialogueLog;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.MigrationConnector;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.source.OutgoingMigrations;
import dev.pageferry.agent.migration.source.SourceMigration;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.agent.os.Linux;
import dev.pageferry.agent.ownership.OpenDialogues;
import dev.pageferry.agent.ownership.OwnershipClient;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.agent.ownership.ScriptedRow;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import dev.pageferry.proto.registry.v1.StaleVm;
import dev.pageferry.proto.registry.v1.VmInDoubt;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What an agent makes of the coordinator's answers; the registry on the other end of the socket is the test's. */
@Timeout(60)
final class CoordinatorSessionTest {
  private static final long MEMORY = 16 << 20;

  private final Registry registry = new Registry();
  private final HostMemory memory = new HostMemory(MEMORY);
  private final HostedGuests guests = new HostedGuests();
  private final OpenDialogues dialogues = new OpenDialogues();
  private volatile Set<VmId> coming = Set.of();
  private final HostNetwork network = new HostNetwork("host-a", Ticker.SYSTEM);
  private Server server;
  private ManagedChannel channel;
  private CoordinatorSession session;
  /** How long this host has been frozen altogether, on its clock. */
  private final AtomicLong frozenNanos = new AtomicLong();
  private final BoundGuests bound = new BoundGuests(guests, Scheduler.SYSTEM, this::bootNanos);
  private final List<String> shutOut = new CopyOnWriteArrayList<>();

  /** Answers as it is told, and remembers what it was asked. */
  private static final class Registry extends HostRegistryGrpc.HostRegistryImplBase {
    private final List<RegisterRequest> registrations = new CopyOnWriteArrayList<>();
    private final List<HeartbeatRequest> heartbeats = new CopyOnWriteArrayList<>();
    private volatile RegisterResponse.Refusal refusal = RegisterResponse.Refusal.NONE;
    private volatile Runnable whileAsked = () -> {
    };
    private volatile HeartbeatResponse answer = HeartbeatResponse.newBuilder().setLeaseMillis(60_000).build();

    @Override
    public void register(RegisterRequest request, StreamObserver<RegisterResponse> observer) {
      registrations.add(request);
      whileAsked.run();
      observer.onNext(RegisterResponse.newBuilder().setHeartbeatIntervalMillis(50).setLeaseMillis(60_000)
          .setRefusal(refusal).setReason("as the test wants it").build());
      observer.onCompleted();
    }

    @Override
    public void heartbeat(HeartbeatRequest request, StreamObserver<HeartbeatResponse> observer) {
      heartbeats.add(request);
      whileAsked.run();
      observer.onNext(answer);
      observer.onCompleted();
    }
  }

  @BeforeEach
  void start() throws Exception {
    server = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0)).addService(registry).build().start();
    channel = NettyChannelBuilder.forAddress("127.0.0.1", server.getPort()).usePlaintext().build();
    MigrationConnector nowhere = (migration, host, destination, deadline) -> {
      throw new IllegalStateException("nothing migrates here");
    };
    RecordsMemory records = new RecordsMemory(new HostId("host-a"), new Incarnation("first-life"));
    OwnershipDialogue.Line line = new OwnershipDialogue.Line(new GrpcOwnershipClient(channel, records,
        new HostId("host-a"), new Incarnation("first-life"), Scheduler.SYSTEM), Scheduler.SYSTEM, new Random(1),
        dialogues);
    OutgoingMigrations outgoing = new OutgoingMigrations(
        new SourceMigration.Environment(nowhere, line, GuestDisks.NONE, Optional.empty(), guests::givenAway,
            (id, vm) -> MigrationLog.SILENT, new Failpoints(Optional.empty())),
        new GuestClaims(), status -> {
        });
    session = new CoordinatorSession(new GrpcRegistryClient(channel, records, Optional.empty()),
        RegisterRequest.newBuilder().setHostId("host-a").setIncarnation("first-life").build(), memory::freeBytes,
        guests, outgoing, dialogues, bound, () -> coming, network::tell, Scheduler.SYSTEM, this::bootNanos,
        shutOut::add);
  }

  private long bootNanos() {
    return Linux.bootTimeNanos() + frozenNanos.get();
  }

  @AfterEach
  void close() {
    session.close();
    channel.shutdownNow();
    server.shutdownNow();
    guests.close();
  }

  /** Or the coordinator would call a guest lost whose commit it knows, and that its disks or its source keep waiting. */
  @Test
  void heartbeatsNameTheGuestsThatComeToBeHere() throws Exception {
    coming = Set.of(new VmId("db"));
    session.start();
    Awaitility.await().until(() -> !registry.heartbeats.isEmpty());
    assertThat(registry.heartbeats.getLast().getComingVmsList()).containsExactly("db");
    coming = Set.of();
    Awaitility.await().until(() -> registry.heartbeats.getLast().getComingVmsCount() == 0);
  }

  @Test
  void aHostThatIsTakenInReportsItsGuests() throws Exception {
    VirtualMachine vm = boot("db", 1);
    session.start();

    Awaitility.await().until(() -> registry.heartbeats.size() > 2);
    assertThat(session.isRegistered()).isTrue();
    session.awaitLive();
    assertThat(registry.heartbeats.getLast().getVmsList()).singleElement()
        .satisfies(each -> assertThat(each.getId()).isEqualTo("db"));
    assertThat(vm.isPaused()).isFalse();
  }

  @Test
  void theAgeOfTheLeaseIsUnknownBeforeTheFirstAndGrowsWhileNoAnswerRenewsIt() {
    assertThat(session.leaseAgeSeconds()).isNaN();
    session.start();
    Awaitility.await().until(session::isRegistered);
    registry.refusal = RegisterResponse.Refusal.WAIT;
    registry.answer = HeartbeatResponse.newBuilder().setUnknown(true).build();
    Awaitility.await().until(() -> registry.registrations.size() > 2);

    frozenNanos.addAndGet(Duration.ofHours(1).toNanos());
    assertThat(session.leaseAgeSeconds()).isBetween(3600.0, 3660.0);

    registry.refusal = RegisterResponse.Refusal.NONE;
    Awaitility.await().until(() -> session.leaseAgeSeconds() < 60);
  }

  @Test
  void aHostWhoseNameIsTakenAsksAgainAndIsTakenInLater() throws Exception {
    registry.refusal = RegisterResponse.Refusal.TAKEN;
    session.start();

    Awaitility.await().until(() -> registry.registrations.size() > 2);
    assertThat(session.isRegistered()).isFalse();
    assertThat(registry.heartbeats).isEmpty();

    registry.refusal = RegisterResponse.Refusal.NONE;
    Awaitility.await().until(session::isRegistered);
    assertThat(shutOut).isEmpty();
  }

  @Test
  void aHostThatIsFrozenWhileItAsksWakesUnheard() throws Exception {
    session.start();
    Awaitility.await().until(() -> registry.heartbeats.size() > 1);
    assertThat(session.isAttentive()).isTrue();

    List<Boolean> attentive = new CopyOnWriteArrayList<>();
    AtomicInteger questions = new AtomicInteger();
    registry.whileAsked = () -> {
      // Frozen with a question on its way; the second question finds what the answer to the first has made of it.
      if (questions.getAndIncrement() == 0) {
        frozenNanos.addAndGet(Duration.ofHours(1).toNanos());
      }
      attentive.add(session.isAttentive());
    };
    Awaitility.await().until(() -> attentive.size() >= 2);
    // A copy: a view of a list that still grows fails.
    assertThat(List.copyOf(attentive).subList(0, 2)).containsExactly(false, false);
    Awaitility.await().until(session::isAttentive);
  }

  @Test
  void aHostThatTheCoordinatorDoesNotKnowIsUnheardAtOnce() throws Exception {
    session.start();
    Awaitility.await().until(() -> registry.heartbeats.size() > 1);
    registry.refusal = RegisterResponse.Refusal.WAIT;
    registry.answer = HeartbeatResponse.newBuilder().setUnknown(true).build();
    Awaitility.await().until(() -> registry.registrations.size() > 2);
    assertThat(session.isAttentive()).isFalse();
    assertThat(shutOut).isEmpty();

    registry.answer = HeartbeatResponse.newBuilder().setLeaseMillis(60_000).build();
    registry.refusal = RegisterResponse.Refusal.NONE;
    Awaitility.await().until(session::isAttentive);
  }

  /** As after records of the coordinator that went back in time: they name another agent, which says nothing of the guests. */
  @Test
  void aHostThatWasTakenInAndFindsItsNameTakenGoesOnAskingForAsLongAsItTakes() throws Exception {
    boot("db", 1);
    session.start();
    Awaitility.await().until(session::isRegistered);
    registry.refusal = RegisterResponse.Refusal.TAKEN;
    registry.answer = HeartbeatResponse.newBuilder().setUnknown(true).build();
    Awaitility.await().until(() -> registry.registrations.size() > 2);
    frozenNanos.addAndGet(Duration.ofHours(1).toNanos());
    int asked = registry.registrations.size();
    Awaitility.await().until(() -> registry.registrations.size() > asked + 2);

    assertThat(shutOut).isEmpty();
    assertThat(session.isAttentive()).isFalse();
    assertThat(guests.find(new VmId("db"))).isPresent();
  }

  @Test
  void aHostThatWasNeverTakenInGivesUpANameThatIsTakenForLong() {
    registry.refusal = RegisterResponse.Refusal.TAKEN;
    session.start();
    Awaitility.await().until(() -> registry.registrations.size() > 2);
    assertThat(shutOut).isEmpty();
    frozenNanos.addAndGet(Duration.ofMinutes(1).toNanos());
    Awaitility.await().until(() -> !shutOut.isEmpty());
  }

  @Test
  void aHostThatHasWaitedLongForAnotherReasonHasAllItsPatienceOnceItsNameIsTaken() {
    registry.refusal = RegisterResponse.Refusal.WAIT;
    session.start();
    Awaitility.await().until(() -> registry.registrations.size() > 2);
    frozenNanos.addAndGet(Duration.ofDays(1).toNanos());
    registry.refusal = RegisterResponse.Refusal.TAKEN;
    int asked = registry.registrations.size();
    Awaitility.await().until(() -> registry.registrations.size() > asked + 2);
    assertThat(shutOut).isEmpty();
    frozenNanos.addAndGet(Duration.ofMinutes(1).toNanos());
    Awaitility.await().until(() -> !shutOut.isEmpty());
  }

  @Test
  void aHostThatIsToldToWaitAsksForAsLongAsItTakes() {
    registry.refusal = RegisterResponse.Refusal.WAIT;
    session.start();
    Awaitility.await().until(() -> registry.registrations.size() > 2);
    frozenNanos.addAndGet(Duration.ofDays(1).toNanos());
    int asked = registry.registrations.size();
    Awaitility.await().until(() -> registry.registrations.size() > asked + 2);
    assertThat(shutOut).isEmpty();
  }

  @Test
  void aHostThatWasReplacedWhileItWasSilentIsShutOut() throws Exception {
    boot("db", 1);
    session.start();
    Awaitility.await().until(session::isRegistered);

    registry.refusal = RegisterResponse.Refusal.SUPERSEDED;
    registry.answer = HeartbeatResponse.newBuilder().setUnknown(true).build();

    Awaitility.await().until(() -> !shutOut.isEmpty());
    assertThat(shutOut.getFirst()).isEqualTo("as the test wants it");
  }

  @Test
  void anIncarnationThatIsNeverAcceptedIsShutOutAtOnce() {
    registry.refusal = RegisterResponse.Refusal.SUPERSEDED;
    session.start();
    Awaitility.await().until(() -> !shutOut.isEmpty());
  }

  @Test
  void aStaleGuestIsDestroyedAndOneOfALaterEpochIsNot() throws Exception {
    boot("db", 1);
    boot("web", 3);
    registry.answer = HeartbeatResponse.newBuilder().setLeaseMillis(60_000)
        .addStaleVms(StaleVm.newBuilder().setId("db").setEpoch(1))
        .addStaleVms(StaleVm.newBuilder().setId("web").setEpoch(2)).build();
    session.start();

    Awaitility.await().until(() -> guests.list().size() == 1);
    Awaitility.await().until(() -> registry.heartbeats.size() > 3);
    assertThat(guests.find(new VmId("web"))).isPresent();
  }

  /** A save that waits for the row's word; the promise is its ruling. */
  private Promise<Ruling.Final> save(OwnershipClient row) {
    Promise<Ruling.Final> end = Scheduler.SYSTEM.newPromise();
    OwnershipDialogue saver = OwnershipDialogue.ofSaver(
        new OwnershipDialogue.Line(row, Scheduler.SYSTEM, new Random(1), dialogues), new VmId("db"),
        new MigrationId("save-1"), new OwnershipEpoch(4), new DialogueLog(MigrationLog.SILENT));
    var unused = Scheduler.SYSTEM.start("save", () -> {
      try {
        end.complete(saver.commit(() -> true));
      } catch (InterruptedException e) {
        end.fail(e);
      }
    });
    return end;
  }

  @Test
  void whateverIsInDoubtHereIsToldByEachHeartbeatUntilThereIsARuling() throws Exception {
    ScriptedRow row = new ScriptedRow();
    Promise<Ruling.Final> end = save(row);
    session.start();
    Awaitility.await().until(() -> !registry.heartbeats.isEmpty()
        && registry.heartbeats.getLast().getInDoubtCount() == 1);
    assertThat(registry.heartbeats.getLast().getInDoubt(0)).isEqualTo(VmInDoubt.newBuilder().setVmId("db")
        .setMigrationId("save-1").setEpoch(4).setReason("no answer").build());

    row.resolved(new OwnershipClient.Decision(OwnershipClient.Outcome.COMMITTED, "", 5));
    assertThat(end.await(Duration.ofSeconds(30))).isPresent();
    Awaitility.await().until(() -> registry.heartbeats.getLast().getInDoubtCount() == 0);
  }

  @Test
  void aSaveThatTheRecordsDoNotKnowEndsWhenAHeartbeatsAnswerCallsItsEpochOver() throws Exception {
    ScriptedRow row = new ScriptedRow();
    row.resolved(new OwnershipClient.Decision(OwnershipClient.Outcome.UNKNOWN, "", 0));
    Promise<Ruling.Final> end = save(row);
    registry.answer = HeartbeatResponse.newBuilder().setLeaseMillis(60_000)
        .addStaleVms(StaleVm.newBuilder().setId("db").setEpoch(4)).build();
    session.start();

    assertThat(end.await(Duration.ofSeconds(30))).hasValueSatisfying(
        ruling -> assertThat(((Ruling.NotOurs) ruling).why()).isEqualTo(Ruling.NotOurs.Why.ORDERED));
  }

  private VirtualMachine boot(String id, long epoch) throws Exception {
    long bytes = 1 << 20;
    ProgramSpec program = new ProgramSpec("uniform", Map.of(), bytes, 1);
    VirtualMachine vm = Booted.vm(new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM),
        VmSpec.diskless(new VmId(id), id, bytes, 1, program), 1);
    guests.adopt(vm, new OwnershipEpoch(epoch));
    vm.resume(PauseReason.OPERATOR);
    return vm;
  }
}
