package dev.pageferry.simulation;

import dev.pageferry.agent.disk.AllowedPaths;
import dev.pageferry.agent.disk.BootClock;
import dev.pageferry.agent.disk.LeaseStore;
import dev.pageferry.agent.disk.ProcessLocks;
import dev.pageferry.agent.disk.SharedStorage;
import dev.pageferry.agent.disk.StorageLease;
import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.RunPermit;
import dev.pageferry.agent.guest.builtin.MachineState;
import dev.pageferry.agent.guest.builtin.Registers;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.hosting.BoundGuests;
import dev.pageferry.agent.hosting.ComingGuests;
import dev.pageferry.agent.hosting.FencedGuests;
import dev.pageferry.agent.hosting.VmCreation;
import dev.pageferry.agent.inspection.HostInspection;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.migration.DialogueLog;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.source.OutgoingMigrations;
import dev.pageferry.agent.migration.source.SourceMigration;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.agent.ownership.OwnershipClient;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.rpc.CoordinatorSession;
import dev.pageferry.agent.rpc.HostAgentService;
import dev.pageferry.agent.savedstate.SavedStates;
import dev.pageferry.common.concurrent.RandomIds;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.simulation.SimulatedNetwork.Place;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** An agent without sockets and vCPUs: wired as the real one is. */
final class SimulatedAgent implements Place<SimulatedAgent> {
  /** Of agents whose guests have no disks. */
  static final String STORAGE_ID = "storage-1";
  private static final long MEMORY_BYTES = 1 << 30;
  private static final int GRPC_PORT = 7410;
  private static final int MIGRATION_PORT = 7420;

  /**
   * What all agents of a world have.
   *
   * @param directory with saved states, and the names of disks
   * @param storage none: guests have no disks, and run whatever becomes of storage
   * @param pace between a guest's steps
   */
  record World(Baton baton, SimulatedNetwork network, SimulatedLinks links, SimulatedCoordinator coordinator,
      Path directory, @Nullable SimulatedStorage storage, SimulatedGuest.Effects effects, Duration pace,
      Planted planted) {
  }

  /**
   * One life of one agent.
   *
   * @param bootId of the kernel
   * @param ended incarnations that ended on that kernel
   * @param shutOut told when this process is to end
   */
  record Life(SimulatedScheduler host, String bootId, List<String> ended, Consumer<String> shutOut) {
  }

  private final Baton baton;
  private final SimulatedScheduler host;
  private final String incarnation;
  private final HostedGuests guests = new HostedGuests();
  private final OwnershipDialogue.Line line;
  private final OutgoingMigrations outgoing;
  private final IncomingMigrations incoming;
  private final GuestClaims claims = new GuestClaims();
  private final SimulatedMachines machines;
  private final CoordinatorSession session;
  private final HostAgentService service;
  private final HostInspection inspection;
  private final Optional<SharedStorage> storage;

  SimulatedAgent(World world, Life life) {
    this.baton = world.baton();
    this.host = life.host();
    this.incarnation = RandomIds.uuid(baton.newRandom());
    Planted planted = world.planted();
    OwnershipClient rows = new SimulatedOwnership(world.network(), host, incarnation, world.coordinator());
    boolean isPresumptuous = planted.name().startsWith("SILENCE");
    line = new OwnershipDialogue.Line(isPresumptuous ? new Presumptuous(rows, planted, 1) : rows, host,
        baton.newRandom());
    storage = open(world, life);
    Optional<SavedStates> states = Optional
        .of(new SavedStates(storage.map(SharedStorage::savedStates).orElse(world.directory())));
    GuestDisks disks = new GuestDisks(storage);
    Failpoints failpoints = new Failpoints(Optional.empty());
    SourceMigration.Environment departures = new SourceMigration.Environment(world.links().connector(host), line,
        disks, states, guests, this::log, failpoints);
    outgoing = new OutgoingMigrations(departures, claims, status -> {
    });
    machines = new SimulatedMachines(host, baton, world.effects(), disks,
        planted == Planted.LEASE_NOT_CHECKED ? RunPermit.ALWAYS : disks.permit(), world.pace(),
        planted == Planted.ROUND_NOT_PUT_BACK);
    incoming = new IncomingMigrations(machines, disks, states, line, this::awaitLease, this::adopt, this::log,
        failpoints);
    BoundGuests bound = new BoundGuests(guests, host, host::bootNanos);
    bound.start();
    if (planted == Planted.MEMBERSHIP_NOT_CHECKED) {
      guests.connectedWhile((vm, epoch) -> true);
    }
    session = new CoordinatorSession(new SimulatedRegistry(world.network(), host, world.coordinator()),
        RegisterRequest.newBuilder().setHostId(host.name()).setIncarnation(incarnation).setAddress(address().toString())
            .setMigrationAddress(migrationAddress().toString()).setMemoryBytes(MEMORY_BYTES).setBootId(life.bootId())
            .addAllEndedIncarnations(life.ended())
            .setStorageId(storage.map(SharedStorage::id).orElse(STORAGE_ID)).build(),
        () -> MEMORY_BYTES, guests, outgoing, line.open(), bound, new ComingGuests(claims, incoming), ends -> {
        }, host, host::bootNanos, life.shutOut());
    world.links().listen(migrationAddress(), host, incoming);
    VmCreation creation = new VmCreation(machines, guests, claims, line, this::awaitLease, failpoints);
    service = new HostAgentService(new Incarnation(incarnation), guests, creation, machines, departures, outgoing,
        incoming, claims, storage, states);
    inspection = new HostInspection(new HostInspection.Subject("simulated", host.name(), host.name(), () -> {
      throw new UnsupportedOperationException("not simulated");
    }, storage, Optional.empty(), () -> false), host);
  }

  private Optional<SharedStorage> open(World world, Life life) {
    SimulatedStorage simulated = world.storage();
    if (simulated == null) {
      return Optional.empty();
    }
    SimulatedStorageClient client = new SimulatedStorageClient(simulated, host, incarnation);
    LeaseStore leases = client;
    BootClock clock = host::bootNanos;
    if (world.planted() == Planted.RENEWAL_COUNTED_FROM_ANSWER) {
      CountedFromAnswer late = new CountedFromAnswer(leases, clock);
      leases = late;
      clock = late;
    }
    try {
      SharedStorage opened = new SharedStorage(world.directory(), leases,
          new StorageLease.Holder(host.name(), incarnation, life.bootId()),
          new SharedStorage.Environment(new ProcessLocks(), clock, host, AllowedPaths.ANY), client,
          new FencedGuests(guests, host));
      opened.looks().watch();
      return Optional.of(opened);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private MigrationLog log(MigrationId migration, String vm) {
    return (isWarning, what, values) -> baton.trace(host.name(),
        org.slf4j.helpers.MessageFormatter.arrayFormat(what, values).getMessage());
  }

  /** The session is the lease, and needs to know the migrations first. */
  private void awaitLease() throws InterruptedException {
    session.awaitLive();
  }

  private void adopt(IncomingGuest vm, OwnershipEpoch epoch) {
    outgoing.ofVm(vm.spec().id())
        .ifPresent(migration -> migration.release(CoordinatorsWord.epochIsOver(epoch, false)));
    guests.adopt(vm, epoch);
  }

  /** Builds a VM that runs. */
  void boot(VmSpec spec, OwnershipEpoch epoch) throws InterruptedException {
    try {
      SimulatedGuest guest = new SimulatedGuest(spec, machines);
      guests.adopt(guest, epoch);
      guest.load(new MachineState(List.of(new Registers())), Set.of());
      guest.runOn(OwnershipDialogue.ofSource(line, spec.id(), new MigrationId("boot"), epoch,
          new DialogueLog(MigrationLog.SILENT)).neverAsked());
    } catch (OutOfMemoryException e) {
      throw new IllegalStateException(e);
    }
  }

  void start() {
    session.start();
  }

  SimulatedScheduler host() {
    return host;
  }

  String incarnation() {
    return incarnation;
  }

  HostedGuests guests() {
    return guests;
  }

  /**
   * What is being done with guests here; empty: nothing.
   *
   * @param inDoubt guests whose other copy nobody knows anything of
   */
  String work(Set<VmId> inDoubt) {
    long doubted = inDoubt.stream().filter(each -> outgoing.ofVm(each).isPresent()).count();
    boolean isIdle = outgoing.underWay() + incoming.underWay() == doubted && claims.leaving() == doubted
        && claims.building().isEmpty() && inDoubt.containsAll(line.open().doubts().stream()
            .map(each -> each.vm()).toList());
    return isIdle
        ? ""
        : "%s: %d go, %d come, %d are taken, %s are built, in doubt %s".formatted(host.name(), outgoing.underWay(),
            incoming.underWay(), claims.leaving(), claims.building(), line.open().doubts());
  }

  /** The storage of its host; empty: none is simulated. */
  Optional<SharedStorage> storage() {
    return storage;
  }

  HostPort address() {
    return new HostPort(host.name(), GRPC_PORT);
  }

  HostPort migrationAddress() {
    return new HostPort(host.name(), MIGRATION_PORT);
  }

  HostAgentService service() {
    return service;
  }

  HostInspection inspection() {
    return inspection;
  }

  @Override
  public SimulatedScheduler process() {
    return host;
  }

  @Override
  public SimulatedAgent get() {
    return this;
  }
}
