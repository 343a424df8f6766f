package dev.pageferry.coordinator.ownership;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.migration.StateFiles;
import dev.pageferry.coordinator.ownership.OwnershipEvent.Commit;
import dev.pageferry.coordinator.ownership.OwnershipEvent.GiveBack;
import dev.pageferry.coordinator.ownership.OwnershipEvent.NoteSaved;
import dev.pageferry.coordinator.ownership.OwnershipEvent.OfOperation;
import dev.pageferry.coordinator.ownership.OwnershipEvent.Resolve;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Decision;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * What hosts ask of rows. A host that is known by its certificate is answered only where the row concerns it; without
 * certificates everybody is. An operation's hosts never change once it was begun, so they are looked at ahead of the row.
 */
public final class HostQuestions {
  private final OwnershipLedger ledger;
  private final LiveHosts liveHosts;
  private final Predicate<HostId> isAdmitted;

  /** @param isAdmitted whether a host that is known by its certificate still belongs here: a call may be older than the answer */
  public HostQuestions(OwnershipLedger ledger, LiveHosts liveHosts, Predicate<HostId> isAdmitted) {
    this.isAdmitted = isAdmitted;
    this.ledger = ledger;
    this.liveHosts = liveHosts;
  }

  /**
   * As {@link OwnershipLedger#commit}.
   *
   * @param asking empty: nobody is known by a certificate
   * @throws NotConcernedException if it is not that host's to ask
   */
  public Decision commit(Optional<HostId> asking, VmId vm, MigrationId migration) {
    require(asking, vm, new Commit(migration));
    return ledger.commit(vm, migration, liveHosts);
  }

  /** As {@link OwnershipLedger#resolve} and {@link OwnershipLedger#resolveForDestination}. */
  public Decision resolve(Optional<HostId> asking, VmId vm, MigrationId migration, boolean fromDestination) {
    require(asking, vm, new Resolve(migration, fromDestination));
    return fromDestination
        ? ledger.resolveForDestination(vm, migration, liveHosts)
        : ledger.resolve(vm, migration, liveHosts);
  }

  /** As {@link OwnershipLedger#noteSaved}. */
  public Decision noteSaved(Optional<HostId> asking, VmId vm, MigrationId migration) {
    require(asking, vm, new NoteSaved(migration, StateFiles.name(vm, migration)));
    return ledger.noteSaved(vm, migration);
  }

  /** As {@link OwnershipLedger#giveBack}. */
  public Decision giveBack(Optional<HostId> asking, VmId vm, MigrationId migration) {
    require(asking, vm, new GiveBack(migration));
    return ledger.giveBack(vm, migration, liveHosts);
  }

  /** As {@link OwnershipLedger#started}: of an owner in its own name. */
  public Decision started(Optional<HostId> asking, VmId vm, OwnershipEvent.Started event) {
    requireSelf(asking, event.host());
    return ledger.started(vm, event);
  }

  /** As {@link OwnershipLedger#takeOver}: of a host in its own name. */
  public Decision takeOver(Optional<HostId> asking, VmId vm, OwnershipEvent.TakeOver event) {
    requireSelf(asking, event.host());
    return ledger.takeOver(vm, event, liveHosts);
  }

  private void require(Optional<HostId> asking, VmId vm, OfOperation event) {
    if (asking.isEmpty()) {
      return;
    }
    if (!isAdmitted.test(asking.get())) {
      throw new NotConcernedException("host %s is not admitted any more", asking.get());
    }
    // One that is not known is answered as ever: these records may be older than the question.
    ledger.migration(event.operation()).filter(it -> it.getVmId().equals(vm.value())).ifPresent(record -> {
      // What was decided is no secret to keep from a copy that waits for it, and is not changed by the question.
      boolean isDecided = event instanceof Resolve && OperationParties.isDecided(record);
      if (!isDecided && !OperationParties.of(record).permit(asking.get(), event)) {
        throw new NotConcernedException("host %s may not ask that of operation %s of VM %s: it is not its to ask",
            asking.get(), event.operation(), vm);
      }
    });
  }

  /** @throws NotConcernedException if the host that is spoken of is another one */
  public static void requireSelf(Optional<HostId> asking, HostId named) {
    if (asking.isPresent() && !asking.get().equals(named)) {
      throw new NotConcernedException("host %s may not speak for host %s", asking.get(), named);
    }
  }
}
