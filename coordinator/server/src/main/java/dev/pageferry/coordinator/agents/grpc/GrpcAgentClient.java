package dev.pageferry.coordinator.agents.grpc;

import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
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
import io.grpc.Context;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Function;

/** Agents over gRPC. */
public final class GrpcAgentClient implements AgentClient {
  private static final long SHORT_SECONDS = 5;
  /** Preparing may wait for an older attempt's memory. */
  private static final long PREPARE_SECONDS = 20;

  /** Hears what agents say of their VMs in answers. */
  @FunctionalInterface
  public interface VmListener {
    /** @param address of the agent */
    void heard(String address, VmStatus status);
  }

  private final AgentChannels channels;
  private final VmListener listener;

  /** @param listener what agents say is not to wait for their next heartbeat */
  public GrpcAgentClient(AgentChannels channels, VmListener listener) {
    this.channels = channels;
    this.listener = listener;
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
    return channels.ask(address, context, channel -> call.apply(HostAgentGrpc.newBlockingStub(channel)));
  }

  @Override
  public void close() {
    channels.close();
  }
}
