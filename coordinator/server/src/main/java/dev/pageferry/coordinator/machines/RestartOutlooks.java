package dev.pageferry.coordinator.machines;

import dev.pageferry.common.identity.VmId;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** What the restarts of VMs wait for whose hosts stopped, as far as is known: for operators' eyes. */
public final class RestartOutlooks {
  private final Map<VmId, String> outlooks = new ConcurrentHashMap<>();

  public Optional<String> of(VmId vm) {
    return Optional.ofNullable(outlooks.get(vm));
  }

  /** Replaces all that were known. */
  public void replaceAll(Map<VmId, String> all) {
    outlooks.putAll(all);
    outlooks.keySet().retainAll(all.keySet());
  }
}
