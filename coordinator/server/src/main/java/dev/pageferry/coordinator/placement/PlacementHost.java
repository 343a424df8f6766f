package dev.pageferry.coordinator.placement;

import java.util.Map;

/**
 * A host as far as placing VMs goes.
 *
 * @param trouble why it can take nothing at all; empty: it is up
 * @param storage the id of the shared storage that it reaches; empty: none
 * @param memoryFreeBytes free for guests, without what is promised to VMs that are on their way to it; negative: more is promised
 * @param refusals what the host itself said against VMs, by their names; none where it was not asked, or said yes
 */
public record PlacementHost(String name, String trouble, String storage, long memoryFreeBytes,
    Map<String, String> refusals) {
  public PlacementHost {
    refusals = Map.copyOf(refusals);
  }

  PlacementHost with(long moreBytes) {
    return new PlacementHost(name, trouble, storage, Math.addExact(memoryFreeBytes, moreBytes), refusals);
  }

  PlacementHost inTrouble(String reason) {
    return new PlacementHost(name, reason, storage, memoryFreeBytes, refusals);
  }
}
