package dev.pageferry.coordinator.inventory;

import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;

/**
 * A copy of a VM that a host keeps paused because it does not know whose it is.
 *
 * @param operation that it asks about
 * @param epoch under which the host has the VM, or would have it
 * @param reason for people
 */
public record InDoubt(VmId vm, MigrationId operation, OwnershipEpoch epoch, String reason) {
  @Override
  public String toString() {
    return "VM %s of migration %s, epoch %s: %s".formatted(vm, operation, epoch, reason);
  }
}
