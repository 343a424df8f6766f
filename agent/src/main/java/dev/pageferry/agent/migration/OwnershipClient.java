package dev.pageferry.agent.migration;

import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/**
 * Asks the coordinator's one row per VM. Commit and resolve are idempotent and their answers final, so that asking again
 * is always right; each call is one bounded attempt.
 */
public interface OwnershipClient {
  /** What the row says of a migration. */
  enum Outcome {
    /** The VM belongs to the migration's destination. */
    COMMITTED,
    /** It does not and never will by this migration. */
    ABORTED,
    /** It was the destination's, which gave it back before it ran: it is the source's under a later epoch. */
    TAKEN_BACK,
    /** Nothing is decided yet; ask again. */
    PENDING,
    /** There is no such VM or no such migration of it: whoever asks owns nothing. */
    UNKNOWN
  }

  /**
   * An answer.
   *
   * @param epoch the VM's epoch as of this answer, 0 where it is unknown
   */
  record Decision(Outcome outcome, String ownerHost, long epoch) {
  }

  /** Moves the VM to the migration's destination, unless the migration was aborted or its destination is gone or silent. */
  Decision commit(VmId vm, MigrationId migration) throws UnreachableException, InterruptedException;

  /** Aborts the migration unless it was committed. */
  Decision resolve(VmId vm, MigrationId migration) throws UnreachableException, InterruptedException;

  /**
   * The same, asked by the destination: PENDING where the guest's state was noted and its source may yet live, in which case
   * the source will ask for itself.
   */
  default Decision resolveAtDestination(VmId vm, MigrationId migration)
      throws UnreachableException, InterruptedException {
    return resolve(vm, migration);
  }

  /**
   * From a source that has saved the VM's whole state and released its disks: from now on the VM is not lost with this
   * host, and this host lets it run again only if the row says so.
   *
   * @return PENDING, or what was decided before
   */
  Decision noteSaved(VmId vm, MigrationId migration) throws UnreachableException, InterruptedException;

  /**
   * From a destination that owns the VM, cannot open its disks and has not let it run: moves it back to the source, if that
   * lives. Only {@link Outcome#TAKEN_BACK} says that it did.
   */
  Decision giveBack(VmId vm, MigrationId migration) throws UnreachableException, InterruptedException;

  /** Completes, with the time it took, if the coordinator answers within the given time; exceptionally otherwise. */
  CompletableFuture<Duration> probe(Duration atMost);

  /** The coordinator did not answer; whether it acted is not known. */
  final class UnreachableException extends Exception {
    private static final long serialVersionUID = 1L;

    public UnreachableException(String message, Throwable cause) {
      super(message, cause);
    }
  }
}
