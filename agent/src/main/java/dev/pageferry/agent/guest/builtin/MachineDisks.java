package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.BlockDevice;
import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.disk.DiskSet;
import dev.pageferry.agent.disk.WriteTracking;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.RunPermit;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The disks of a VM, and whether its host may run it. */
final class MachineDisks implements Vcpu.Outside {
  private final GuestDisks storage;
  private final RunPermit permit;
  /** Open where this host owns the VM and has not handed it over; guarded by this for changes. */
  private volatile @Nullable DiskSet open;
  /** Guarded by this. */
  private boolean gone;

  MachineDisks(GuestDisks storage, RunPermit permit) {
    this.storage = storage;
    this.permit = permit;
  }

  /** Whether the host may run guests, and no other host is to have this one's disks: that is known before any pause. */
  @Override
  public boolean isPermitted() {
    DiskSet opened = open;
    return permit.isLive() && (opened == null || !opened.isFenced());
  }

  @Override
  public @Nullable DiskSet disks() {
    return open;
  }

  /** For a program that looks at them before its first step. */
  List<BlockDevice> devices() {
    DiskSet opened = open;
    return opened == null ? List.of() : opened.devices();
  }

  void open(VmSpec spec, DiskClaim claim) throws IOException, InterruptedException {
    if (spec.disks().isEmpty()) {
      return;
    }
    synchronized (this) {
      requireHere(spec);
      if (open != null) {
        return;
      }
    }
    // Outside the monitor: a disk may take its time.
    DiskSet opened = storage.storageFor(spec).open(spec.disks(), claim);
    try {
      attach(spec, opened);
    } catch (IllegalStateException e) {
      opened.release("");
      throw e;
    }
  }

  private synchronized void attach(VmSpec spec, DiskSet opened) {
    requireHere(spec);
    if (open != null) {
      throw new IllegalStateException("VM %s has its disks open already".formatted(spec.name()));
    }
    open = opened;
  }

  private void requireHere(VmSpec spec) {
    if (gone) {
      throw new IllegalStateException("VM %s is gone from this host".formatted(spec.name()));
    }
  }

  void flush() throws IOException {
    DiskSet opened = open;
    if (opened != null) {
      opened.flush();
    }
  }

  WriteTracking track() throws IOException {
    DiskSet opened = open;
    if (opened == null) {
      throw new IOException("the VM's disks are not open on this host");
    }
    return opened.trackWrites();
  }

  void release(String migration) throws IOException {
    DiskSet released;
    synchronized (this) {
      released = open;
      open = null;
    }
    // Outside the monitor, again.
    if (released != null) {
      released.release(migration);
    }
  }

  /** No disk is opened any more. */
  synchronized void refuseMore() {
    gone = true;
  }
}
