package dev.pageferry.coordinator.ownership;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import java.util.Optional;

/**
 * Who may run one VM: the states of its row, each with only its own data. {@link Transitions#apply} says how one follows
 * from another.
 */
sealed interface VmOwnership {
  /** Of every VM that was not deleted: its owner, or its last one. */
  Tenure tenure();

  /** Something that moves the VM, and that the row decides. */
  sealed interface Pending extends VmOwnership {
    MigrationId operation();

    /** The state that an abort goes back to. */
    VmOwnership before();
  }

  /** Being built by its owner, which asks before it lets the VM do its first step. */
  record Creating(Tenure tenure) implements VmOwnership {
  }

  /** Its owner lets it run. */
  record Active(Tenure tenure) implements VmOwnership {
  }

  /**
   * Its owner runs it, and another host is to have it.
   *
   * @param storageAfter that its disks are on once this is committed; empty: as before
   * @param noted the file that holds its state, whole: from then on an abort while the owner is lost leaves it saved
   */
  record Moving(Tenure tenure, MigrationId operation, HostId destination, Incarnation destinationIncarnation,
      String storageAfter, Optional<String> noted) implements Pending {
    @Override
    public VmOwnership before() {
      return new Active(tenure);
    }
  }

  /**
   * Its owner writes its state to a file.
   *
   * @param storageAfter that its state is on once this is committed; empty: as before
   */
  record Saving(Tenure tenure, MigrationId operation, String storageAfter, String file) implements Pending {
    @Override
    public VmOwnership before() {
      return new Active(tenure);
    }
  }

  /**
   * Its state is in a file, and it is on no host.
   *
   * @param steps that it had done, 0 if not known
   */
  record Saved(Tenure tenure, String file, long steps) implements VmOwnership {
  }

  /** Saved, and a host reads it back. */
  record Restoring(Saved saved, MigrationId operation, HostId destination, Incarnation destinationIncarnation)
      implements
        Pending {
    @Override
    public Tenure tenure() {
      return saved.tenure();
    }

    @Override
    public VmOwnership before() {
      return saved;
    }
  }

  /** On no host. */
  record Stopped(Tenure tenure) implements VmOwnership {
  }

  /** For good: its id is never used again. */
  record Deleted(Tenure tenure) implements VmOwnership {
  }
}
