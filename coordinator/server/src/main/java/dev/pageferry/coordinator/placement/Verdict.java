package dev.pageferry.coordinator.placement;

import dev.pageferry.common.units.ByteSize;
import java.util.Optional;

/**
 * Whether a host can take a VM.
 *
 * @param obstacle the first that was found; empty: it can
 * @param freeBytes what VMs that were placed before left of its memory
 */
public record Verdict(String host, Optional<Obstacle> obstacle, long freeBytes) {
  public boolean isEligible() {
    return obstacle.isEmpty();
  }

  /** Why not, or what the host has. */
  public String reason() {
    return obstacle.map(Obstacle::text).orElseGet(() -> ByteSize.format(freeBytes) + " free");
  }
}
