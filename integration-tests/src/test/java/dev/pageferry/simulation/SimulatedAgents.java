package dev.pageferry.simulation;

import dev.pageferry.agent.rpc.HostAgentService;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.agents.AgentException.Kind;
import dev.pageferry.proto.agent.v1.CancelOutgoingRequest;
import dev.pageferry.proto.agent.v1.ConsoleOutput;
import dev.pageferry.proto.agent.v1.CreateDiskRequest;
import dev.pageferry.proto.agent.v1.CreateVmRequest;
import dev.pageferry.proto.agent.v1.DestroyVmRequest;
import dev.pageferry.proto.agent.v1.DigestVmResponse;
import dev.pageferry.proto.agent.v1.DiscardSavedStatesRequest;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.agent.v1.DiskLease;
import dev.pageferry.proto.agent.v1.GetIncomingRequest;
import dev.pageferry.proto.agent.v1.GetIncomingResponse;
import dev.pageferry.proto.agent.v1.GetVmRequest;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.agent.v1.PauseVmRequest;
import dev.pageferry.proto.agent.v1.PrepareIncomingRequest;
import dev.pageferry.proto.agent.v1.ResolveSpecResponse;
import dev.pageferry.proto.agent.v1.RestoreVmRequest;
import dev.pageferry.proto.agent.v1.RestoreVmUpdate;
import dev.pageferry.proto.agent.v1.ResumeVmRequest;
import dev.pageferry.proto.agent.v1.SaveVmRequest;
import dev.pageferry.proto.agent.v1.SaveVmResult;
import dev.pageferry.proto.agent.v1.SaveVmUpdate;
import dev.pageferry.proto.agent.v1.SavedStateProgress;
import dev.pageferry.proto.agent.v1.StartOutgoingRequest;
import dev.pageferry.proto.agent.v1.UseConsoleRequest;
import dev.pageferry.proto.agent.v1.VerifyVmUpdate;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.agent.v1.WatchOutgoingRequest;
import dev.pageferry.simulation.SimulatedNetwork.Method;
import dev.pageferry.simulation.SimulatedNetwork.Place;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/** The agents, as one process of the coordinator asks them over the simulated network: what moves need, and no more. */
final class SimulatedAgents implements AgentClient {
  private static final Duration SOON = Duration.ofSeconds(5);
  /** As long as keep-alives need to find a connection dead. */
  private static final Duration WORK = Duration.ofSeconds(20);

  private final SimulatedNetwork network;
  private final BiConsumer<String, VmStatus> listener;
  private final SimulatedScheduler coordinator;
  private final Map<String, Place<SimulatedAgent>> places;

  SimulatedAgents(SimulatedNetwork network, SimulatedScheduler coordinator,
      Map<String, Place<SimulatedAgent>> places, BiConsumer<String, VmStatus> listener) {
    this.listener = listener;
    this.network = network;
    this.coordinator = coordinator;
    this.places = places;
  }

  private <Q, A> A ask(String address, String what, Method<HostAgentService, Q, A> method, Q request,
      Duration patience) throws AgentException {
    Place<SimulatedAgent> place = places.get(address);
    if (place == null) {
      throw new AgentException(Kind.UNREACHABLE, "no agent has the address " + address);
    }
    try {
      return network.ask(coordinator, place, what,
          (SimulatedAgent agent, Q question, StreamObserver<A> observer) -> method.call(agent.service(), question,
              observer),
          request, patience);
    } catch (StatusRuntimeException e) {
      throw failure(e);
    }
  }

  private static AgentException failure(StatusRuntimeException e) {
    Kind kind = switch (e.getStatus().getCode()) {
      case UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED -> Kind.UNREACHABLE;
      case NOT_FOUND -> Kind.NOT_FOUND;
      case INVALID_ARGUMENT -> Kind.INVALID;
      case ALREADY_EXISTS -> Kind.EXISTS;
      case FAILED_PRECONDITION, RESOURCE_EXHAUSTED, ABORTED -> Kind.REFUSED;
      default -> Kind.FAILED;
    };
    return new AgentException(kind, String.valueOf(e.getStatus().getDescription()), e);
  }

  @Override
  public void prepareIncoming(String address, PrepareIncomingRequest request) throws AgentException {
    ask(address, "prepareIncoming", HostAgentService::prepareIncoming, request, WORK);
  }

  @Override
  public void startOutgoing(String address, StartOutgoingRequest request) throws AgentException {
    ask(address, "startOutgoing", HostAgentService::startOutgoing, request, SOON);
  }

  @Override
  public boolean cancelOutgoing(String address, String migrationId) throws AgentException {
    return ask(address, "cancelOutgoing", HostAgentService::cancelOutgoing,
        CancelOutgoingRequest.newBuilder().setMigrationId(migrationId).build(), SOON).getAccepted();
  }

  @Override
  public GetIncomingResponse.State incomingState(String address, String migrationId) throws AgentException {
    return ask(address, "getIncoming", HostAgentService::getIncoming,
        GetIncomingRequest.newBuilder().setMigrationId(migrationId).build(), SOON).getState();
  }

  @Override
  public void destroyVm(String address, String vmId, long epoch) throws AgentException {
    ask(address, "destroyVm", HostAgentService::destroyVm,
        DestroyVmRequest.newBuilder().setId(vmId).setEpoch(epoch).build(), SOON);
  }

  @Override
  public void watchOutgoing(String address, String migrationId, Consumer<OutgoingStatus> updates)
      throws AgentException {
    watch(address, (agent, observer) -> agent.watchOutgoing(WatchOutgoingRequest.newBuilder()
        .setMigrationId(migrationId).build(), observer), updates);
  }

  /** A call whose answers come one after another. */
  private interface Watched<A> {
    void call(HostAgentService agent, StreamObserver<A> observer);
  }

  private <A> void watch(String address, Watched<A> call, Consumer<A> updates) throws AgentException {
    Place<SimulatedAgent> place = places.get(address);
    if (place == null) {
      throw new AgentException(Kind.UNREACHABLE, "no agent has the address " + address);
    }
    SimulatedWatch<A> watch = new SimulatedWatch<>(network, coordinator, place.process());
    SimulatedAgent agent = place.get();
    if (agent == null) {
      throw new AgentException(Kind.UNREACHABLE, "nobody listens");
    }
    try {
      watch.open(observer -> call.call(agent.service(), observer));
      watch.hear(updates);
    } catch (InterruptedException e) {
      watch.cancel();
      Thread.currentThread().interrupt();
      throw failure(Status.CANCELLED.withDescription("interrupted").asRuntimeException());
    } catch (StatusRuntimeException e) {
      throw failure(e);
    }
  }

  @Override
  public SaveVmResult saveVm(String address, SaveVmRequest request, Consumer<SavedStateProgress> progress)
      throws AgentException {
    List<SaveVmUpdate> heard = new ArrayList<>();
    Consumer<SaveVmUpdate> listens = heard::add;
    watch(address, (agent, observer) -> agent.saveVm(request, observer), listens);
    return heard.getLast().getResult();
  }

  @Override
  public RestoreVmUpdate restoreVm(String address, RestoreVmRequest request, Consumer<SavedStateProgress> progress)
      throws AgentException {
    List<RestoreVmUpdate> heard = new ArrayList<>();
    Consumer<RestoreVmUpdate> listens = heard::add;
    watch(address, (agent, observer) -> agent.restoreVm(request, observer), listens);
    return heard.getLast();
  }

  @Override
  public void discardSavedStates(String address, String vmId, String file) throws AgentException {
    ask(address, "discardSavedStates", HostAgentService::discardSavedStates,
        DiscardSavedStatesRequest.newBuilder().setVmId(vmId).setFile(file).build(), SOON);
  }

  @Override
  public VmStatus createVm(String address, CreateVmRequest request) throws AgentException {
    // Takes as long as it takes; keep-alives tell whether the agent still lives.
    List<VmStatus> heard = new ArrayList<>();
    Consumer<VmStatus> listens = heard::add;
    watch(address, (agent, observer) -> agent.createVm(request, observer), listens);
    return heard(address, heard.getLast());
  }

  @Override
  public VmStatus getVm(String address, String vmId) throws AgentException {
    return heard(address, ask(address, "getVm", HostAgentService::getVm, GetVmRequest.newBuilder().setId(vmId).build(),
        SOON));
  }

  @Override
  public VmStatus pauseVm(String address, String vmId) throws AgentException {
    return heard(address, ask(address, "pauseVm", HostAgentService::pauseVm,
        PauseVmRequest.newBuilder().setId(vmId).build(), SOON));
  }

  @Override
  public VmStatus resumeVm(String address, String vmId) throws AgentException {
    return heard(address, ask(address, "resumeVm", HostAgentService::resumeVm,
        ResumeVmRequest.newBuilder().setId(vmId).build(), SOON));
  }

  private VmStatus heard(String address, VmStatus status) {
    listener.accept(address, status);
    return status;
  }

  private static UnsupportedOperationException notSimulated() {
    return new UnsupportedOperationException("not simulated");
  }

  @Override
  public ResolveSpecResponse resolveSpec(String address, VmSpec spec) {
    throw notSimulated();
  }

  @Override
  public void checkArrival(String address, VmSpec spec) {
    throw notSimulated();
  }

  @Override
  public VmStatus powerDownVm(String address, String vmId, Duration atMost) {
    throw notSimulated();
  }

  @Override
  public ConsoleOutput useConsole(String address, UseConsoleRequest request) {
    throw notSimulated();
  }

  @Override
  public DigestVmResponse digestVm(String address, String vmId) {
    throw notSimulated();
  }

  @Override
  public void verifyVm(String address, String vmId, Consumer<VerifyVmUpdate> updates) {
    throw notSimulated();
  }

  @Override
  public Disk createDisk(String address, CreateDiskRequest request) {
    throw notSimulated();
  }

  @Override
  public List<Disk> listDisks(String address) {
    throw notSimulated();
  }

  @Override
  public Disk getDisk(String address, String name) {
    throw notSimulated();
  }

  @Override
  public List<DiskLease> listDiskLeases(String address) {
    throw notSimulated();
  }

  @Override
  public void deleteDisk(String address, String name) {
    throw notSimulated();
  }

  @Override
  public void close() {
    // Nothing is open between questions.
  }
}
