package dev.pageferry.coordinator.rpc;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.coordinator.disks.Disks;
import dev.pageferry.coordinator.history.RecordsHistory;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.machines.Machines;
import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.network.NetworkMembers;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.repair.RecordsRepairs;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.OwnershipGrpc;
import io.grpc.Server;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** The coordinator's gRPC server. */
public final class CoordinatorRpc implements AutoCloseable {
  private static final long PERMITTED_KEEP_ALIVE_SECONDS = 5;
  private static final long KEEP_ALIVE_SECONDS = 20;
  private static final long CLOSE_SECONDS = 2;

  private final HealthStatusManager health = new HealthStatusManager();
  private final Server server;

  /**
   * Starts to serve.
   *
   * @throws IOException if the address cannot be listened on
   */
  public CoordinatorRpc(HostPort address, HostInventory inventory, OwnershipLedger ledger, Machines machines,
      Disks disks, NetworkMembers network, MigrationSupervisor migrations, RecordsHistory history,
      RecordsRepairs repairs,
      Duration heartbeatInterval, Duration lease) throws IOException {
    server = NettyServerBuilder.forAddress(new InetSocketAddress(address.host(), address.port()))
        .executor(Executors.newVirtualThreadPerTaskExecutor())
        .permitKeepAliveTime(PERMITTED_KEEP_ALIVE_SECONDS, TimeUnit.SECONDS)
        // Whoever listens and is gone without a word is noticed.
        .keepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS).permitKeepAliveWithoutCalls(true)
        .intercept(new RecordsInterceptor(history))
        .addService(new ClusterService(inventory, machines, disks, network, migrations, repairs))
        .addService(new RegistryService(inventory, ledger, history, repairs, network, heartbeatInterval, lease))
        .addService(new OwnershipService(ledger, inventory))
        .addService(health.getHealthService()).addService(ProtoReflectionServiceV1.newInstance()).build().start();
    List.of(ClusterGrpc.SERVICE_NAME, HostRegistryGrpc.SERVICE_NAME, OwnershipGrpc.SERVICE_NAME)
        .forEach(service -> health.setStatus(service, ServingStatus.SERVING));
  }

  /** The port that is listened on. */
  public int port() {
    return server.getPort();
  }

  @Override
  public void close() throws InterruptedException {
    health.enterTerminalState();
    if (!server.shutdown().awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
      server.shutdownNow();
    }
  }
}
