package dev.pageferry.coordinator.repair;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.ownership.OwnershipEvent;
import dev.pageferry.coordinator.repair.Surveyed.Arrival;
import dev.pageferry.coordinator.repair.Surveyed.Copy;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/**
 * What is to be done so that rows agree with what hosts report. Pure. The copy with the latest epoch is the VM: epochs only
 * grow, so that it is the newest word of the records that were lost. A VM that its row calls stopped or saved under that very
 * epoch was stopped or saved after it ran: a copy of it is void, as ever.
 */
final class RepairPlan {
  private RepairPlan() {
  }

  /** What is to become of one row. */
  sealed interface Step {
    VmId vm();

    /** The row is to say that a host's copy is the VM; where there is no row, one is made. */
    record Claim(VmId vm, Copy copy, Optional<VmRecord> before) implements Step {
    }

    /** The row is to say that a copy which a host keeps in doubt is the VM. */
    record ClaimInDoubt(VmId vm, Arrival arrival, VmRecord before) implements Step {
      OwnershipEvent event() {
        return new OwnershipEvent.ClaimInDoubt(arrival.operation(), arrival.host(), arrival.incarnation(),
            before.getSpec().getDisksCount() > 0 ? arrival.storage() : "", new OwnershipEpoch(arrival.epoch()));
      }
    }

    /** The VM was deleted after these records were made: a newer one has its name. */
    record DeletedSince(VmId vm, VmRecord before, HostId byHost) implements Step {
    }

    /** Nobody has the VM. */
    record Nowhere(VmId vm, VmRecord before, long epoch) implements Step {
      OwnershipEvent event() {
        return new OwnershipEvent.FoundNowhere(new OwnershipEpoch(epoch));
      }

      /** Whether its state is in a file, which no disk is newer than. */
      boolean leavesItSaved() {
        return epoch == before.getEpoch()
            && (before.getPhase() == VmRecord.Phase.SAVED || before.getPending().hasSavedState());
      }
    }

    /** An operator must decide. */
    record Refused(VmId vm, String name, Optional<VmRecord> before, String reason) implements Step {
    }
  }

  /** In the order of names, so that what is shown and what is done later come in the same order. */
  static List<Step> of(Surveyed world) {
    TreeSet<VmId> all = new TreeSet<>(Comparator.comparing(VmId::value));
    all.addAll(world.rows().keySet());
    all.addAll(world.hosts().copies().keySet());
    all.addAll(world.hosts().arrivals().keySet());
    List<Step> steps = new ArrayList<>();
    for (VmId vm : all) {
      step(world, vm).ifPresent(steps::add);
    }
    // A name is free once its row is gone.
    steps.sort(Comparator.comparing(each -> !(each instanceof Step.DeletedSince)));
    return steps;
  }

  private static Optional<Step> step(Surveyed world, VmId vm) {
    List<Copy> copies = world.copiesOf(vm);
    Optional<VmRecord> row = world.row(vm);
    if (row.isEmpty() && world.deleted().contains(vm)) {
      // A copy of a VM that was deleted before these records were made: it is destroyed as ever.
      return Optional.empty();
    }
    long latest = copies.stream().mapToLong(Copy::epoch).max().orElse(0);
    List<Arrival> arrivals = world.arrivalsOf(vm).stream().filter(each -> each.epoch() > latest).toList();
    if (!arrivals.isEmpty() && copies.stream().allMatch(Copy::isInDoubt)) {
      return inDoubt(world, vm, arrivals);
    }
    if (copies.isEmpty()) {
      return row.flatMap(there -> withoutCopies(world, vm, there));
    }
    boolean isVoid = row.filter(it -> latest < it.getEpoch() || (latest == it.getEpoch() && rests(it))).isPresent();
    return isVoid
        ? Optional.empty()
        : withCopies(world, vm, copies.stream().filter(it -> it.epoch() == latest).toList());
  }

  /** @param newest copies of one epoch, which is the row's or a later one */
  private static Optional<Step> withCopies(Surveyed world, VmId vm, List<Copy> newest) {
    Optional<VmRecord> row = world.row(vm);
    Copy first = newest.getFirst();
    if (world.latestLease(vm) > first.epoch()) {
      return Optional.of(openedLater(world, vm, newest));
    }
    if (newest.size() > 1) {
      return Optional.of(new Step.Refused(vm, first.name(), row,
          "hosts %s all have it under epoch %d; say whose it is: 'ferry vm claim %s --host HOST'".formatted(
              newest.stream().map(each -> each.host().value()).sorted().toList(), first.epoch(), first.name())));
    }
    return row.filter(first::isOfRow).isPresent()
        ? unread(world, vm, first.name())
        : Optional.of(claim(world, vm, first));
  }

  /** Whoever had the VM before has no copy, or one that waits, too: the one that came is whole. */
  private static Optional<Step> inDoubt(Surveyed world, VmId vm, List<Arrival> arrivals) {
    Arrival first = arrivals.getFirst();
    Optional<VmRecord> row = world.row(vm);
    String name = row.map(it -> it.getSpec().getName()).orElse(vm.value());
    if (row.isEmpty()) {
      return Optional.of(new Step.Refused(vm, name, row,
          "host %s keeps a copy of it in doubt, and no row says what it is; end that host's agent to give the copy up"
              .formatted(first.host())));
    }
    if (arrivals.stream().anyMatch(it -> it.isOfRow(row.get()))) {
      return Optional.empty();
    }
    if (arrivals.size() > 1) {
      return Optional
          .of(new Step.Refused(vm, name, row, "hosts %s keep copies of it in doubt; end the agents of all but one"
              .formatted(arrivals.stream().map(each -> each.host().value()).sorted().toList())));
    }
    if (row.get().getEpoch() > first.epoch() || (row.get().getEpoch() == first.epoch() && rests(row.get()))) {
      return Optional.empty();
    }
    if (world.latestLease(vm) > first.epoch()) {
      return Optional.of(new Step.Refused(vm, name, row,
          "its disks were opened under epoch %d, later than the %d of the copy that host %s keeps in doubt"
              .formatted(world.latestLease(vm), first.epoch(), first.host())));
    }
    // Its row's owner may run it yet, if nothing was committed.
    return world.isWithASilentHost(row.get())
        ? Optional.of(new Step.Refused(vm, name, row,
            "host %s keeps a copy of it in doubt, and host %s, which may run it, is not heard".formatted(first.host(),
                row.get().getOwnerHost())))
        : Optional.of(new Step.ClaimInDoubt(vm, first, row.get()));
  }

  private static boolean rests(VmRecord row) {
    return row.getPhase() == VmRecord.Phase.STOPPED || row.getPhase() == VmRecord.Phase.SAVED;
  }

  /** What claiming a copy takes, or why it cannot be claimed. */
  static Step claim(Surveyed world, VmId vm, Copy copy) {
    Optional<VmRecord> row = world.row(vm);
    Optional<Copy> later = world.copiesOf(vm).stream().filter(each -> each.epoch() > copy.epoch()).findFirst();
    if (later.isPresent()) {
      return new Step.Refused(vm, copy.name(), row, "host %s has it under epoch %d, later than the %d of host %s"
          .formatted(later.get().host(), later.get().epoch(), copy.epoch(), copy.host()));
    }
    if (world.latestLease(vm) > copy.epoch()) {
      return tooOld(world, vm, copy);
    }
    Optional<Step> unread = unread(world, vm, copy.name());
    if (unread.isPresent()) {
      return unread.get();
    }
    Optional<VmId> namesake = Optional.ofNullable(world.names().get(copy.name())).filter(it -> !it.equals(vm));
    boolean isThereToo = namesake.filter(
        it -> !world.copiesOf(it).isEmpty() || !world.arrivalsOf(it).isEmpty()).isPresent();
    if (row.isEmpty() && isThereToo) {
      return new Step.Refused(vm, copy.name(), row,
          "another VM of the records has the name %s, and is on a host too; end the agent of host %s, or that of the other one"
              .formatted(copy.name(), copy.host()));
    }
    return new Step.Claim(vm, copy, row);
  }

  /** Somebody had its disks since. Copies that only wait for a word are void once nobody is left who could turn up with that one. */
  private static Step openedLater(Surveyed world, VmId vm, List<Copy> newest) {
    Optional<VmRecord> row = world.row(vm);
    boolean isGone = world.hosts().silent().isEmpty() && newest.stream().allMatch(Copy::isInDoubt);
    return isGone && row.isPresent()
        ? new Step.Nowhere(vm, row.get(), world.latestLease(vm))
        : tooOld(world, vm, newest.getFirst());
  }

  private static Step tooOld(Surveyed world, VmId vm, Copy copy) {
    return new Step.Refused(vm, copy.name(), world.row(vm),
        "its disks were opened under epoch %d, later than the %d of host %s: that copy is not the newest; find the host that has it, or, if none has it any more, end the agent of host %s"
            .formatted(world.latestLease(vm), copy.epoch(), copy.host(), copy.host()));
  }

  /** Unknown is not nothing: a lease that cannot be read may be the newest. */
  private static Optional<Step> unread(Surveyed world, VmId vm, String name) {
    return world.unreadStorage(vm).map(storage -> new Step.Refused(vm, name, world.row(vm),
        "the leases of disks on storage %s cannot be read now: see that a host reaches it, then repeat this"
            .formatted(storage)));
  }

  /** No host that is up has it. One that is silent may: nothing is done to what may be its own before it is heard, or confirmed dead. */
  private static Optional<Step> withoutCopies(Surveyed world, VmId vm, VmRecord row) {
    Optional<Copy> namesake = world.namesake(vm, row.getSpec().getName());
    if (namesake.isPresent()) {
      // A name is taken only once it is free: whatever a silent host has of this VM is void.
      return Optional.of(new Step.DeletedSince(vm, row, namesake.get().host()));
    }
    if (!rests(row) && world.isWithASilentHost(row)) {
      return Optional.empty();
    }
    Optional<Step> unread = unread(world, vm, row.getSpec().getName());
    if (unread.isPresent()) {
      return unread;
    }
    long latest = Math.max(row.getEpoch(), world.latestLease(vm));
    return rests(row) && latest == row.getEpoch() && !row.hasPending()
        ? Optional.empty()
        : Optional.of(new Step.Nowhere(vm, row, latest));
  }
}
