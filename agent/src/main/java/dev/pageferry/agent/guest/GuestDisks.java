package dev.pageferry.agent.guest;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.disk.DiskReader;
import dev.pageferry.agent.disk.IncomingDisks;
import dev.pageferry.agent.disk.SharedStorage;
import dev.pageferry.common.identity.OwnershipEpoch;
import java.io.IOException;
import java.nio.file.Path;
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
  public RunPermit permit() {
    return storage.<RunPermit>map(shared -> shared.lease()::isLive).orElse(RunPermit.ALWAYS);
  }

  /**
   * Whether the VM's disks are here as they should be, and can be written.
   *
   * @throws IOException naming what is wrong
   */
  public void check(GuestSpec spec) throws IOException {
    if (!spec.disks().isEmpty()) {
      storageFor(spec).check(spec.disks());
    }
  }

  /**
   * Refuses disks that were opened since a state was saved: it would be restored over newer disks.
   *
   * @param epoch under which the VM ran when it was saved
   */
  public void checkNotOpenedAfter(GuestSpec spec, long epoch) throws IOException {
    if (!spec.disks().isEmpty()) {
      storageFor(spec).checkNotOpenedAfter(spec.disks(), spec.id().value(), epoch);
    }
  }

  /** Opens one of a VM's disks to be read while the VM writes it. */
  public DiskReader reader(DiskDescription disk) throws IOException {
    return required("disk %s is asked for".formatted(disk.name())).disks().reader(disk.name());
  }

  /**
   * Makes room for a VM's disks that come from other storage.
   *
   * @param dataBytes what they hold
   */
  public IncomingDisks prepare(GuestSpec spec, IncomingDisks.Origin origin, long dataBytes) throws IOException {
    SharedStorage shared = storageFor(spec);
    shared.requireThere();
    return shared.copies().prepare(spec.disks(), origin, dataBytes);
  }

  /** Removes the disks of a VM that has them elsewhere now, as far as they were not opened after an epoch. */
  public void retire(GuestSpec spec, OwnershipEpoch upTo) throws IOException {
    storageFor(spec).copies().retire(spec.disks(), spec.id(), upTo);
  }

  /** Where files of VMs that do not run are, each beginning with the VM's id; empty: this host has no shared storage. */
  public Optional<Path> savedStates() {
    return storage.map(SharedStorage::savedStates);
  }

  /** @throws IOException if this host has no shared storage */
  public SharedStorage storageFor(GuestSpec spec) throws IOException {
    return required("VM %s has disks".formatted(spec.name()));
  }

  private SharedStorage required(String why) throws IOException {
    return storage.orElseThrow(() -> new IOException(
        "%s, and this host has no shared storage; start its agent with --storage".formatted(why)));
  }
}
