package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.DiskSet;
import dev.pageferry.agent.guest.HeldDisks;
import org.jspecify.annotations.Nullable;

/** What the vCPUs of one machine reach. */
record MachineOutside(HeldDisks held) implements Vcpu.Outside {
  @Override
  public boolean isPermitted() {
    return held.isPermitted();
  }

  @Override
  public @Nullable DiskSet disks() {
    return held.disks();
  }
}
