package dev.pageferry.coordinator.repair;

import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.ownership.OwnershipEvent;
import dev.pageferry.coordinator.repair.Surveyed.Copy;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/**
 * What is to be done so that rows agree with what hosts report. Pure. The copy with the latest epoch is the VM: epochs only
 * grow, so that it is the newest word of the records that were lost.
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

    /** Nobody has the VM. */
    record Nowhere(VmId vm, VmRecord before, long epoch) implements Step {
      OwnershipEvent event() {
        return new OwnershipEvent.FoundNowhere(new OwnershipEpoch(epoch));
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
    all.addAll(world.copies().keySet());
    List<Step> steps = new ArrayList<>();
    for (VmId vm : all) {
      step(world, vm).ifPresent(steps::add);
    }
    return steps;
  }

  private static Optional<Step> step(Surveyed world, VmId vm) {
    List<Copy> copies = world.copiesOf(vm);
    Optional<VmRecord> row = world.row(vm);
    if (copies.isEmpty()) {
      return row.flatMap(there -> withoutCopies(world, vm, there));
    }
    if (row.isEmpty() && world.deleted().contains(vm)) {
      // A copy of a VM that was deleted before these records were made: it is destroyed as ever.
      return Optional.empty();
    }
    long latest = copies.stream().mapToLong(Copy::epoch).max().orElseThrow();
    List<Copy> newest = copies.stream().filter(each -> each.epoch() == latest).toList();
    if (row.isPresent() && latest < row.get().getEpoch()) {
      return Optional.empty();
    }
    if (row.isPresent() && newest.stream().anyMatch(it -> it.isOfRow(row.get()))) {
      return world.latestLease(vm) > latest
          ? Optional.of(openedLater(world, vm, newest.getFirst()))
          : unread(world, vm, newest.getFirst().name());
    }
    if (newest.size() > 1) {
      return Optional.of(new Step.Refused(vm, newest.getFirst().name(), row,
          "hosts %s all have it under epoch %d; say whose it is: 'ferry vm claim %s --host HOST'".formatted(
              newest.stream().map(each -> each.host().value()).sorted().toList(), latest, newest.getFirst().name())));
    }
    return Optional.of(claim(world, vm, newest.getFirst()));
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
      return openedLater(world, vm, copy);
    }
    Optional<Step> unread = unread(world, vm, copy.name());
    if (unread.isPresent()) {
      return unread.get();
    }
    VmId named = world.names().get(copy.name());
    if (row.isEmpty() && named != null && !named.equals(vm)) {
      return new Step.Refused(vm, copy.name(), row,
          "another VM of the records has the name %s; delete that one first".formatted(copy.name()));
    }
    return new Step.Claim(vm, copy, row);
  }

  private static Step openedLater(Surveyed world, VmId vm, Copy copy) {
    return new Step.Refused(vm, copy.name(), world.row(vm),
        "its disks were opened under epoch %d, later than the %d of host %s: that copy is not the newest; find the host that has it"
            .formatted(world.latestLease(vm), copy.epoch(), copy.host()));
  }

  /** Unknown is not nothing: a lease that cannot be read may be the newest. */
  private static Optional<Step> unread(Surveyed world, VmId vm, String name) {
    return world.unreadStorage(vm).map(storage -> new Step.Refused(vm, name, world.row(vm),
        "the leases of disks on storage %s cannot be read now: see that a host reaches it, then repeat this"
            .formatted(storage)));
  }

  /** No host that is up has it. A host that is silent may: rows change again only once it was heard, or confirmed dead. */
  private static Optional<Step> withoutCopies(Surveyed world, VmId vm, VmRecord row) {
    Optional<Step> unread = unread(world, vm, row.getSpec().getName());
    if (unread.isPresent()) {
      return unread;
    }
    boolean restsAsItIs = row.getPhase() == VmRecord.Phase.STOPPED || row.getPhase() == VmRecord.Phase.SAVED;
    long latest = Math.max(row.getEpoch(), world.latestLease(vm));
    return restsAsItIs && latest == row.getEpoch() && !row.hasPending()
        ? Optional.empty()
        : Optional.of(new Step.Nowhere(vm, row, latest));
  }
}
