package dev.pageferry.coordinator.ownership;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import java.util.Set;

/** What happens to the row of a VM. */
public sealed interface OwnershipEvent {
  /** Concerns one migration, save or restore, whose decision is remembered on its own. */
  sealed interface OfOperation extends OwnershipEvent {
    MigrationId operation();
  }

  /** Begins an operation: makes it the one that is pending of the VM. */
  sealed interface Begin extends OfOperation {
  }

  /** @param storageAfter that the VM's disks are on once this is committed; empty: as before */
  record BeginMove(MigrationId operation, HostId destination, Incarnation destinationIncarnation, String storageAfter)
      implements
        Begin {
  }

  /** @param storageAfter that its state is on once this is committed; empty: as before */
  record BeginSave(MigrationId operation, String storageAfter, String file) implements Begin {
  }

  record BeginRestore(MigrationId operation, HostId destination, Incarnation destinationIncarnation) implements Begin {
  }

  /** Asks for the commit. */
  record Commit(MigrationId operation) implements OfOperation {
  }

  /**
   * Asks for the abort, unless it was committed.
   *
   * @param fromDestination asked by the destination, which is told to wait while the source may still ask for itself
   */
  record Resolve(MigrationId operation, boolean fromDestination) implements OfOperation {
  }

  /** The VM's state is whole in a file. */
  record NoteSaved(MigrationId operation, String file) implements OfOperation {
  }

  /** A destination that has not let the VM run gives it up. Not accepted once it has said {@link Started}. */
  record GiveBack(MigrationId operation) implements OfOperation {
  }

  /**
   * A host is to build the VM and boot it.
   *
   * @param seen the epoch of the row by which it was found that nobody runs the VM: under a later one somebody may
   * @param seenActive whether that row had it that somebody had let it run: if it did not and does now, somebody may
   */
  record Boot(HostId host, Incarnation incarnation, String storage, OwnershipEpoch seen,
      boolean seenActive) implements OwnershipEvent {
  }

  /**
   * As {@link Boot}, because the owner can have no effects any more; refused while that one is heard.
   *
   * @param seen the epoch of the row by which that was found
   * @param seenActive whether that row was active: one that was not and is now was let run meanwhile
   */
  record Restart(HostId host, Incarnation incarnation, String storage, OwnershipEpoch seen,
      boolean seenActive) implements OwnershipEvent {
  }

  /**
   * The owner is about to let the VM do its first step. After a boot, and after a move that it wanted to give back: what it asked for
   * may be acted upon late.
   */
  record Started(HostId host, Incarnation incarnation, OwnershipEpoch epoch) implements OwnershipEvent {
  }

  /**
   * An agent has found the VM running that one before it left there.
   *
   * @param before incarnations of the host that have had this very machine, one after the other
   */
  record TakeOver(HostId host, Incarnation incarnation, Set<Incarnation> before) implements OwnershipEvent {
    public TakeOver {
      before = Set.copyOf(before);
    }
  }

  /** It could not be built under that epoch, and is on no host. */
  record NotBuilt(OwnershipEpoch epoch) implements OwnershipEvent {
  }

  /** An operator switches it off, and throws its saved state away if it has one. */
  record PowerOff() implements OwnershipEvent {
  }

  record Delete() implements OwnershipEvent {
  }

  /** How far a VM had come when it was saved. */
  record CountSteps(String file, long steps) implements OwnershipEvent {
  }

  /**
   * After records went back in time: the copy that a host reports is the VM, whatever the row says.
   *
   * @param epoch under which that host has it; no other copy has a later one
   */
  record Claim(HostId host, Incarnation incarnation, String storage, OwnershipEpoch epoch) implements OwnershipEvent {
  }

  /**
   * After records went back in time: the copy that a host keeps in doubt about an operation is the VM, as if the operation had
   * been committed to it, as it may have been.
   *
   * @param epoch under which that host would have it; no other copy has a later one
   */
  record ClaimInDoubt(MigrationId operation, HostId host, Incarnation incarnation, String storage, OwnershipEpoch epoch)
      implements
        OfOperation {
  }

  /**
   * After records went back in time: no host has the VM.
   *
   * @param epoch the latest that anybody knows of
   */
  record FoundNowhere(OwnershipEpoch epoch) implements OwnershipEvent {
  }
}
