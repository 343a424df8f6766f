package dev.pageferry.coordinator.ownership;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;

/** Knows which hosts may be given a VM: those that live, in the incarnation that the migration was begun with. */
public interface LiveHosts {
  boolean isAlive(HostId host, Incarnation incarnation);
}
