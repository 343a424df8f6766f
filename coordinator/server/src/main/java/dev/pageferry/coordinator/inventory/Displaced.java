package dev.pageferry.coordinator.inventory;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;

/** An incarnation of a host whose place another took while nothing was noted, and that nobody has proven or confirmed dead. */
public record Displaced(HostId host, Incarnation incarnation) {
  @Override
  public String toString() {
    return "%s (incarnation %s)".formatted(host, incarnation);
  }
}
