package dev.pageferry.agent.rpc;

import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.hosting.BoundGuests;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.migration.source.OutgoingMigrations;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.agent.os.Linux;
import dev.pageferry.agent.ownership.OpenDialogues;
import dev.pageferry.agent.ownership.OwnershipClient;
import dev.pageferry.agent.ownership.OwnershipClient.NoAnswerException;
import dev.pageferry.agent.transport.EventLoops;
import dev.pageferry.common.accept.GuardedPort;
import dev.pageferry.common.accept.Strangers;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.rpc.GuardedServers;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TlsContexts;
import dev.pageferry.proto.agent.v1.HostAgentGrpc;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import io.grpc.BindableService;
import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.ServerInterceptor;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The agent's gRPC: a server for the coordinator, a channel to it. */
public final class AgentRpc implements AutoCloseable {
  private static final long KEEP_ALIVE_SECONDS = 10;
  private static final long CLOSE_SECONDS = 2;

  private static final int MAX_STRANGERS = 256;

  private final Optional<Credentials> credentials;
  private final ManagedChannel coordinator;
  private final HostId host;
  private final Incarnation incarnation;
  private final RecordsMemory memory;
  private final GrpcOwnershipClient ownership;
  private final HealthStatusManager health = new HealthStatusManager();
  private final Strangers strangers = new Strangers("gRPC", MAX_STRANGERS);
  private final GuardedPort port = EventLoops.guardedPort("grpc", strangers);
  private volatile @Nullable Server server;

  /**
   * @param credentials by which this host and the coordinator know each other; empty: neither knows the other
   * @param meter sees every call to the coordinator
   */
  public AgentRpc(HostPort coordinatorAddress, HostId host, Incarnation incarnation, Optional<Credentials> credentials,
      ClientInterceptor meter) {
    this.credentials = credentials;
    this.host = host;
    this.incarnation = incarnation;
    this.memory = new RecordsMemory(host, incarnation);
    NettyChannelBuilder channel = NettyChannelBuilder.forAddress(coordinatorAddress.host(), coordinatorAddress.port())
        .keepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS).intercept(meter);
    credentials.ifPresentOrElse(
        it -> channel.sslContext(TlsContexts.grpcClient(it, PeerCheck.any(Role.COORDINATOR))), channel::usePlaintext);
    coordinator = channel.build();
    ownership = new GrpcOwnershipClient(coordinator, memory, host, incarnation, Scheduler.SYSTEM);
  }

  public OwnershipClient ownership() {
    return ownership;
  }

  /** Goes the way of a commit, and back, for a move that nobody has begun. */
  public void rehearseCommit() throws NoAnswerException, InterruptedException {
    ownership.rehearseCommit();
  }

  /**
   * Starts serving.
   *
   * @param inspection for whoever asks whether the cluster is fit
   * @param meter sees every call
   * @return the port
   * @throws IOException if the address cannot be listened on
   */
  public int serve(HostPort address, HostAgentService service, HostInspectionService inspection,
      ServerInterceptor meter)
      throws IOException {
    return serve(address, List.of(service, inspection), meter);
  }

  int serve(HostPort address, List<BindableService> services, ServerInterceptor meter) throws IOException {
    NettyServerBuilder builder = GuardedServers.listeningOn(address, port)
        .intercept(new OrdersGate(memory));
    credentials.ifPresent(it -> builder.sslContext(TlsContexts.grpcServer(it, PeerCheck.ANY_MEMBER))
        .intercept(new MembersOnly()));
    Server started = builder.executor(Executors.newVirtualThreadPerTaskExecutor())
        .permitKeepAliveTime(5, TimeUnit.SECONDS)
        .permitKeepAliveWithoutCalls(true)
        // The last is asked first: what the gate refuses is counted, too.
        .intercept(meter)
        .addServices(services.stream().map(BindableService::bindService).toList())
        .addService(health.getHealthService()).addService(ProtoReflectionServiceV1.newInstance()).build();
    try {
      started.start();
    } catch (IOException e) {
      port.close();
      throw IoFailure.listening("the coordinator", address, "--listen", e);
    }
    health.setStatus(HostAgentGrpc.SERVICE_NAME, ServingStatus.SERVING);
    server = started;
    return started.getPort();
  }

  /** Connections that have not shown who they are. */
  Strangers strangers() {
    return strangers;
  }

  /**
   * What will tell the coordinator about this host, once started.
   *
   * @param coming VMs that are being received, restored or built here, until they are among the guests
   * @param shutOut told the reason when this process can be no host of the cluster any more
   */
  public CoordinatorSession newSession(Registration self, HostMemory ram, HostedGuests guests,
      OutgoingMigrations outgoing, OpenDialogues dialogues, BoundGuests bound, Supplier<Set<VmId>> coming,
      HostNetwork network, Consumer<String> shutOut) {
    RegisterRequest request = RegisterRequest.newBuilder().setHostId(host.value())
        .setIncarnation(incarnation.value())
        .setAddress(self.address().toString()).setMigrationAddress(self.migrationAddress().toString())
        .setMemoryBytes(ram.capacityBytes()).setVersion(self.version()).setStorageId(self.storageId())
        .setVxlanAddress(self.vxlanAddress().toString()).setBootId(self.bootId())
        .addAllEndedIncarnations(self.ended().stream().map(Incarnation::value).toList()).build();
    return new CoordinatorSession(new GrpcRegistryClient(coordinator, memory, self.joinTokenFile()), request,
        ram::freeBytes, guests,
        outgoing, dialogues, bound, coming, network::tell, Scheduler.SYSTEM, Linux::bootTimeNanos, shutOut);
  }

  /**
   * Who this host says it is.
   *
   * @param storageId of the storage that it has; empty: none
   * @param bootId of the kernel that it runs on
   * @param ended its incarnations that are known to have ended on that boot, newest first
   * @param joinTokenFile with a token by which it is taken in; it may come later
   */
  public record Registration(HostPort address, HostPort migrationAddress, String version, String storageId,
      HostPort vxlanAddress, String bootId, List<Incarnation> ended, Optional<Path> joinTokenFile) {
  }

  @Override
  public void close() throws InterruptedException {
    health.enterTerminalState();
    Server serving = server;
    if (serving != null && !serving.shutdown().awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
      serving.shutdownNow();
    }
    port.close();
    coordinator.shutdownNow();
  }
}
