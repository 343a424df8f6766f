package dev.pageferry.coordinator.fakes;

import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.agents.AgentException.Kind;
import dev.pageferry.proto.agent.v1.ConsoleOutput;
import dev.pageferry.proto.agent.v1.CreateDiskRequest;
import dev.pageferry.proto.agent.v1.CreateVmRequest;
import dev.pageferry.proto.agent.v1.DigestVmResponse;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.agent.v1.DiskLease;
import dev.pageferry.proto.agent.v1.GetIncomingResponse;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.agent.v1.PrepareIncomingRequest;
import dev.pageferry.proto.agent.v1.ResolveSpecResponse;
import dev.pageferry.proto.agent.v1.RestoreVmRequest;
import dev.pageferry.proto.agent.v1.RestoreVmUpdate;
import dev.pageferry.proto.agent.v1.SaveVmRequest;
import dev.pageferry.proto.agent.v1.SaveVmResult;
import dev.pageferry.proto.agent.v1.SavedStateProgress;
import dev.pageferry.proto.agent.v1.StartOutgoingRequest;
import dev.pageferry.proto.agent.v1.UseConsoleRequest;
import dev.pageferry.proto.agent.v1.VerifyVmResult;
import dev.pageferry.proto.agent.v1.VerifyVmUpdate;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.agent.v1.VmStatus;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/** Agents that a test plays, by address. */
public final class FakeAgents implements AgentClient {
  /** What a destroy asks. */
  public record Destroy(String vmId, long epoch) {
  }

  /** On the storage that all fake hosts share. */
  private final ConcurrentMap<String, Disk> disks = new ConcurrentHashMap<>();
  private final List<DiskLease> leases = new CopyOnWriteArrayList<>();
  private final ConcurrentMap<String, FakeAgent> agents = new ConcurrentHashMap<>();

  public FakeAgent at(String address) {
    return agents.computeIfAbsent(address, key -> new FakeAgent());
  }

  /** Chooses as a host that has no KVM. */
  @Override
  public ResolveSpecResponse resolveSpec(String address, VmSpec spec) throws AgentException {
    at(address).called("resolveSpec", spec);
    VmSpec.Builder resolved = spec.toBuilder();
    resolved.getDisksBuilderList().forEach(Disk.Builder::clearDevice);
    if (spec.getQemu().getMachine().equals("pc")) {
      resolved.getQemuBuilder().setMachine("pc-i440fx-10.0");
    }
    boolean isAuto = spec.getQemu().getAccel().equals("auto");
    resolved.getQemuBuilder().setAccel(isAuto ? "" : spec.getQemu().getAccel());
    return ResolveSpecResponse.newBuilder().setSpec(resolved).setAccelReason(isAuto ? "there is no /dev/kvm" : "")
        .build();
  }

  @Override
  public void checkArrival(String address, VmSpec spec) throws AgentException {
    at(address).called("checkArrival", spec);
  }

  @Override
  public VmStatus createVm(String address, CreateVmRequest request) throws AgentException {
    FakeAgent agent = at(address);
    agent.called("createVm", request);
    VmSpec.Builder spec = request.getSpec().toBuilder();
    // Hosts do not repeat it.
    spec.getDisksBuilderList().forEach(Disk.Builder::clearDevice);
    VmStatus status = VmStatus.newBuilder().setId(request.getSpec().getId()).setEpoch(request.getEpoch())
        .setState(request.getPaused() ? VmStatus.State.PAUSED : VmStatus.State.RUNNING).setSpec(spec).build();
    agent.host(status);
    return status;
  }

  @Override
  public void destroyVm(String address, String vmId, long epoch) throws AgentException {
    FakeAgent agent = at(address);
    agent.called("destroyVm", new Destroy(vmId, epoch));
    if (vm(agent, vmId).getEpoch() <= epoch) {
      agent.running().remove(vmId);
    }
  }

  @Override
  public VmStatus pauseVm(String address, String vmId) throws AgentException {
    return change(address, "pauseVm", vmId, VmStatus.State.PAUSED);
  }

  @Override
  public VmStatus powerDownVm(String address, String vmId, Duration atMost) throws AgentException {
    return change(address, "powerDownVm", vmId, VmStatus.State.POWERED_OFF);
  }

  @Override
  public VmStatus resumeVm(String address, String vmId) throws AgentException {
    return change(address, "resumeVm", vmId, VmStatus.State.RUNNING);
  }

  private VmStatus change(String address, String method, String vmId, VmStatus.State state) throws AgentException {
    FakeAgent agent = at(address);
    agent.called(method, vmId);
    VmStatus status = vm(agent, vmId).toBuilder().setState(state).build();
    agent.host(status);
    return status;
  }

  @Override
  public VmStatus getVm(String address, String vmId) throws AgentException {
    FakeAgent agent = at(address);
    agent.called("getVm", vmId);
    return vm(agent, vmId);
  }

  private static VmStatus vm(FakeAgent agent, String vmId) throws AgentException {
    VmStatus status = agent.running().get(vmId);
    if (status == null) {
      throw new AgentException(Kind.NOT_FOUND, "VM is not on this host", new IllegalStateException(vmId));
    }
    return status;
  }

  @Override
  public ConsoleOutput useConsole(String address, UseConsoleRequest request) throws AgentException {
    FakeAgent agent = at(address);
    agent.called("useConsole", request.getId());
    return ConsoleOutput.newBuilder().setOffset(request.getOffset()).setData(request.getTyped()).build();
  }

  @Override
  public DigestVmResponse digestVm(String address, String vmId) throws AgentException {
    FakeAgent agent = at(address);
    agent.called("digestVm", vmId);
    return DigestVmResponse.newBuilder().setSteps(vm(agent, vmId).getSteps()).setMemoryDigest("aa")
        .setRegistersDigest("bb").build();
  }

  @Override
  public void verifyVm(String address, String vmId, Consumer<VerifyVmUpdate> updates) throws AgentException {
    FakeAgent agent = at(address);
    agent.called("verifyVm", vmId);
    long steps = vm(agent, vmId).getSteps();
    updates.accept(VerifyVmUpdate.newBuilder().setTotalSteps(steps).build());
    updates.accept(VerifyVmUpdate.newBuilder().setReplayedSteps(steps).setTotalSteps(steps)
        .setResult(
            VerifyVmResult.newBuilder().setSteps(steps).setIdentical(false).setFirstDifference(agent.firstDifference()))
        .build());
  }

  @Override
  public void prepareIncoming(String address, PrepareIncomingRequest request) throws AgentException {
    at(address).called("prepareIncoming", request);
  }

  @Override
  public void startOutgoing(String address, StartOutgoingRequest request) throws AgentException {
    at(address).called("startOutgoing", request);
    at(address).starts(request.getMigrationId());
  }

  @Override
  public void watchOutgoing(String address, String migrationId, Consumer<OutgoingStatus> updates)
      throws AgentException {
    at(address).called("watchOutgoing", migrationId);
    at(address).watched(migrationId, updates);
  }

  @Override
  public boolean cancelOutgoing(String address, String migrationId) throws AgentException {
    at(address).called("cancelOutgoing", migrationId);
    return at(address).cancels();
  }

  @Override
  public GetIncomingResponse.State incomingState(String address, String migrationId) throws AgentException {
    at(address).called("incomingState", migrationId);
    return at(address).incoming();
  }

  @Override
  public SaveVmResult saveVm(String address, SaveVmRequest request, Consumer<SavedStateProgress> progress)
      throws AgentException {
    FakeAgent agent = at(address);
    agent.called("saveVm", request);
    progress.accept(SavedStateProgress.newBuilder().setDoneBytes(1).setTotalBytes(2).build());
    long steps = vm(agent, request.getVmId()).getSteps();
    agent.running().remove(request.getVmId());
    return SaveVmResult.newBuilder().setFileBytes(99).setSteps(steps).build();
  }

  @Override
  public RestoreVmUpdate restoreVm(String address, RestoreVmRequest request, Consumer<SavedStateProgress> progress)
      throws AgentException {
    FakeAgent agent = at(address);
    agent.called("restoreVm", request);
    VmStatus status = VmStatus.newBuilder().setId(request.getSpec().getId()).setEpoch(request.getEpoch())
        .setState(VmStatus.State.RUNNING).setSpec(request.getSpec()).build();
    agent.host(status);
    return RestoreVmUpdate.newBuilder().setResult(status).setSeconds(0.5).build();
  }

  @Override
  public void discardSavedStates(String address, String vmId, String file) throws AgentException {
    at(address).called("discardSavedStates", vmId);
  }

  @Override
  public Disk createDisk(String address, CreateDiskRequest request) throws AgentException {
    at(address).called("createDisk", request);
    Disk disk = Disk.newBuilder().setName(request.getName()).setFormat(request.getFormat())
        .setSizeBytes(request.getSizeBytes()).setIdentity("id-" + request.getName()).build();
    if (disks.putIfAbsent(request.getName(), disk) != null) {
      throw new AgentException(Kind.EXISTS, "disk exists already", new IllegalStateException(request.getName()));
    }
    return disk;
  }

  /** A device that hosts see under that path. */
  public void attach(Disk device) {
    disks.put(device.getName(), device);
  }

  @Override
  public List<DiskLease> listDiskLeases(String address) throws AgentException {
    at(address).called("listDiskLeases", "");
    return List.copyOf(leases);
  }

  /** A disk's lease says that the VM opened it under this epoch. */
  public void diskWasOpened(String vm, long epoch) {
    leases.add(DiskLease.newBuilder().setVmId(vm).setEpoch(epoch).build());
  }

  @Override
  public List<Disk> listDisks(String address) throws AgentException {
    at(address).called("listDisks", "");
    return List.copyOf(disks.values());
  }

  @Override
  public Disk getDisk(String address, String name) throws AgentException {
    at(address).called("getDisk", name);
    Disk disk = disks.get(name);
    if (disk == null) {
      throw new AgentException(Kind.NOT_FOUND, "disk does not exist", new IllegalStateException(name));
    }
    return disk;
  }

  @Override
  public void deleteDisk(String address, String name) throws AgentException {
    at(address).called("deleteDisk", name);
    disks.remove(name);
  }

  @Override
  public void close() {
  }
}
