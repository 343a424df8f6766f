package dev.pageferry.agent.ownership;

import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import java.time.Duration;
import java.util.List;

/**
 * Asks the coordinator's one row per VM. Commit and resolve are idempotent and their answers final, so that asking again
 * is always right; each call is one bounded attempt. What the answers mean, {@link OwnershipDialogue} says.
 */
public interface OwnershipClient {
  /** What the row says. */
  enum Outcome {
    /** The VM belongs to the migration's destination; after {@link #started}: to whoever asked. */
    COMMITTED,
    /** It does not and never will by this migration. */
    ABORTED,
    /** It was the destination's, which gave it back before it ran: it is the source's under a later epoch. */
    TAKEN_BACK,
    /** Nothing is decided yet; ask again. */
    PENDING,
    /** There was such a VM, and it was deleted. */
    DELETED,
    /** The records know no such VM or no such migration of it: they may be older than the question. */
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
  Decision commit(VmId vm, MigrationId migration) throws NoAnswerException, InterruptedException;

  /** Aborts the migration unless it was committed. */
  Decision resolve(VmId vm, MigrationId migration) throws NoAnswerException, InterruptedException;

  /**
   * The same, asked by the destination: PENDING where the guest's state was noted and its source may yet live, in which case
   * the source will ask for itself.
   */
  default Decision resolveAtDestination(VmId vm, MigrationId migration)
      throws NoAnswerException, InterruptedException {
    return resolve(vm, migration);
  }

  /**
   * From a source that has saved the VM's whole state and released its disks: from now on the VM is not lost with this
   * host, and this host lets it run again only if the row says so.
   *
   * @return PENDING, or what was decided before
   */
  Decision noteSaved(VmId vm, MigrationId migration) throws NoAnswerException, InterruptedException;

  /**
   * From a destination that owns the VM, cannot open its disks and has not let it run: moves it back to the source, if that
   * lives. Only {@link Outcome#TAKEN_BACK} says that it did.
   */
  Decision giveBack(VmId vm, MigrationId migration) throws NoAnswerException, InterruptedException;

  /** From this host, before a VM that was created or started here, or was to be given back, does its first step: nobody gives it back from then on. */
  Decision started(VmId vm, OwnershipEpoch epoch) throws NoAnswerException, InterruptedException;

  /**
   * From an agent that has found a VM running which one before it left on this host.
   *
   * @param before incarnations that have had what was found
   * @return {@link Outcome#COMMITTED} under the epoch that it has from then on, or ABORTED
   */
  default Decision takeOver(VmId vm, List<Incarnation> before) throws NoAnswerException, InterruptedException {
    throw new IllegalStateException("VM %s cannot be taken over from %s: nobody is asked here".formatted(vm, before));
  }

  /** Completes, with the time it took, if the coordinator answers within the given time; fails otherwise. */
  Promise<Duration> probe(Duration atMost);

  /** As {@link #probe}, when {@link #commit} is about to be asked: what can be done ahead of it is done now. */
  default Promise<Duration> prepareCommit(VmId vm, MigrationId migration, Duration atMost) {
    return probe(atMost);
  }

  /** What was {@linkplain #prepareCommit prepared} is not asked any more. Without effect once it was. */
  default void dropCommit(MigrationId migration) {
    // Nothing was done ahead.
  }

  /** The question brought no ruling: the coordinator was unreachable or denied it. */
  abstract sealed class NoAnswerException extends Exception permits UnreachableException, DeniedException {
    private static final long serialVersionUID = 1L;

    NoAnswerException(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /** The coordinator did not answer; whether it acted is not known. */
  final class UnreachableException extends NoAnswerException {
    private static final long serialVersionUID = 1L;

    public UnreachableException(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /** This host may not ask that. */
  final class DeniedException extends NoAnswerException {
    private static final long serialVersionUID = 1L;

    public DeniedException(String message, Throwable cause) {
      super(message, cause);
    }
  }
}
