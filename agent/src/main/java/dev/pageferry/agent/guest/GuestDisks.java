package dev.pageferry.agent.guest;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.disk.DiskSet;
import dev.pageferry.agent.disk.SharedStorage;
import java.io.IOException;
import java.util.Optional;

/** Where guests of this host find their disks. */
public final class GuestDisks {
  /** For guests without disks. */
  public static final GuestDisks NONE = new GuestDisks(Optional.empty());

  private final Optional<SharedStorage> storage;

  /** @param storage none where guests of this host have no disks */
  public GuestDisks(Optional<SharedStorage> storage) {
    this.storage = storage;
  }

  /** What lets guests run: the host's lease on the storage, where there is one. */
  RunPermit permit() {
    return storage.<RunPermit>map(shared -> shared.lease()::isLive).orElse(RunPermit.ALWAYS);
  }

  /**
   * Whether the VM's disks are here as they should be, and can be written.
   *
   * @throws IOException naming what is wrong
   */
  public void check(VmSpec spec) throws IOException {
    if (!spec.disks().isEmpty()) {
      storageFor(spec).check(spec.disks());
    }
  }

  /**
   * Refuses disks that were opened since a state was saved: it would be restored over newer disks.
   *
   * @param epoch under which the VM ran when it was saved
   */
  public void checkNotOpenedAfter(VmSpec spec, long epoch) throws IOException {
    if (!spec.disks().isEmpty()) {
      storageFor(spec).checkNotOpenedAfter(spec.disks(), spec.id().value(), epoch);
    }
  }

  /**
   * Opens the VM's disks, all or none, and gives them to the guest.
   *
   * @throws IllegalStateException if the guest is gone from this host meanwhile
   */
  public void open(Guest guest, DiskClaim claim) throws IOException, InterruptedException {
    if (guest.spec().disks().isEmpty()) {
      return;
    }
    DiskSet opened = storageFor(guest.spec()).open(guest.spec().disks(), claim);
    try {
      guest.attach(opened);
    } catch (IllegalStateException e) {
      opened.release("");
      throw e;
    }
  }

  private SharedStorage storageFor(VmSpec spec) throws IOException {
    return storage.orElseThrow(() -> new IOException(
        "VM %s has disks, and this host has no shared storage; start its agent with --storage".formatted(
            spec.name())));
  }
}
