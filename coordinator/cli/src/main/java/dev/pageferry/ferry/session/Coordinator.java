package dev.pageferry.ferry.session;

import dev.pageferry.common.config.HostPort;
import java.util.Optional;

/**
 * The coordinator that is asked.
 *
 * @param membership as whom, over TLS; empty: in plain, as nobody
 */
public record Coordinator(HostPort address, Optional<Membership> membership) {
  /** Its address, for lines about it. */
  @Override
  public String toString() {
    return address.toString();
  }
}
