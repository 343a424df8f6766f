package dev.pageferry.simulation;

import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.builtin.MachineState;
import dev.pageferry.agent.guest.builtin.Registers;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.hosting.ComingGuests;
import dev.pageferry.agent.hosting.VmCreation;
import dev.pageferry.agent.memory.HostMemory;
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
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.simulation.SimulatedNetwork.Place;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** An agent without sockets and vCPUs: wired as the real one is. */
final class SimulatedAgent implements Place<HostAgentService> {
  static final String STORAGE_ID = "storage-1";
  /** Of the built-in machine, which nobody builds here. */
  private static final HostMemory UNUSED_MEMORY = new HostMemory(1 << 20);
  private static final long MEMORY_BYTES = 1 << 30;
  private static final int GRPC_PORT = 7410;
  private static final int MIGRATION_PORT = 7420;

  /** A fault that is put into an agent, to see that it is found. */
  enum Planted {
    NOTHING,
    /** A source whose question is not answered takes that for a no, and lets its guest run on. */
    SILENCE_IS_A_NO,
    /** A destination whose question is not answered takes that for a yes, and lets the guest run. */
    SILENCE_IS_A_YES,
    /** A source whose note that the state is whole is not answered takes it for heard. */
    SILENCE_IS_HEARD
  }

  private final Baton baton;
  private final SimulatedScheduler host;
  private final String incarnation;
  private final HostedGuests guests = new HostedGuests();
  private final SimulatedGuest.Effects effects;
  private final OwnershipDialogue.Line line;
  private final OutgoingMigrations outgoing;
  private final CoordinatorSession session;
  private final HostAgentService service;

  SimulatedAgent(Baton baton, SimulatedScheduler host, SimulatedNetwork network, SimulatedLinks links,
      SimulatedCoordinator coordinator, Path storage, SimulatedGuest.Effects effects, Planted planted) {
    this.baton = baton;
    this.host = host;
    this.effects = effects;
    this.incarnation = RandomIds.uuid(baton.newRandom());
    OwnershipClient rows = new SimulatedOwnership(network, host, incarnation, coordinator);
    line = new OwnershipDialogue.Line(
        planted == Planted.NOTHING ? rows : new Presumptuous(rows, planted, 1), host, baton.newRandom());
    Optional<SavedStates> states = Optional.of(new SavedStates(storage));
    Failpoints failpoints = new Failpoints(Optional.empty());
    SourceMigration.Environment departures = new SourceMigration.Environment(links.connector(host), line,
        GuestDisks.NONE, states, guests, this::log, failpoints);
    GuestClaims claims = new GuestClaims();
    outgoing = new OutgoingMigrations(departures, claims, status -> {
    });
    IncomingMigrations incoming = new IncomingMigrations(this::skeleton, GuestDisks.NONE, states, line,
        this::awaitLease,
        this::adopt, this::log, failpoints);
    session = new CoordinatorSession(new SimulatedRegistry(network, host, coordinator),
        RegisterRequest.newBuilder().setHostId(host.name()).setIncarnation(incarnation).setAddress(address().toString())
            .setMigrationAddress(migrationAddress().toString()).setMemoryBytes(MEMORY_BYTES).setStorageId(STORAGE_ID)
            .build(),
        () -> MEMORY_BYTES, guests, outgoing, line.open(), new ComingGuests(claims, incoming), ends -> {
        }, host, host, this::shutOut);
    links.listen(migrationAddress(), host, incoming);
    VmFactory machines = new VmFactory(UNUSED_MEMORY, GuestDisks.NONE, host);
    VmCreation creation = new VmCreation(machines, guests, claims, line, this::awaitLease, failpoints);
    service = new HostAgentService(new Incarnation(incarnation), guests, creation, machines, departures, outgoing,
        incoming, claims, Optional.empty(), states);
  }

  private void shutOut(String reason) {
    throw new AssertionError("%s is shut out: %s".formatted(host.name(), reason));
  }

  private MigrationLog log(MigrationId migration, String vm) {
    return (isWarning, what, values) -> baton.trace(host.name(),
        org.slf4j.helpers.MessageFormatter.arrayFormat(what, values).getMessage());
  }

  private IncomingGuest skeleton(GuestSpec spec) throws OutOfMemoryException, InterruptedException {
    return new SimulatedGuest((VmSpec) spec, host, baton, effects);
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
      SimulatedGuest guest = new SimulatedGuest(spec, host, baton, effects);
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

  HostPort address() {
    return new HostPort(host.name(), GRPC_PORT);
  }

  HostPort migrationAddress() {
    return new HostPort(host.name(), MIGRATION_PORT);
  }

  @Override
  public SimulatedScheduler process() {
    return host;
  }

  @Override
  public HostAgentService get() {
    return service;
  }
}
