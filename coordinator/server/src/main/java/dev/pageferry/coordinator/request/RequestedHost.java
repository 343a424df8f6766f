package dev.pageferry.coordinator.request;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.request.RequestException.Kind;

/** The host that a request names. */
public final class RequestedHost {
  private RequestedHost() {
  }

  /** @throws RequestException if there is none of that name */
  public static Host find(HostInventory inventory, String name) throws RequestException {
    try {
      return inventory.find(new HostId(name)).orElseThrow(() -> new RequestException(Kind.NOT_FOUND,
          "host %s is not known; see 'ferry host list'", name));
    } catch (IllegalArgumentException e) {
      throw new RequestException(Kind.INVALID, "%s", String.valueOf(e.getMessage()));
    }
  }
}
