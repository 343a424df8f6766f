package dev.pageferry.agent.hosting;

import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.common.identity.VmId;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Supplier;

/**
 * The guests that are on their way to this host, or are built or restored here: each from before the row may give it to this
 * host until it is among the host's guests, without a gap.
 */
public record ComingGuests(GuestClaims claims, IncomingMigrations incoming) implements Supplier<Set<VmId>> {
  @Override
  public Set<VmId> get() {
    Set<VmId> coming = new HashSet<>(claims.building());
    coming.addAll(incoming.arriving());
    return coming;
  }
}
