package dev.pageferry.coordinator.rpc;

import dev.pageferry.common.accept.GuardedPort;
import dev.pageferry.common.accept.Strangers;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.rpc.GuardedServers;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.TlsContexts;
import dev.pageferry.coordinator.access.Admissions;
import dev.pageferry.coordinator.access.AuditLog;
import dev.pageferry.coordinator.availability.Failover;
import dev.pageferry.coordinator.availability.HostDeaths;
import dev.pageferry.coordinator.disks.Disks;
import dev.pageferry.coordinator.events.EventLog;
import dev.pageferry.coordinator.history.RecordsHistory;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.machines.DeadHosts;
import dev.pageferry.coordinator.machines.HostRemoval;
import dev.pageferry.coordinator.machines.Machines;
import dev.pageferry.coordinator.machines.VmChanges;
import dev.pageferry.coordinator.maintenance.Maintenance;
import dev.pageferry.coordinator.maintenance.RollingDrains;
import dev.pageferry.coordinator.membership.Membership;
import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.network.NetworkMembers;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.repair.RecordsRepairs;
import dev.pageferry.coordinator.request.Requests;
import dev.pageferry.coordinator.store.WriteProbe;
import dev.pageferry.coordinator.validation.Validation;
import dev.pageferry.proto.cluster.v1.AccessGrpc;
import dev.pageferry.proto.cluster.v1.AvailabilityGrpc;
import dev.pageferry.proto.cluster.v1.BackupGrpc;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.cluster.v1.EventsGrpc;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc;
import dev.pageferry.proto.cluster.v1.ValidationGrpc;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.OwnershipGrpc;
import io.grpc.Server;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** The coordinator's gRPC server. */
public final class CoordinatorRpc implements AutoCloseable {
  private static final long PERMITTED_KEEP_ALIVE_SECONDS = 5;
  private static final long KEEP_ALIVE_SECONDS = 20;
  private static final long CLOSE_SECONDS = 2;

  /** All hosts that there may be can come at once, as after a restart of this program. */
  private static final int MAX_STRANGERS = 1024;

  /**
   * Who belongs to the cluster.
   *
   * @param credentials empty: this coordinator works without certificates
   */
  public record Access(Optional<Credentials> credentials, Admissions admissions, AuditLog audit) {
  }

  private final HealthStatusManager health = new HealthStatusManager();
  private final Strangers strangers = new Strangers("gRPC", MAX_STRANGERS);
  private final GuardedPort port = GuardedPort.withSelectors("grpc", strangers);
  private final Server server;
  private final WriteProbe probe;

  /**
   * Starts to serve.
   *
   * @param version of this program, for operators
   * @param access who belongs to the cluster, and by what members are known
   * @param backup gives the records away
   * @param deaths tells what would become of VMs if hosts stopped
   * @param failover has VMs run again whose hosts stopped
   * @param maintenance empties hosts, and fills them
   * @param events what happened
   * @param validation tells whether the cluster is fit
   * @param meter sees every call
   * @throws IOException if the address cannot be listened on
   */
  public CoordinatorRpc(HostPort address, String version, HostInventory inventory, OwnershipLedger ledger,
      Machines machines,
      Disks disks, NetworkMembers network, MigrationSupervisor migrations, RecordsHistory history,
      RecordsRepairs repairs,
      Requests requests, WriteProbe probe,
      Duration heartbeatInterval, Duration lease, ServerInterceptor meter, Access access, Validation validation,
      BackupService backup, HostDeaths deaths, Failover failover, Maintenance maintenance,
      EventLog events)
      throws IOException {
    this.probe = probe;
    NettyServerBuilder builder = GuardedServers.listeningOn(address, port);
    access.credentials().ifPresent(it -> builder.sslContext(TlsContexts.grpcServer(it, PeerCheck.ANY_MEMBER)));
    AuditInterceptor audit = new AuditInterceptor(access.audit());
    RequestInterceptor once = new RequestInterceptor(requests, name -> ledger.findByName(name)
        .map(row -> new Requests.Subject(row.id().value(), row.record().getEpoch())).orElse(Requests.Subject.NONE));
    server = builder
        .executor(Executors.newVirtualThreadPerTaskExecutor())
        .permitKeepAliveTime(PERMITTED_KEEP_ALIVE_SECONDS, TimeUnit.SECONDS)
        // Whoever listens and is gone without a word is noticed.
        .keepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS).permitKeepAliveWithoutCalls(true)
        .addTransportFilter(new ConnectionFilter())
        .intercept(new RecordsInterceptor(history))
        .intercept(new CallerInterceptor(access.admissions(), access.credentials().isPresent()))
        // The last is asked first: what the others refuse is counted, too.
        .intercept(meter)
        .addService(ServerInterceptors.intercept(
            new ClusterService(version, inventory, new HostMessages(inventory, failover.fences()),
                new DeadHosts(inventory, ledger), machines, disks, network,
                migrations,
                repairs,
                new VmChanges(ledger, machines), requests),
            once, audit))
        .addService(ServerInterceptors.intercept(new AccessService(access.admissions(),
            new HostRemoval(inventory, ledger, access.admissions()), access.audit()), audit))
        .addService(ServerInterceptors.intercept(new ValidationService(validation), audit))
        .addService(ServerInterceptors.intercept(backup, audit))
        .addService(ServerInterceptors.intercept(new AvailabilityService(deaths, failover), audit))
        .addService(ServerInterceptors.intercept(
            new MaintenanceService(maintenance, new RollingDrains(inventory, Scheduler.SYSTEM)), once, audit))
        .addService(new EventsService(events))
        .addService(new RegistryService(new Membership(inventory, ledger, history, repairs, network,
            access.admissions(), failover.leases()), inventory,
            heartbeatInterval, lease))
        .addService(new OwnershipService(ledger, inventory::isAlive, history, access.admissions()::isAdmitted))
        .addService(ServerInterceptors.intercept(health.getHealthService(), new HealthInterceptor(this::lookAtHealth)))
        .addService(ProtoReflectionServiceV1.newInstance()).build();
    try {
      server.start();
    } catch (IOException e) {
      port.close();
      throw IoFailure.listening("operators and agents", address, "--listen", e);
    }
    lookAtHealth();
  }

  /** Without its records the coordinator can decide nothing. */
  private void lookAtHealth() {
    ServingStatus status = probe.trouble().isEmpty() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    List.of("", ClusterGrpc.SERVICE_NAME, AccessGrpc.SERVICE_NAME, HostRegistryGrpc.SERVICE_NAME,
        OwnershipGrpc.SERVICE_NAME, ValidationGrpc.SERVICE_NAME, BackupGrpc.SERVICE_NAME,
        AvailabilityGrpc.SERVICE_NAME, MaintenanceGrpc.SERVICE_NAME, EventsGrpc.SERVICE_NAME)
        .forEach(service -> health.setStatus(service, status));
  }

  /** The port that is listened on. */
  public int port() {
    return server.getPort();
  }

  /** Connections that have not shown who they are. */
  Strangers strangers() {
    return strangers;
  }

  @Override
  public void close() throws InterruptedException {
    health.enterTerminalState();
    if (!server.shutdown().awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
      server.shutdownNow();
    }
    port.close();
  }
}
