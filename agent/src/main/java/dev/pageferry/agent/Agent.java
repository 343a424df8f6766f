package dev.pageferry.agent;

import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.VirtualMachine;
import dev.pageferry.agent.guest.VmFactory;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.metrics.AgentMetrics;
import dev.pageferry.agent.migration.Announcer;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.OwnershipClient;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.source.OutgoingMigrations;
import dev.pageferry.agent.migration.source.SourceMigration;
import dev.pageferry.agent.rpc.AgentRpc;
import dev.pageferry.agent.rpc.CoordinatorSession;
import dev.pageferry.agent.transport.EventLoops;
import dev.pageferry.agent.transport.MigrationClient;
import dev.pageferry.agent.transport.MigrationServer;
import dev.pageferry.common.http.ObservabilityServer;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A running agent: everything wired together, started in order, closed in reverse. */
final class Agent implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Agent.class);
  private static final int EXIT_SHUT_OUT = 1;

  private final HostedGuests guests = new HostedGuests();
  private final EventLoops loops = new EventLoops(Math.max(2, Runtime.getRuntime().availableProcessors()));
  private final AgentRpc rpc;
  private final OutgoingMigrations outgoing;
  private final IncomingMigrations incoming;
  private final MigrationServer migrationServer;
  private final CoordinatorSession session;
  private final ObservabilityServer observability;

  Agent(AgentConfig config, String version) throws IOException, InterruptedException {
    Incarnation incarnation = new Incarnation(UUID.randomUUID().toString());
    Ticker ticker = Ticker.SYSTEM;
    Failpoints failpoints = new Failpoints(config.failpointDirectory());
    HostMemory memory = new HostMemory(config.memoryBytes());
    VmFactory factory = new VmFactory(memory, ticker);
    AgentMetrics metrics = new AgentMetrics(guests, memory);
    rpc = new AgentRpc(config.coordinator());
    OwnershipClient ownership = rpc.ownership();
    outgoing = new OutgoingMigrations(
        new SourceMigration.Environment(new MigrationClient(loops, config.congestionControl()), ownership,
            guests::discard, MigrationLog::of, failpoints, ticker),
        metrics);
    // The session is this host's lease, and needs the ports that only the servers know: so it comes last.
    CompletableFuture<CoordinatorSession> lease = new CompletableFuture<>();
    incoming = new IncomingMigrations(factory, ownership, () -> lease.join().awaitLive(), this::adopt, Announcer.NONE,
        MigrationLog::of, failpoints, ticker);
    migrationServer = MigrationServer.listen(loops, config.migrationListen(), incoming);
    int port = rpc.serve(config.listen(), incarnation, guests, factory, memory, outgoing, incoming);
    session = rpc.newSession(new AgentRpc.Registration(config.hostId().value(), incarnation.value(),
        config.advertised(config.listen(), port),
        config.advertised(config.migrationListen(), migrationServer.port()), version), memory, guests, outgoing,
        Agent::endAtOnce);
    lease.complete(session);
    observability = new ObservabilityServer(config.http(), metrics::scrape, session::isRegistered);
    log.info("host={} listening: grpc {} migration {} http {}", config.hostId(),
        config.advertised(config.listen(), port),
        config.advertised(config.migrationListen(), migrationServer.port()),
        config.advertised(config.http(), observability.port()));
    session.start();
    if (config.rehearse()) {
      Rehearsal.start(ownership, config.congestionControl(), () -> outgoing.isEmpty() && incoming.isEmpty());
    }
  }

  /** No clean end: until it were over, guests could run here that run elsewhere by now. */
  private static void endAtOnce(String reason) {
    log.error("this agent ends, and all its guests with it: {}", reason);
    Runtime.getRuntime().halt(EXIT_SHUT_OUT);
  }

  private void adopt(VirtualMachine vm, OwnershipEpoch epoch) {
    // A migration that took the VM away and still waits to hear that it runs there has heard enough.
    outgoing.ofVm(vm.spec().id()).ifPresent(migration -> migration.release(epoch));
    guests.adopt(vm, epoch);
  }

  @Override
  public void close() throws InterruptedException {
    session.close();
    observability.close();
    outgoing.close();
    incoming.close();
    migrationServer.close();
    rpc.close();
    loops.close();
    guests.close();
  }
}
