package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.source.SourceMigration;
import dev.pageferry.agent.migration.source.SourceOptions;
import dev.pageferry.agent.migration.source.SourceOptions.OnStall;
import dev.pageferry.agent.migration.source.SourceStatus;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;

/** Hosts in this process, joined by real sockets and by a ledger that the test scripts. */
final class TestCluster implements AutoCloseable {
  static final long VM_BYTES = 16L << 20;
  static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final Duration TOKEN_LIFE = Duration.ofMinutes(1);
  private static final AtomicInteger IDS = new AtomicInteger();

  final FakeLedger ledger = new FakeLedger();
  /** By which sources measure and wait. */
  Scheduler sourceScheduler = Scheduler.SYSTEM;
  private final EventLoops loops = new EventLoops(2);
  private final List<TestHost> hosts = new ArrayList<>();
  private final List<Move> moves = new ArrayList<>();

  TestHost host(String name) throws Exception {
    return host(name, GuestDisks.NONE);
  }

  TestHost host(String name, GuestDisks disks) throws Exception {
    return host(name, disks, MigrationTls.NONE);
  }

  TestHost host(String name, GuestDisks disks, MigrationTls tls) throws Exception {
    TestHost host = new TestHost(name, loops, ledger, disks, tls);
    hosts.add(host);
    return host;
  }

  /** A migration that the coordinator has announced to its destination. */
  record Announced(MigrationId id, OwnershipEpoch epoch, VmSpec spec, byte[] token) {
  }

  Announced announce(TestHost source, TestHost destination, VmSpec spec, long epoch) throws Exception {
    MigrationId id = new MigrationId("m-" + IDS.incrementAndGet());
    Announced announced = new Announced(id, new OwnershipEpoch(epoch), spec,
        ("token of " + id).getBytes(StandardCharsets.UTF_8));
    ledger.begin(id, epoch, source.name(), destination.name());
    destination.incoming().expect(id, spec, announced.epoch(), new Manner.Live(false),
        new IncomingMigrations.Pass(new HostId(source.name()), announced.token()), TOKEN_LIFE);
    return announced;
  }

  /** A migration under way on its own thread. */
  record Move(SourceMigration migration, MigrationId id, VirtualMachine vm, Thread thread, List<Guest> givenAway) {
    /** Waits for the end, network clean-up included. */
    SourceStatus await() throws InterruptedException {
      assertThat(thread.join(PATIENCE)).as("the migration ends").isTrue();
      return migration.status();
    }
  }

  /** Starts moving a VM from one host to another. */
  Move start(TestHost source, TestHost destination, VirtualMachine vm, SourceOptions options) throws Exception {
    long epoch = source.find(vm.spec().id()).orElseThrow().epoch().value();
    return start(source, destination.name(), destination.address(), vm, options,
        announce(source, destination, vm.spec(), epoch));
  }

  /** Starts moving a VM to whoever listens there. */
  Move start(TestHost source, HostPort destination, VirtualMachine vm, SourceOptions options, Announced announced) {
    return start(source, "destination", destination, vm, options, announced);
  }

  /** Starts moving a VM to a host of that name, if it is who listens there. */
  Move start(TestHost source, String destinationName, HostPort destination, VirtualMachine vm, SourceOptions options,
      Announced announced) {
    List<Guest> givenAway = new ArrayList<>();
    SourceMigration migration = new SourceMigration(
        new SourceMigration.Order(announced.id(), announced.epoch(), vm, destinationName, destination,
            announced.token(),
            options,
            new Manner.Live(false)),
        new SourceMigration.Environment(
            new MigrationClient(loops, new CongestionControl(CongestionControl.DEFAULT), source.tls()),
            new OwnershipDialogue.Line(ledger, sourceScheduler, new Random(2)), source.disks(), Optional.empty(),
            (guest, ruling) -> {
              givenAway.add(guest);
              source.giveAway(guest.spec().id());
            }, (id, name) -> MigrationLog.SILENT, new Failpoints(Optional.empty())));
    Thread thread = Thread.ofVirtual().unstarted(() -> {
      try {
        migration.run();
      } catch (InterruptedException e) {
        // The test is over.
      }
    });
    Move move = new Move(migration, announced.id(), vm, thread, givenAway);
    moves.add(move);
    thread.start();
    return move;
  }

  /** Moves a VM, checks that it arrived whole and runs on, and returns what runs at the destination. */
  VirtualMachine move(TestHost source, TestHost destination, VirtualMachine vm, SourceOptions options)
      throws Exception {
    Move move = start(source, destination, vm, options);
    SourceStatus status = move.await();
    assertThat(status.state()).as("%s", status.failure()).isEqualTo(SourceStatus.State.COMPLETED);
    return assertArrived(source, destination, vm);
  }

  static VirtualMachine assertArrived(TestHost source, TestHost destination, VirtualMachine vm) throws Exception {
    VmId id = vm.spec().id();
    TestHost.Adopted arrived = destination.find(id).orElseThrow();
    assertThat(source.find(id)).isEmpty();
    assertThat(arrived.vm().steps()).as("steps never go back").isGreaterThanOrEqualTo(vm.steps());
    assertThat(destination.verify(arrived.vm()).identical()).as("memory and registers are the twin's").isTrue();
    return arrived.vm();
  }

  static VmSpec spec(String program, Map<String, String> arguments, int vcpus) {
    return spec(program, arguments, vcpus, List.of());
  }

  static VmSpec spec(String program, Map<String, String> arguments, int vcpus, List<DiskDescription> disks) {
    String name = "vm-" + IDS.incrementAndGet();
    return new VmSpec(new VmId(name), name, VM_BYTES, vcpus, new ProgramSpec(program, arguments, VM_BYTES, vcpus),
        Optional.empty(), Optional.empty(), disks);
  }

  /** Two vCPUs that write 2 MiB again and again, and the rest now and then. */
  static VmSpec hotSet() {
    return spec("hotset", Map.of("rate", "40MB/s", "workingSet", "2MiB"), 2);
  }

  static SourceOptions options(int streams) {
    return new SourceOptions(Duration.ofMillis(300), 0, streams, OnStall.ABORT, PATIENCE);
  }

  /** For a move that is to come to its end however slow this machine is. */
  static SourceOptions patientOptions(int streams) {
    return new SourceOptions(Duration.ofMillis(300), 0, streams, OnStall.SWITCH, PATIENCE);
  }

  static void awaitSteps(VirtualMachine vm, long more) {
    long before = vm.steps();
    await().atMost(PATIENCE).pollInterval(Duration.ofMillis(5)).until(() -> vm.steps() >= before + more);
  }

  static void awaitFree(TestHost host, long bytes) {
    await().atMost(PATIENCE).pollInterval(Duration.ofMillis(5))
        .untilAsserted(() -> assertThat(host.memory().freeBytes()).isEqualTo(bytes));
  }

  @Override
  public void close() throws InterruptedException {
    moves.forEach(each -> each.thread().interrupt());
    for (TestHost each : hosts) {
      each.close();
    }
    loops.close();
  }
}
