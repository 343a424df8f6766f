package dev.pageferry.coordinator.machines;

import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedChange;
import dev.pageferry.proto.cluster.v1.Codec;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.DeleteVmRequest;
import dev.pageferry.proto.cluster.v1.RestoreVmRequest;
import dev.pageferry.proto.cluster.v1.RestoreVmUpdate;
import dev.pageferry.proto.cluster.v1.SaveVmUpdate;
import dev.pageferry.proto.cluster.v1.SetVmRequest;
import dev.pageferry.proto.cluster.v1.StartVmRequest;
import dev.pageferry.proto.cluster.v1.StopVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.Optional;

/**
 * Changes of VMs as requests, which may be repeated: what one was begun before that nobody knows the end of looks first what
 * became of it. It never touches another VM that has taken the name meanwhile.
 */
public final class VmChanges {
  private final OwnershipLedger ledger;
  private final Machines machines;

  public VmChanges(OwnershipLedger ledger, Machines machines) {
    this.ledger = ledger;
    this.machines = machines;
  }

  public Vm create(CreateVmRequest request, RequestedChange change) throws RequestException {
    VmId id = new VmId(change.operationId());
    if (!change.isRepeated()) {
      return machines.create(request, id);
    }
    Optional<Row> row = ledger.find(id);
    if (row.isEmpty() && ledger.wasDeleted(id)) {
      throw new RequestException(Kind.REFUSED,
          "VM %s was made by this request before the coordinator restarted, and is not there any more; create it with a new request id",
          request.getName());
    }
    if (row.isEmpty()) {
      return machines.create(request, id);
    }
    return switch (row.get().record().getPhase()) {
      // The coordinator ended while its host was at it, or had just done it: nobody was told that it runs.
      case CREATING -> machines.finishCreation(request.getName(), request.getPaused());
      case STOPPED -> throw new RequestException(Kind.FAILED,
          "VM %s was made by this request before the coordinator restarted, and is STOPPED; start it by 'ferry vm start %s'",
          request.getName(), request.getName());
      case PHASE_UNSPECIFIED, ACTIVE, SAVED, UNRECOGNIZED -> machines.show(request.getName());
    };
  }

  public Vm start(StartVmRequest request, RequestedChange change) throws RequestException {
    requireSameVm(request.getName(), change);
    if (change.isRepeated() && machines.show(request.getName()).getState() == Vm.State.RUNNING) {
      return machines.show(request.getName());
    }
    return machines.start(request.getName(), request.getHost(), request.getForceDisks());
  }

  public RestoreVmUpdate restore(RestoreVmRequest request, RequestedChange change, SavedMachines.Progress progress)
      throws RequestException {
    requireSameVm(request.getName(), change);
    if (change.isRepeated() && phase(request.getName()) == VmRecord.Phase.ACTIVE) {
      return RestoreVmUpdate.newBuilder().setVm(machines.show(request.getName())).build();
    }
    return machines.restore(request.getName(), request.getHost(), progress);
  }

  public SaveVmUpdate save(String name, Codec.Name codec, RequestedChange change, SavedMachines.Progress progress)
      throws RequestException {
    requireSameVm(name, change);
    if (change.isRepeated() && phase(name) == VmRecord.Phase.SAVED) {
      return SaveVmUpdate.newBuilder().setVm(machines.show(name)).build();
    }
    return machines.save(name, codec, progress);
  }

  public Vm pause(String name, RequestedChange change) throws RequestException {
    requireSameRun(name, change);
    return machines.pause(name);
  }

  public Vm resume(String name, RequestedChange change) throws RequestException {
    requireSameRun(name, change);
    return machines.resume(name);
  }

  /** Carried out again where nobody knows whether it was: the VM itself is not touched. */
  public Vm set(SetVmRequest request, RequestedChange change) throws RequestException {
    requireSameVm(request.getName(), change);
    return machines.set(request);
  }

  public Vm stop(StopVmRequest request, RequestedChange change) throws RequestException {
    requireSameRun(request.getName(), change);
    return machines.stop(request.getName(), request.getDiscardState(), request.getForce());
  }

  public void delete(DeleteVmRequest request, RequestedChange change) throws RequestException {
    boolean isDone = change.isRepeated() && !change.vmId().isEmpty() && ledger.wasDeleted(new VmId(change.vmId()));
    if (!isDone) {
      requireSameRun(request.getName(), change);
      machines.delete(request.getName(), request.getForce());
    }
  }

  private void requireSameVm(String name, RequestedChange change) throws RequestException {
    Optional<Row> row = ledger.findByName(name);
    if (change.isRepeated() && row.isPresent() && !row.get().id().value().equals(change.vmId())) {
      throw new RequestException(Kind.REFUSED,
          "the VM that this request was about is gone, and %s is the name of another one now; nothing was done", name);
    }
  }

  /** What was to end, or to stand still, may have done so: what somebody has started since is not what was meant. */
  private void requireSameRun(String name, RequestedChange change) throws RequestException {
    requireSameVm(name, change);
    long now = ledger.findByName(name).map(row -> row.record().getEpoch()).orElse(0L);
    if (change.isRepeated() && change.vmEpoch() != 0 && now > change.vmEpoch()) {
      throw new RequestException(Kind.REFUSED,
          "VM %s was started or moved since this request was begun (epoch %d, now %d); nothing was done; look, and ask again under a new request id",
          name, change.vmEpoch(), now);
    }
  }

  private VmRecord.Phase phase(String name) {
    return ledger.findByName(name).map(row -> row.record().getPhase()).orElse(VmRecord.Phase.PHASE_UNSPECIFIED);
  }
}
