package dev.pageferry.coordinator.machines;

import com.google.protobuf.Timestamp;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.agent.v1.NetworkCard;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.QemuMachine;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.PendingMigration;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Predicate;

/** The state of a VM from its row and from what its owner reported. */
public final class MachineStates {
  /** What specifications of machines of QEMU leave out. */
  private static final String EMULATION = "tcg";

  private final HostInventory inventory;
  private final Predicate<VmId> moves;
  private final RestartOutlooks outlooks;

  /** A state, and why where it is not what the row is meant to lead to; empty: it needs no reason. */
  private record Judgement(Vm.State state, String reason) {
    static Judgement of(Vm.State state) {
      return new Judgement(state, "");
    }
  }

  /** @param moves whether a migration of the VM is followed, whose destination need not report it if it is of the version before */
  public MachineStates(HostInventory inventory, Predicate<VmId> moves) {
    this(inventory, moves, new RestartOutlooks());
  }

  MachineStates(HostInventory inventory, Predicate<VmId> moves, RestartOutlooks outlooks) {
    this.inventory = inventory;
    this.moves = moves;
    this.outlooks = outlooks;
  }

  /** What the owner's last heartbeat said of the VM under its present epoch. */
  public Optional<VmStatus> lastReported(VmRecord record) {
    return inventory.find(new HostId(record.getOwnerHost()))
        .flatMap(host -> Optional.ofNullable(host.vms().get(new VmId(record.getSpec().getId()))))
        .filter(status -> status.getEpoch() == record.getEpoch());
  }

  /** The same, or what the owner answered since, of which no heartbeat can tell yet. For operators' eyes. */
  Optional<VmStatus> lastTold(VmRecord record) {
    return inventory.lastTold(new HostId(record.getOwnerHost()), new VmId(record.getSpec().getId()))
        .filter(status -> status.getEpoch() == record.getEpoch());
  }

  /** The VM as operators see it. */
  public Vm vm(Row row, Optional<VmStatus> status) {
    VmRecord record = row.record();
    VmSpec spec = record.getSpec();
    Judgement judgement = judge(row, status);
    Wishes wishes = Wishes.of(record);
    Vm.Builder vm = Vm.newBuilder().setName(spec.getName()).setId(spec.getId()).setHost(record.getOwnerHost())
        .setEpoch(record.getEpoch())
        .setState(judgement.state()).setMemoryBytes(spec.getMemoryBytes()).setVcpus(spec.getVcpus())
        .setProgram(spec.getProgram())
        .putAllProgramArgs(spec.getProgramArgsMap())
        .addAllDisks(spec.getDisksList().stream().map(Disk::getName).toList())
        .addAllNics(spec.getNicsList().stream().map(each -> each.getMac() + "@" + each.getVni()).toList())
        .addAllAddresses(spec.getNicsList().stream().map(NetworkCard::getAddress).toList())
        .setHa(wishes.ha()).setPriority(wishes.priority()).addAllPrefer(wishes.prefer())
        .setApartFrom(wishes.apartFrom()).setSteps(steps(record, status));
    if (spec.hasMemoryImage()) {
      vm.setMemoryImage(spec.getMemoryImage());
    }
    if (spec.hasMemoryImageSha256()) {
      vm.setMemoryImageSha256(spec.getMemoryImageSha256());
    }
    if (spec.hasQemu()) {
      vm.setQemu(qemu(spec.getQemu(), record.getAccelReason()));
    }
    boolean isDown = judgement.state() != Vm.State.RUNNING && judgement.state() != Vm.State.PAUSED;
    String reason = outlooks.of(row.id()).filter(_ -> isDown).orElse(judgement.reason());
    if (!reason.isEmpty()) {
      vm.setReason(reason);
    }
    if (record.getCreatedAtMillis() > 0) {
      vm.setCreatedAt(timestamp(record.getCreatedAtMillis()));
    }
    return vm.build();
  }

  private static QemuMachine qemu(dev.pageferry.proto.agent.v1.QemuMachine recorded, String accelReason) {
    QemuMachine.Builder machine = QemuMachine.newBuilder().setMachine(recorded.getMachine()).setCpu(recorded.getCpu())
        .setKernel(recorded.getKernel()).setAppend(recorded.getAppend())
        .setAccel(recorded.getAccel().isEmpty() ? EMULATION : recorded.getAccel())
        .addAllCdroms(recorded.getCdromsList()).addAllArguments(recorded.getArgumentsList());
    machine.setFirmware(recorded.hasUefi() ? "uefi" : "bios");
    if (recorded.hasInitrd()) {
      machine.setInitrd(recorded.getInitrd());
    }
    if (!accelReason.isEmpty()) {
      machine.setAccelReason(accelReason);
    }
    return machine.build();
  }

  private static Timestamp timestamp(long millis) {
    return Timestamp.newBuilder().setSeconds(millis / 1000).setNanos((int) (millis % 1000) * 1_000_000).build();
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

  private Judgement judge(Row row, Optional<VmStatus> status) {
    VmRecord record = row.record();
    if (record.getPhase() == VmRecord.Phase.STOPPED) {
      return Judgement.of(Vm.State.STOPPED);
    }
    if (record.getPhase() == VmRecord.Phase.SAVED) {
      return Judgement.of(Vm.State.SAVED);
    }
    Optional<Host> owner = inventory.find(new HostId(record.getOwnerHost()));
    Optional<Judgement> trouble = hostTrouble(row, owner);
    if (trouble.isPresent()) {
      return trouble.get();
    }
    if (record.hasPending()) {
      // A VM that is being saved stays paused from the first moment on.
      return Judgement.of(record.getPending().getKind() == PendingMigration.Kind.SAVE
          ? Vm.State.PAUSED
          : Vm.State.MIGRATING);
    }
    if (record.getPhase() == VmRecord.Phase.CREATING) {
      return Judgement.of(Vm.State.STOPPED);
    }
    if (status.isEmpty() && owner.isPresent() && isAbsent(row, owner.get())) {
      return new Judgement(Vm.State.FAILED,
          "host %s runs and does not have it: two heartbeats since its row changed last did not name it"
              .formatted(record.getOwnerHost()));
    }
    return status.map(MachineStates::asToldByItsHost).orElse(Judgement.of(Vm.State.RUNNING));
  }

  private static Judgement asToldByItsHost(VmStatus status) {
    return new Judgement(switch (status.getState()) {
      case PAUSED -> Vm.State.PAUSED;
      case POWERED_OFF -> Vm.State.STOPPED;
      case FAILED -> Vm.State.FAILED;
      case RUNNING, STATE_UNSPECIFIED, UNRECOGNIZED -> Vm.State.RUNNING;
    }, status.getReason());
  }

  /** What the host's own state says of whatever it had. */
  private static Optional<Judgement> hostTrouble(Row row, Optional<Host> owner) {
    VmRecord record = row.record();
    String host = record.getOwnerHost();
    if (owner.isEmpty()) {
      return Optional.of(new Judgement(Vm.State.FAILED, "host %s is not known any more".formatted(host)));
    }
    if (!owner.get().incarnation().equals(new Incarnation(record.getOwnerIncarnation()))) {
      if (owner.get().coming().contains(row.id())) {
        return Optional.of(new Judgement(Vm.State.UNKNOWN,
            "the agent of host %s ended, and the one that runs there now is taking the VM over".formatted(host)));
      }
      if (!owner.get().hasReported() && !owner.get().isConfirmedDead()) {
        return Optional.of(new Judgement(Vm.State.UNKNOWN,
            "the agent of host %s ended, and the one that followed it has not said yet what it takes over"
                .formatted(host)));
      }
      return Optional.of(new Judgement(Vm.State.FAILED,
          "the agent of host %s ended, and another one runs there: what it had is down".formatted(host)));
    }
    if (owner.get().isConfirmedDead()) {
      return Optional.of(new Judgement(Vm.State.FAILED, owner.get().deathEvidence()));
    }
    if (!owner.get().isUp()) {
      return Optional.of(new Judgement(Vm.State.UNKNOWN,
          "host %s is not heard: nobody knows whether it runs".formatted(host)));
    }
    return Optional.empty();
  }

  /**
   * Whether its owner would have reported the VM by now. Of two heartbeats after the row's last change the second was made
   * after the first was answered, and so after that change. A copy under another epoch is still something, and so is one that
   * is the owner's already and does not run yet.
   */
  private boolean isAbsent(Row row, Host owner) {
    return !owner.vms().containsKey(row.id()) && !owner.coming().contains(row.id())
        && row.versioned().revision() <= owner.reportedRevision()
        && !moves.test(row.id());
  }
}
