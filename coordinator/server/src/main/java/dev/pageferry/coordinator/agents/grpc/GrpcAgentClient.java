package dev.pageferry.coordinator.agents.grpc;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TlsContexts;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.agents.AgentException.Kind;
import dev.pageferry.proto.agent.v1.CancelOutgoingRequest;
import dev.pageferry.proto.agent.v1.CheckArrivalRequest;
import dev.pageferry.proto.agent.v1.ConsoleOutput;
import dev.pageferry.proto.agent.v1.CreateDiskRequest;
import dev.pageferry.proto.agent.v1.CreateVmRequest;
import dev.pageferry.proto.agent.v1.DeleteDiskRequest;
import dev.pageferry.proto.agent.v1.DestroyVmRequest;
import dev.pageferry.proto.agent.v1.DigestVmRequest;
import dev.pageferry.proto.agent.v1.DigestVmResponse;
import dev.pageferry.proto.agent.v1.DiscardSavedStatesRequest;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.agent.v1.DiskLease;
import dev.pageferry.proto.agent.v1.GetDiskRequest;
import dev.pageferry.proto.agent.v1.GetIncomingRequest;
import dev.pageferry.proto.agent.v1.GetIncomingResponse;
import dev.pageferry.proto.agent.v1.GetVmRequest;
import dev.pageferry.proto.agent.v1.HostAgentGrpc;
import dev.pageferry.proto.agent.v1.HostAgentGrpc.HostAgentBlockingStub;
import dev.pageferry.proto.agent.v1.ListDiskLeasesRequest;
import dev.pageferry.proto.agent.v1.ListDisksRequest;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.agent.v1.PauseVmRequest;
import dev.pageferry.proto.agent.v1.PowerDownVmRequest;
import dev.pageferry.proto.agent.v1.PrepareIncomingRequest;
import dev.pageferry.proto.agent.v1.ResolveSpecRequest;
import dev.pageferry.proto.agent.v1.ResolveSpecResponse;
import dev.pageferry.proto.agent.v1.RestoreVmRequest;
import dev.pageferry.proto.agent.v1.RestoreVmUpdate;
import dev.pageferry.proto.agent.v1.ResumeVmRequest;
import dev.pageferry.proto.agent.v1.SaveVmRequest;
import dev.pageferry.proto.agent.v1.SaveVmResult;
import dev.pageferry.proto.agent.v1.SavedStateProgress;
import dev.pageferry.proto.agent.v1.StartOutgoingRequest;
import dev.pageferry.proto.agent.v1.UseConsoleRequest;
import dev.pageferry.proto.agent.v1.VerifyVmRequest;
import dev.pageferry.proto.agent.v1.VerifyVmUpdate;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.agent.v1.WatchOutgoingRequest;
import dev.pageferry.proto.registry.v1.RecordsStamp;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ConnectivityState;
import io.grpc.Context;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.ProtoUtils;
import java.security.cert.CertificateException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;

/** Agents over gRPC: one channel per address, kept. */
public final class GrpcAgentClient implements AgentClient {
  private static final long SHORT_SECONDS = 5;
  /** Preparing may wait for an older attempt's memory. */
  private static final long PREPARE_SECONDS = 20;
  private static final long KEEP_ALIVE_SECONDS = 10;
  private static final int RECONNECT_ATTEMPTS = 10;
  private static final long RECONNECT_MILLIS = 100;

  private static final Metadata.Key<RecordsStamp> STAMP = Metadata.Key.of("pageferry-records-bin",
      ProtoUtils.metadataMarshaller(RecordsStamp.getDefaultInstance()));

  /** Hears what agents say of their VMs in answers. */
  @FunctionalInterface
  public interface VmListener {
    /** @param address of the agent */
    void heard(String address, VmStatus status);
  }

  private final ClientInterceptor stamping;
  private final VmListener listener;
  private final ClientInterceptor meter;
  private final Optional<Credentials> credentials;
  private final Function<String, Optional<HostId>> hosts;
  private final ConcurrentMap<String, ManagedChannel> channels = new ConcurrentHashMap<>();

  /**
   * @param stamp says which records orders come from: an agent obeys no coordinator that it has not asked itself
   * @param meter sees every call
   * @param listener what agents say is not to wait for their next heartbeat
   * @param credentials by which agents know this coordinator, and it them; empty: nobody is known
   * @param hosts gives the host that an address belongs to
   */
  public GrpcAgentClient(Supplier<RecordsStamp> stamp, ClientInterceptor meter, VmListener listener,
      Optional<Credentials> credentials, Function<String, Optional<HostId>> hosts) {
    this.credentials = credentials;
    this.hosts = hosts;
    this.meter = meter;
    this.listener = listener;
    stamping = new ClientInterceptor() {
      @Override
      public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
        return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
          @Override
          public void start(Listener<A> listener, Metadata headers) {
            headers.put(STAMP, stamp.get());
            super.start(listener, headers);
          }
        };
      }
    };
  }

  @Override
  public ResolveSpecResponse resolveSpec(String address, VmSpec spec) throws AgentException {
    ResolveSpecRequest request = ResolveSpecRequest.newBuilder().setSpec(spec).build();
    return ask(address, stub -> stub.withDeadlineAfter(PREPARE_SECONDS, TimeUnit.SECONDS).resolveSpec(request));
  }

  @Override
  public void checkArrival(String address, VmSpec spec) throws AgentException {
    CheckArrivalRequest request = CheckArrivalRequest.newBuilder().setSpec(spec).build();
    ask(address, stub -> stub.withDeadlineAfter(PREPARE_SECONDS, TimeUnit.SECONDS).checkArrival(request));
  }

  @Override
  public VmStatus createVm(String address, CreateVmRequest request) throws AgentException {
    // Filling memory takes as long as it takes; keep-alives tell whether the agent still lives.
    return heard(address, ask(address, stub -> stub.createVm(request)));
  }

  @Override
  public void destroyVm(String address, String vmId, long epoch) throws AgentException {
    ask(address, stub -> soon(stub).destroyVm(DestroyVmRequest.newBuilder().setId(vmId).setEpoch(epoch).build()));
  }

  @Override
  public VmStatus pauseVm(String address, String vmId) throws AgentException {
    return heard(address, ask(address, stub -> soon(stub).pauseVm(PauseVmRequest.newBuilder().setId(vmId).build())));
  }

  @Override
  public VmStatus resumeVm(String address, String vmId) throws AgentException {
    return heard(address, ask(address, stub -> soon(stub).resumeVm(ResumeVmRequest.newBuilder().setId(vmId).build())));
  }

  @Override
  public VmStatus powerDownVm(String address, String vmId, Duration atMost) throws AgentException {
    PowerDownVmRequest request = PowerDownVmRequest.newBuilder().setId(vmId).setWaitMillis(atMost.toMillis()).build();
    long deadline = atMost.toSeconds() + SHORT_SECONDS;
    return heard(address,
        ask(address, stub -> stub.withDeadlineAfter(deadline, TimeUnit.SECONDS).powerDownVm(request)));
  }

  @Override
  public ConsoleOutput useConsole(String address, UseConsoleRequest request) throws AgentException {
    long deadline = TimeUnit.MILLISECONDS.toSeconds(request.getWaitMillis()) + SHORT_SECONDS;
    return ask(address, stub -> stub.withDeadlineAfter(deadline, TimeUnit.SECONDS).useConsole(request));
  }

  @Override
  public VmStatus getVm(String address, String vmId) throws AgentException {
    return heard(address, ask(address, stub -> soon(stub).getVm(GetVmRequest.newBuilder().setId(vmId).build())));
  }

  private VmStatus heard(String address, VmStatus status) {
    listener.heard(address, status);
    return status;
  }

  @Override
  public DigestVmResponse digestVm(String address, String vmId) throws AgentException {
    return ask(address, Context.current(), stub -> stub.digestVm(DigestVmRequest.newBuilder().setId(vmId).build()));
  }

  @Override
  public void verifyVm(String address, String vmId, Consumer<VerifyVmUpdate> updates) throws AgentException {
    try (Context.CancellableContext context = Context.current().withCancellation()) {
      ask(address, context, stub -> {
        stub.verifyVm(VerifyVmRequest.newBuilder().setId(vmId).build()).forEachRemaining(updates);
        return true;
      });
    }
  }

  @Override
  public void prepareIncoming(String address, PrepareIncomingRequest request) throws AgentException {
    ask(address, stub -> stub.withDeadlineAfter(PREPARE_SECONDS, TimeUnit.SECONDS).prepareIncoming(request));
  }

  @Override
  public void startOutgoing(String address, StartOutgoingRequest request) throws AgentException {
    ask(address, stub -> soon(stub).startOutgoing(request));
  }

  @Override
  public void watchOutgoing(String address, String migrationId, Consumer<OutgoingStatus> updates)
      throws AgentException {
    // Ends the stream also where the listener failed in the middle of it.
    try (Context.CancellableContext context = Context.ROOT.withCancellation()) {
      ask(address, context, stub -> {
        stub.watchOutgoing(WatchOutgoingRequest.newBuilder().setMigrationId(migrationId).build())
            .forEachRemaining(updates);
        return true;
      });
    }
  }

  @Override
  public SaveVmResult saveVm(String address, SaveVmRequest request, Consumer<SavedStateProgress> progress)
      throws AgentException {
    return ask(address, stub -> {
      AtomicReference<SaveVmResult> saved = new AtomicReference<>(SaveVmResult.getDefaultInstance());
      stub.saveVm(request).forEachRemaining(update -> {
        progress.accept(update.getProgress());
        saved.set(update.getResult());
      });
      return saved.get();
    });
  }

  @Override
  public RestoreVmUpdate restoreVm(String address, RestoreVmRequest request, Consumer<SavedStateProgress> progress)
      throws AgentException {
    return ask(address, stub -> {
      AtomicReference<RestoreVmUpdate> restored = new AtomicReference<>(RestoreVmUpdate.getDefaultInstance());
      stub.restoreVm(request).forEachRemaining(update -> {
        progress.accept(update.getProgress());
        restored.set(update);
      });
      return restored.get();
    });
  }

  @Override
  public void discardSavedStates(String address, String vmId, String file) throws AgentException {
    ask(address,
        stub -> soon(stub)
            .discardSavedStates(DiscardSavedStatesRequest.newBuilder().setVmId(vmId).setFile(file).build()));
  }

  @Override
  public Disk createDisk(String address, CreateDiskRequest request) throws AgentException {
    return ask(address, stub -> stub.createDisk(request));
  }

  @Override
  public List<Disk> listDisks(String address) throws AgentException {
    return ask(address, stub -> soon(stub).listDisks(ListDisksRequest.getDefaultInstance()).getDisksList());
  }

  @Override
  public Disk getDisk(String address, String name) throws AgentException {
    return ask(address, stub -> soon(stub).getDisk(GetDiskRequest.newBuilder().setName(name).build()));
  }

  @Override
  public List<DiskLease> listDiskLeases(String address) throws AgentException {
    return ask(address, stub -> soon(stub).listDiskLeases(ListDiskLeasesRequest.getDefaultInstance()).getLeasesList());
  }

  @Override
  public void deleteDisk(String address, String name) throws AgentException {
    ask(address, stub -> soon(stub).deleteDisk(DeleteDiskRequest.newBuilder().setName(name).build()));
  }

  @Override
  public boolean cancelOutgoing(String address, String migrationId) throws AgentException {
    return ask(address,
        stub -> soon(stub).cancelOutgoing(CancelOutgoingRequest.newBuilder().setMigrationId(migrationId).build())
            .getAccepted());
  }

  @Override
  public GetIncomingResponse.State incomingState(String address, String migrationId) throws AgentException {
    return ask(address,
        stub -> soon(stub).getIncoming(GetIncomingRequest.newBuilder().setMigrationId(migrationId).build()).getState());
  }

  /** A short call waits, within its deadline, for a connection to an agent that has just come back. */
  private static HostAgentBlockingStub soon(HostAgentBlockingStub stub) {
    return stub.withDeadlineAfter(SHORT_SECONDS, TimeUnit.SECONDS).withWaitForReady();
  }

  /** Asks for something that is done to its end even if the operator who wanted it has disconnected. */
  private <T> T ask(String address, Function<HostAgentBlockingStub, T> call) throws AgentException {
    return ask(address, Context.ROOT, call);
  }

  private <T> T ask(String address, Context context, Function<HostAgentBlockingStub, T> call) throws AgentException {
    ManagedChannel channel = channels.computeIfAbsent(address, this::open);
    forgetOldFailures(channel);
    Context callers = context.attach();
    try {
      return call.apply(HostAgentGrpc.newBlockingStub(channel).withInterceptors(stamping, meter));
    } catch (StatusRuntimeException e) {
      if (kind(e) == Kind.UNREACHABLE) {
        // An agent that comes back should not wait for the channel's back-off, which grows to minutes.
        channel.resetConnectBackoff();
        throw new AgentException(Kind.UNREACHABLE, "its agent does not answer (%s)".formatted(e.getStatus().getCode()),
            e);
      }
      if (e.getStatus().getCode() == Status.Code.UNIMPLEMENTED) {
        throw new AgentException(Kind.REFUSED, "its agent is of an older version, which cannot do this; upgrade it", e);
      }
      String description = e.getStatus().getDescription();
      throw new AgentException(kind(e), description == null ? e.getStatus().getCode().toString() : description, e);
    } finally {
      context.detach(callers);
    }
  }

  /**
   * A channel that could not connect answers calls with that failure until its back-off is over. An agent may have come
   * back since, at the same address: so it is tried anew, for a moment.
   */
  private static void forgetOldFailures(ManagedChannel channel) {
    if (channel.getState(true) != ConnectivityState.TRANSIENT_FAILURE) {
      return;
    }
    CountDownLatch changed = new CountDownLatch(1);
    channel.notifyWhenStateChanged(ConnectivityState.TRANSIENT_FAILURE, changed::countDown);
    try {
      // Whether it did or not, the call itself will say. More than once: an attempt may have begun before the agent was back.
      for (int i = 0; i < RECONNECT_ATTEMPTS; i++) {
        channel.resetConnectBackoff();
        if (changed.await(RECONNECT_MILLIS, TimeUnit.MILLISECONDS)) {
          return;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static Kind kind(StatusRuntimeException e) {
    return switch (e.getStatus().getCode()) {
      case UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED -> Kind.UNREACHABLE;
      case NOT_FOUND -> Kind.NOT_FOUND;
      case INVALID_ARGUMENT -> Kind.INVALID;
      case ALREADY_EXISTS -> Kind.EXISTS;
      case FAILED_PRECONDITION, RESOURCE_EXHAUSTED, ABORTED -> Kind.REFUSED;
      default -> Kind.FAILED;
    };
  }

  private ManagedChannel open(String address) {
    HostPort parsed = HostPort.parse(address);
    NettyChannelBuilder builder = NettyChannelBuilder.forAddress(parsed.host(), parsed.port())
        .keepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS);
    credentials.ifPresentOrElse(it -> builder.sslContext(TlsContexts.grpcClient(it, (peer, asked) -> {
      HostId expected = hosts.apply(address)
          .orElseThrow(() -> new CertificateException("no host is known at " + address));
      PeerCheck.of(Role.HOST, expected.value()).check(peer, asked);
    })), builder::usePlaintext);
    return builder.build();
  }

  @Override
  public void close() {
    channels.values().forEach(ManagedChannel::shutdownNow);
  }
}
