package dev.pageferry.simulation;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.MigrationRecord.Decision;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToLongFunction;

/**
 * What must hold whatever happens: a VM has effects on one host at most, its epochs never go back, what it was told to be safe is
 * never lost, and what was committed stays so unless it is given back before the first step.
 */
final class ClusterChecks implements SimulatedGuest.Effects {
  private static final long BREAK_NANOS = 4_000_000_000L;
  private static final long BUSY_NANOS = 10_000_000_000L;

  private final Baton baton;
  private final ToLongFunction<SimulatedGuest> epochs;
  private final Map<VmId, Known> vms = new TreeMap<>((a, b) -> a.value().compareTo(b.value()));
  private final Map<String, MigrationRecord> operations = new TreeMap<>();
  private final Map<String, Runnable> onceOwned = new HashMap<>();
  private final List<SimulatedGuest> all = new ArrayList<>();
  private final Map<String, Integer> counts = new TreeMap<>();

  /** What is known of one VM. */
  private static final class Known {
    private final List<SimulatedGuest> guests = new ArrayList<>();
    private VmRecord row = VmRecord.getDefaultInstance();
    private long boots;
    /** Of the boot that did the last step. */
    private long boot;
    private long steps;
    private long epoch;
    private long safe;
    private long steppedNanos;
    /** Since when it has done steps without a longer break. */
    private long busySinceNanos;
  }

  /** @param epochs under which a guest is its host's; -1: it is not */
  ClusterChecks(Baton baton, ToLongFunction<SimulatedGuest> epochs) {
    this.baton = baton;
    this.epochs = epochs;
  }

  private Known known(SimulatedGuest guest) {
    return known(guest.spec().id());
  }

  private Known known(VmId vm) {
    return vms.computeIfAbsent(vm, unused -> new Known());
  }

  /** Also where an exception would be taken for a failure of the product's. */
  void violated(String what) {
    baton.fail(new AssertionError(what));
  }

  /** Copies of the VM that there are, on hosts that live. */
  List<SimulatedGuest> copies(VmId vm) {
    List<SimulatedGuest> guests = known(vm).guests;
    guests.removeIf(each -> each.isClosed() || each.host().isSealed());
    return guests;
  }

  /** How many steps of the VM's present boot have been done. */
  long steps(VmId vm) {
    return known(vm).steps;
  }

  long boots(VmId vm) {
    return known(vm).boots;
  }

  VmRecord row(VmId vm) {
    return known(vm).row;
  }

  /** How often what happened. */
  Map<String, Integer> counts() {
    return counts;
  }

  void free() {
    all.forEach(SimulatedGuest::free);
  }

  @Override
  public void built(SimulatedGuest guest) {
    all.add(guest);
    known(guest).guests.add(guest);
  }

  /** After every event. */
  void look() {
    for (Known vm : vms.values()) {
      SimulatedGuest running = null;
      for (SimulatedGuest each : vm.guests) {
        if (each.isAtWork()) {
          if (running != null) {
            throw new AssertionError("VM %s runs on %s and %s at once".formatted(each.spec().name(),
                running.host().name(), each.host().name()));
          }
          running = each;
        }
      }
    }
  }

  @Override
  public long boots(SimulatedGuest guest, long epoch, long journalled) {
    Known vm = known(guest);
    if (journalled < vm.safe) {
      violated("VM %s boots on %s under epoch %d and finds record %d of its journal, where %d was safe".formatted(
          guest.spec().name(), guest.host().name(), epoch, journalled, vm.safe));
    }
    return ++vm.boots;
  }

  @Override
  public void journalled(SimulatedGuest guest, long record) {
    Known vm = known(guest);
    // A record that was safe and not acknowledged before its host was lost may be found at boot, and skipped.
    if (record <= vm.safe) {
      violated("VM %s is told on %s that record %d is safe, which was so before: %d".formatted(guest.spec().name(),
          guest.host().name(), record, vm.safe));
    }
    vm.safe = record;
  }

  @Override
  public void steps(SimulatedGuest guest, long from, long to) {
    Known vm = known(guest);
    String who = "VM %s on %s".formatted(guest.spec().name(), guest.host().name());
    if (guest.boot() < vm.boot) {
      violated("%s runs at once with another copy: it does a step of boot %d, and boot %d has run since".formatted(who,
          guest.boot(), vm.boot));
    }
    if (guest.boot() > vm.boot) {
      vm.boot = guest.boot();
      vm.steps = 0;
    }
    if (from != vm.steps) {
      violated("%s does step %d, and step %d was done".formatted(who, from, vm.steps - 1));
    }
    vm.steps = to;
    if (baton.nanos() - vm.steppedNanos > BREAK_NANOS) {
      vm.busySinceNanos = baton.nanos();
    }
    vm.steppedNanos = baton.nanos();
    long epoch = epochs.applyAsLong(guest);
    if (epoch < 0) {
      violated("%s runs, and its host does not have it".formatted(who));
    }
    if (epoch < vm.epoch) {
      violated("%s runs under epoch %d, and ran under %d".formatted(who, epoch, vm.epoch));
    }
    vm.epoch = epoch;
  }

  /** A record of the coordinator's is written. */
  void written(String key, byte[] value) {
    try {
      if (key.startsWith("vms/")) {
        row(VmRecord.parseFrom(value));
      } else if (key.startsWith("migrations/") || key.startsWith("decisions/")) {
        operation(key, MigrationRecord.parseFrom(value));
      }
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException(e);
    }
  }

  private void row(VmRecord next) {
    String name = next.getSpec().getName();
    VmId id = new VmId(next.getSpec().getId());
    Known vm = known(id);
    VmRecord before = vm.row;
    if (next.getEpoch() < before.getEpoch()) {
      violated("the row of VM %s goes from epoch %d to %d".formatted(name, before.getEpoch(), next.getEpoch()));
    }
    // A host that comes back between the last look at it and this write is fenced by its disks.
    boolean isBusy = vm.steppedNanos - vm.busySinceNanos > BUSY_NANOS
        && baton.nanos() - vm.steppedNanos < BREAK_NANOS;
    if (isBusy && next.getPhase() == VmRecord.Phase.CREATING && next.getEpoch() > before.getEpoch()) {
      copies(id).stream().filter(SimulatedGuest::isAtWork).findFirst().ifPresent(each -> violated(
          "the row starts VM %s on %s under epoch %d while it runs on %s: %s".formatted(name, next.getOwnerHost(),
              next.getEpoch(), each.host().name(), next.getRestart().getEvidence())));
    }
    if (before.hasRestart() && !next.hasRestart() && next.getPhase() == VmRecord.Phase.ACTIVE) {
      counts.merge("restarted", 1, Integer::sum);
    }
    vm.row = next;
    Runnable awaited = next.getPhase() == VmRecord.Phase.ACTIVE
        ? onceOwned.remove(name + " on " + next.getOwnerHost())
        : null;
    if (awaited != null) {
      awaited.run();
    }
  }

  /** Does something when the row says that the VM is the host's. */
  void onceOwned(String vm, String host, Runnable action) {
    onceOwned.put(vm + " on " + host, action);
  }

  private void operation(String key, MigrationRecord next) {
    MigrationRecord before = operations.put(key, next);
    if (next.getDocument().getFailure().getCode().equals(FailureCode.DATA_CORRUPTED.name())) {
      violated("%s: %s".formatted(key, next.getDocument().getFailure().getMessage()));
    }
    if (before == null || before.getDecision() == next.getDecision()) {
      return;
    }
    counts.merge(next.getDecision().name().toLowerCase(Locale.ROOT), 1, Integer::sum);
    boolean isGivenBack = before.getDecision() == Decision.COMMITTED && next.getDecision() == Decision.TAKEN_BACK;
    if (before.getDecision() != Decision.PENDING && !isGivenBack) {
      violated("%s was %s and is %s".formatted(key, before.getDecision(), next.getDecision()));
    }
    if (isGivenBack && known(new VmId(next.getVmId())).epoch >= before.getDecidedEpoch()) {
      violated("%s is given back, and the VM has run under epoch %d".formatted(key, before.getDecidedEpoch()));
    }
  }
}
