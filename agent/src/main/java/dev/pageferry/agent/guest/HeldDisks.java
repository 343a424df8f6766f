package dev.pageferry.agent.guest;

import dev.pageferry.agent.disk.BlockDevice;
import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.disk.DiskSet;
import dev.pageferry.agent.disk.WriteTracking;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The disks of a VM as far as this host has them open, and whether it may run the VM. */
public final class HeldDisks {
  private final GuestDisks storage;
  private final RunPermit permit;
  /** Open where this host owns the VM and has not handed it over; guarded by this for changes. */
  private volatile @Nullable DiskSet open;
  /** Guarded by this. */
  private boolean gone;

  public HeldDisks(GuestDisks storage, RunPermit permit) {
    this.storage = storage;
    this.permit = permit;
  }

  /** Whether the host may run guests, and no other host is to have this one's disks: that is known before any pause. */
  public boolean isPermitted() {
    DiskSet opened = open;
    return permit.isLive() && (opened == null || !opened.isFenced());
  }

  /** Null where they are not open here. */
  public @Nullable DiskSet disks() {
    return open;
  }

  /** For a program that looks at them before its first step. */
  public List<BlockDevice> devices() {
    DiskSet opened = open;
    return opened == null ? List.of() : opened.devices();
  }

  /**
   * Opens them, all or none, unless they are open.
   *
   * @throws IllegalStateException if the VM is gone from this host
   */
  public void open(GuestSpec spec, DiskClaim claim) throws IOException, InterruptedException {
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

  private synchronized void attach(GuestSpec spec, DiskSet opened) {
    requireHere(spec);
    if (open != null) {
      throw new IllegalStateException("VM %s has its disks open already".formatted(spec.name()));
    }
    open = opened;
  }

  private void requireHere(GuestSpec spec) {
    if (gone) {
      throw new IllegalStateException("VM %s is gone from this host".formatted(spec.name()));
    }
  }

  public void flush() throws IOException {
    DiskSet opened = open;
    if (opened != null) {
      opened.flush();
    }
  }

  /** @throws IOException if they are not open */
  public WriteTracking track() throws IOException {
    DiskSet opened = open;
    if (opened == null) {
      throw new IOException("the VM's disks are not open on this host");
    }
    return opened.trackWrites();
  }

  /** As {@link DiskSet#release}; nothing is done where they are not open. */
  public void release(String migration) throws IOException {
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
  public synchronized void refuseMore() {
    gone = true;
  }
}
