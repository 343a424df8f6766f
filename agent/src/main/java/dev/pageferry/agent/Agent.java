package dev.pageferry.agent;

import ch.qos.logback.classic.LoggerContext;
import dev.pageferry.agent.disk.ProcessLocks;
import dev.pageferry.agent.disk.SharedStorage;
import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.GuestKind;
import dev.pageferry.agent.guest.GuestKinds;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.qemu.QemuKind;
import dev.pageferry.agent.guest.qemu.QemuPaths;
import dev.pageferry.agent.hosting.BoundGuests;
import dev.pageferry.agent.hosting.ComingGuests;
import dev.pageferry.agent.hosting.FencedGuests;
import dev.pageferry.agent.hosting.GuestsFile;
import dev.pageferry.agent.hosting.TakingOver;
import dev.pageferry.agent.hosting.VmCreation;
import dev.pageferry.agent.incarnation.IncarnationLock;
import dev.pageferry.agent.incarnation.RunDirectory;
import dev.pageferry.agent.inspection.HostInspection;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.metrics.AgentMetrics;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.destination.DiskRecovery;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.source.OutgoingMigrations;
import dev.pageferry.agent.migration.source.SourceMigration;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.agent.os.CompilerThreads;
import dev.pageferry.agent.os.Linux;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.rpc.AgentRpc;
import dev.pageferry.agent.rpc.CoordinatorSession;
import dev.pageferry.agent.rpc.HostAgentService;
import dev.pageferry.agent.rpc.HostInspectionService;
import dev.pageferry.agent.savedstate.SavedStates;
import dev.pageferry.agent.transport.EventLoops;
import dev.pageferry.agent.transport.LinkMeter;
import dev.pageferry.agent.transport.LinkPasses;
import dev.pageferry.agent.transport.MigrationClient;
import dev.pageferry.agent.transport.MigrationServer;
import dev.pageferry.agent.transport.MigrationTls;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.server.ObservabilityServer;
import dev.pageferry.common.server.RunningServer;
import dev.pageferry.common.supervision.Watchdog;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.Role;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A running agent: everything wired together, started in order, closed in reverse. */
final class Agent implements RunningServer {
  private static final Logger log = LoggerFactory.getLogger(Agent.class);
  /** Its place was given to another agent: to start again is of no use, and service managers are told not to by this code. */
  private static final int EXIT_SHUT_OUT = 3;
  private static final int DEFAULT_VXLAN_PORT = 7440;
  /** How long this agent's end waits for the row's word about guests that are in doubt here. */
  private static final Duration SETTLING = Duration.ofSeconds(30);
  /** How long it waits for the disks of guests that are not; the storage's own end has twice as long. */
  private static final Duration RELEASE = Duration.ofSeconds(10);
  /** How long an end that must be at once waits until its reason is in the log. */
  private static final Duration LOG_FLUSH = Duration.ofMillis(50);
  /** All that this agent's end waits for, and time for the rest. */
  static final Duration LONGEST_CLOSE = SETTLING.plus(RELEASE.multipliedBy(4)).plusSeconds(10);

  private final IncarnationLock lock;
  private final HostedGuests guests = new HostedGuests();
  private final LinkPasses links = new LinkPasses(Ticker.SYSTEM);
  private final GuestsFile guestsFile;
  private final EventLoops loops = new EventLoops(Math.max(2, Runtime.getRuntime().availableProcessors()));
  private final AgentRpc rpc;
  private final HostAgentService service;
  private final HostNetwork network;
  private final OutgoingMigrations outgoing;
  private final IncomingMigrations incoming;
  private final MigrationServer migrationServer;
  private final CoordinatorSession session;
  private final BoundGuests bound = new BoundGuests(guests, Scheduler.SYSTEM, Linux::bootTimeNanos);
  private final TakingOver takingOver;
  private final HostMemory memory;
  private @Nullable SharedStorage sharedStorage;
  private final ObservabilityServer observability;
  private @Nullable Thread recovery;

  Agent(AgentConfig config, String version) throws IOException, InterruptedException {
    Incarnation incarnation = new Incarnation(UUID.randomUUID().toString());
    // Before anything of the host is touched that another agent of it may have.
    lock = IncarnationLock.take(RunDirectory.open(config.runDirectory(), System.getenv()), config.hostId(),
        config.coordinator(), incarnation);
    guestsFile = countGuests(config);
    CompilerThreads.stepBack();
    Optional<Credentials> credentials = openCredentials(config);
    MigrationTls tls = new MigrationTls(credentials);
    Failpoints failpoints = new Failpoints(config.failpointDirectory());
    memory = new HostMemory(config.memoryBytes());
    Optional<SharedStorage> storage = openStorage(config, incarnation);
    GuestDisks disks = new GuestDisks(storage);
    Optional<SavedStates> savedStates = storage.map(shared -> new SavedStates(shared.savedStates()));
    HostNetwork hostNetwork = new HostNetwork(config.hostId().value(), Ticker.SYSTEM);
    network = hostNetwork;
    HostPort vxlan = listenForVxlan(config, hostNetwork);
    useInterface(config, hostNetwork);
    QemuKind qemu = machinesOfQemu(config, incarnation, memory, disks, hostNetwork);
    GuestKind machines = new GuestKinds(new VmFactory(memory, disks, Optional.of(hostNetwork),
        config.allowed(), Ticker.SYSTEM), qemu);
    AgentMetrics metrics = new AgentMetrics(version, guests, memory, hostNetwork.counters());
    credentials.ifPresent(it -> metrics.observeCertificate(it::notAfter));
    rpc = new AgentRpc(config.coordinator(), config.hostId(), incarnation, credentials, metrics.clientCalls());
    OwnershipDialogue.Line line = new OwnershipDialogue.Line(rpc.ownership(), Scheduler.SYSTEM, new SecureRandom());
    SourceMigration.Environment departures = new SourceMigration.Environment(
        new MigrationClient(loops, config.congestionControl(), tls), line, disks, savedStates, guests,
        MigrationLog::of, failpoints);
    GuestClaims claims = new GuestClaims();
    outgoing = new OutgoingMigrations(departures, claims, metrics);
    // The session is this host's lease, and needs the ports that only the servers know: so it comes last.
    CompletableFuture<CoordinatorSession> lease = new CompletableFuture<>();
    takingOver = new TakingOver(qemu.left(lock.ended()), guests, claims, line, () -> lease.join().awaitLive());
    incoming = new IncomingMigrations(machines, disks, savedStates, line, () -> lease.join().awaitLive(),
        this::adopt, MigrationLog::of, failpoints);
    migrationServer = MigrationServer.listen(loops, config.migrationListen(), tls, incoming, links);
    service = new HostAgentService(incarnation, guests,
        new VmCreation(machines, guests, claims, line, () -> lease.join().awaitLive(), failpoints),
        machines, departures, outgoing, incoming, claims, storage, savedStates);
    int port = rpc.serve(config.listen(), service, inspection(config, version, qemu, storage, credentials, tls),
        metrics.serverCalls());
    session = rpc.newSession(new AgentRpc.Registration(config.advertised(config.listen(), port),
        config.advertised(config.migrationListen(), migrationServer.port()), version,
        storage.map(SharedStorage::id).orElse(""), vxlan, lock.bootId(), lock.ended(),
        config.joinTokenFile()), memory, guests, outgoing,
        line.open(), bound, new ComingGuests(claims, incoming), hostNetwork, Agent::endAtOnce);
    lease.complete(session);
    hostNetwork.permitWhile(session::isAttentive);
    metrics.observe(claims, incoming, line.open(), session::leaseAgeSeconds);
    observability = new ObservabilityServer(config.http(), config.security().ofHttp(credentials), member -> false,
        metrics::scrape,
        () -> session.isRegistered() ? Optional.empty() : Optional.of("not registered with the coordinator"));
    tell(config, port, vxlan);
    Optional<DiskRecovery> diskRecovery = storage
        .map(shared -> DiskRecovery.ofEarlierIncarnation(shared.copies(), line));
    begin();
    diskRecovery.ifPresent(left -> recovery = Thread.ofVirtual().name("disk-recovery").start(left));
    rehearse(config, tls);
  }

  private HostInspectionService inspection(AgentConfig config, String version, QemuKind qemu,
      Optional<SharedStorage> storage, Optional<Credentials> credentials, MigrationTls tls) {
    HostInspection.Subject subject = new HostInspection.Subject(version,
        config.advertised(config.listen(), 0).host(), config.advertised(config.migrationListen(), 0).host(),
        qemu::facts, storage, credentials, () -> outgoing.underWay() > 0 || incoming.underWay() > 0);
    return new HostInspectionService(new HostInspection(subject, Scheduler.SYSTEM), links,
        new LinkMeter(loops, config.congestionControl(), tls, Scheduler.SYSTEM));
  }

  private GuestsFile countGuests(AgentConfig config) throws IOException {
    return GuestsFile.keep(lock.beside("guests"), guests,
        new GuestsFile.QemuHolding(config.ramDirectory(), !config.keepGuests().isZero()), Scheduler.SYSTEM);
  }

  private static Optional<Credentials> openCredentials(AgentConfig config) throws IOException {
    return config.security().open(Role.HOST, Optional.of(config.hostId().value()), Scheduler.SYSTEM);
  }

  private void tell(AgentConfig config, int port, HostPort vxlan) {
    log.info("host={} listening: grpc {} migration {} http {} vxlan {}", config.hostId(),
        config.advertised(config.listen(), port),
        config.advertised(config.migrationListen(), migrationServer.port()),
        config.advertised(config.http(), observability.port()), vxlan);
    config.failpointDirectory().ifPresent(
        directory -> log.warn("--failpoint-dir {}: this agent may be held anywhere; it is for tests alone", directory));
  }

  private void rehearse(AgentConfig config, MigrationTls tls) {
    if (config.rehearse()) {
      MoveRehearsal.start(config.hostId(), tls, rpc::rehearseCommit, config.congestionControl(),
          () -> outgoing.hasHadNone() && incoming.hasHadNone());
    }
  }

  private static void useInterface(AgentConfig config, HostNetwork hostNetwork)
      throws IOException, InterruptedException {
    if (config.uplink().isPresent()) {
      hostNetwork.useInterface(config.uplink().get());
      log.info("network {} is on interface {}", config.uplink().get().vni(), config.uplink().get().networkInterface());
    }
  }

  private static QemuKind machinesOfQemu(AgentConfig config, Incarnation incarnation, HostMemory memory,
      GuestDisks disks, HostNetwork network) {
    QemuPaths paths = new QemuPaths(config.hostId().value(), config.qemu(), config.ramDirectory(),
        config.storage().map(SharedStorage::keepers), config.allowed(), config.allowedQemuOptions(),
        QemuPaths.FIRMWARE);
    return new QemuKind(memory, disks, network, paths, incarnation, config.keepGuests(),
        config.writtenPages(), Scheduler.SYSTEM);
  }

  /** Agents on one machine that were told nothing do not get into each other's way. */
  private static HostPort listenForVxlan(AgentConfig config, HostNetwork network)
      throws IOException, InterruptedException {
    HostPort asked = config.vxlanListen().orElse(new HostPort(config.migrationListen().host(), DEFAULT_VXLAN_PORT));
    int port;
    try {
      port = network.listenForVxlan(new InetSocketAddress(asked.host(), asked.port()));
    } catch (IOException e) {
      if (config.vxlanListen().isPresent()) {
        throw IoFailure.listening("VXLAN", asked, "--vxlan-listen", e);
      }
      port = network.listenForVxlan(new InetSocketAddress(asked.host(), 0));
    }
    return config.advertised(asked, port);
  }

  private Optional<SharedStorage> openStorage(AgentConfig config, Incarnation incarnation) throws IOException {
    if (config.storage().isEmpty()) {
      return Optional.empty();
    }
    SharedStorage opened = new SharedStorage(config.storage().get(), config.hostId().value(), incarnation.value(),
        new SharedStorage.Environment(new ProcessLocks(), Linux::bootTimeNanos, Scheduler.SYSTEM,
            config.allowed()),
        new FencedGuests(guests, Scheduler.SYSTEM));
    log.info("storage {} id={}", config.storage().get(), opened.id());
    opened.looks().watch();
    sharedStorage = opened;
    return Optional.of(opened);
  }

  /** No clean end: until it were over, guests could run here that run elsewhere by now. */
  private static void endAtOnce(String reason) {
    try {
      // Logs are written by another thread, which may wait for whoever reads them: the end does not.
      Thread.ofPlatform().daemon().name("end").start(() -> {
        LockSupport.parkNanos(LOG_FLUSH.toNanos());
        Runtime.getRuntime().halt(EXIT_SHUT_OUT);
      });
      log.error("this agent ends, and all its guests with it, but for machines of QEMU, which stop: {}", reason);
      if (LoggerFactory.getILoggerFactory() instanceof LoggerContext logging) {
        logging.stop();
      }
    } finally {
      // Also where the log fails, as for lack of memory.
      Runtime.getRuntime().halt(EXIT_SHUT_OUT);
    }
  }

  /** From here on the coordinator hears of this host. */
  private void begin() {
    bound.start();
    session.start();
    takingOver.start();
  }

  private void adopt(IncomingGuest vm, OwnershipEpoch epoch) {
    // A migration that took the VM away and still waits to hear that it runs there has heard enough.
    outgoing.ofVm(vm.spec().id()).ifPresent(migration -> migration.release(
        CoordinatorsWord.epochIsOver(epoch, false)));
    guests.adopt(vm, epoch);
  }

  @Override
  public List<Watchdog.Loop> loops() {
    List<Watchdog.Loop> all = new ArrayList<>();
    loops.each().forEach((name, loop) -> all.add(new Watchdog.Loop(name, loop)));
    all.add(new Watchdog.Loop("switch", network.loop()));
    return all;
  }

  @Override
  public void close() throws IOException, InterruptedException {
    if (recovery != null) {
      recovery.interrupt();
    }
    // First: what came while the rest ends would end with the process.
    service.refuseMore();
    observability.close();
    takingOver.close();
    outgoing.close();
    OrderlyEnd end = new OrderlyEnd(Scheduler.SYSTEM, RELEASE);
    // The session goes on meanwhile: what is in doubt is settled by the coordinator's word.
    end.settleAndRelease(() -> incoming.close(SETTLING), guests::close);
    session.close();
    bound.close();
    migrationServer.close();
    rpc.close();
    loops.close();
    end.release(guests::close);
    network.close();
    if (sharedStorage != null) {
      // The lease of the host goes last, when no disk is open here any more.
      sharedStorage.close();
    }
    memory.close();
    guestsFile.close();
    lock.close();
  }
}
