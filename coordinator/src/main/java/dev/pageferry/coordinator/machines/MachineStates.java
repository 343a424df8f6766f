package dev.pageferry.coordinator.machines;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.agent.v1.NetworkCard;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.PendingMigration;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.Objects;
import java.util.Optional;

/** The state of a VM from its row and from what its owner reported. */
public final class MachineStates {
  private final HostInventory inventory;

  public MachineStates(HostInventory inventory) {
    this.inventory = inventory;
  }

  /** What the owner's last heartbeat said of the VM under its present epoch. */
  public Optional<VmStatus> lastReported(VmRecord record) {
    return inventory.find(new HostId(record.getOwnerHost()))
        .flatMap(host -> Optional.ofNullable(host.vms().get(new VmId(record.getSpec().getId()))))
        .filter(status -> status.getEpoch() == record.getEpoch());
  }

  /** The VM as operators see it. */
  public Vm vm(VmRecord record, Optional<VmStatus> status) {
    VmSpec spec = record.getSpec();
    Vm.Builder vm = Vm.newBuilder().setName(spec.getName()).setId(spec.getId()).setHost(record.getOwnerHost())
        .setEpoch(record.getEpoch())
        .setState(state(record, status)).setMemoryBytes(spec.getMemoryBytes()).setVcpus(spec.getVcpus())
        .setProgram(spec.getProgram())
        .putAllProgramArgs(spec.getProgramArgsMap())
        .addAllDisks(spec.getDisksList().stream().map(Disk::getName).toList())
        .addAllNics(spec.getNicsList().stream().map(each -> each.getMac() + "@" + each.getVni()).toList())
        .addAllAddresses(spec.getNicsList().stream().map(NetworkCard::getAddress).toList())
        .setSteps(steps(record, status));
    if (spec.hasMemoryImage()) {
      vm.setMemoryImage(spec.getMemoryImage());
    }
    if (spec.hasMemoryImageSha256()) {
      vm.setMemoryImageSha256(spec.getMemoryImageSha256());
    }
    return vm.build();
  }

  private long steps(VmRecord record, Optional<VmStatus> status) {
    // What was saved counts, and not the last heartbeat before.
    return record.getPhase() == VmRecord.Phase.SAVED && record.getSavedSteps() > 0
        ? record.getSavedSteps()
        : status.map(VmStatus::getSteps).orElseGet(() -> stepsLastSeen(record));
  }

  /** Between hosts nobody reports under the new epoch yet: steps must not seem to go back meanwhile. */
  private long stepsLastSeen(VmRecord record) {
    VmId id = new VmId(record.getSpec().getId());
    return inventory.list().stream().map(host -> host.vms().get(id)).filter(Objects::nonNull)
        .mapToLong(VmStatus::getSteps)
        .max().orElse(record.getPhase() == VmRecord.Phase.SAVED ? record.getSavedSteps() : 0);
  }

  private Vm.State state(VmRecord record, Optional<VmStatus> status) {
    if (record.getPhase() == VmRecord.Phase.STOPPED) {
      return Vm.State.STOPPED;
    }
    if (record.getPhase() == VmRecord.Phase.SAVED) {
      return Vm.State.SAVED;
    }
    Optional<Host> owner = inventory.find(new HostId(record.getOwnerHost()));
    boolean alive = owner.isPresent() && owner.get().isUp()
        && owner.get().incarnation().equals(new Incarnation(record.getOwnerIncarnation()));
    if (!alive) {
      // The host restarted, or is not heard of: nobody knows that the VM runs.
      return Vm.State.FAILED;
    }
    if (record.hasPending()) {
      // A VM that is being saved stands from the first moment on.
      return record.getPending().getKind() == PendingMigration.Kind.SAVE ? Vm.State.PAUSED : Vm.State.MIGRATING;
    }
    if (record.getPhase() == VmRecord.Phase.CREATING) {
      return Vm.State.STOPPED;
    }
    return status.filter(each -> each.getState() == VmStatus.State.PAUSED).isPresent()
        ? Vm.State.PAUSED
        : Vm.State.RUNNING;
  }
}
