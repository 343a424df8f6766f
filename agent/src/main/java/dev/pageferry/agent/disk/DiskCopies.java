package dev.pageferry.agent.disk;

import dev.pageferry.agent.disk.DiskDirectory.Place;
import dev.pageferry.agent.disk.IncomingDisks.Origin;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.units.ByteSize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Disks that come to this storage from another one, and those that have gone. Of a disk that moves without shared storage
 * there are two files for a while, on two storages; the VM's row says whose is the disk. Here the one on its way stands in
 * {@code incoming/HOST/VM,EPOCH,MIGRATION/}, which only that host touches, until the row has decided. It takes its name in
 * place of nothing, or of an older copy of the same disk that the same VM left here.
 */
public final class DiskCopies {
  private static final Logger log = LoggerFactory.getLogger(DiskCopies.class);

  private final DiskDirectory disks;
  private final LeaseStore leases;
  private final Path incoming;
  private final StorageLease host;

  /** @param incoming this host's directory of disks on their way; it exists */
  DiskCopies(DiskDirectory disks, LeaseStore leases, Path incoming, StorageLease host) {
    this.disks = disks;
    this.leases = leases;
    this.incoming = incoming;
    this.host = host;
  }

  /**
   * Makes room for disks.
   *
   * @param dataBytes that are going to be written, as far as is known
   * @throws DiskException if they cannot come here, naming why
   */
  public IncomingDisks prepare(List<DiskDescription> described, Origin origin, long dataBytes) throws IOException {
    for (DiskDescription each : described) {
      requireNamed(each);
      // Now rather than behind the commit, when everything has been copied.
      try (LeaseStore.Lock held = lock(each.name())) {
        Place _ = place(each, origin);
      }
    }
    long free = Files.getFileStore(incoming).getUsableSpace();
    if (free < dataBytes) {
      throw new DiskException("its storage has %s free, the VM's disks hold %s".formatted(ByteSize.format(free),
          ByteSize.format(dataBytes)));
    }
    Path directory = Files.createDirectory(directory(origin));
    IncomingDisks made = new IncomingDisks(this, origin, described);
    boolean complete = false;
    try {
      for (DiskDescription each : described) {
        try {
          made.open(disks.makeIncoming(directory, each), each.format());
        } catch (IOException e) {
          throw new DiskException("disk %s of %s cannot be made on its storage: %s".formatted(each.name(),
              ByteSize.format(each.sizeBytes()), StorageFiles.reason(e)), e);
        }
      }
      complete = true;
      return made;
    } finally {
      if (!complete) {
        made.discard();
      }
    }
  }

  /**
   * Refuses disks that have no name of their own on storage.
   *
   * @throws DiskException naming it
   */
  public static void requireNamed(DiskDescription disk) throws DiskException {
    if (DiskDescription.isPath(disk.name())) {
      throw new DiskException("disk %s is passed through by its path, and cannot be copied to another host"
          .formatted(disk.name()));
    }
  }

  /** @throws DiskException if its name is another disk's */
  private Place place(DiskDescription disk, Origin origin) throws IOException {
    if (!disks.exists(disk.name())) {
      return Place.FREE;
    }
    Path directory = directory(origin);
    if (Files.isDirectory(directory) && disks.isItself(directory, disk)) {
      return Place.TAKEN_BY_ITSELF;
    }
    if (isLeftBehind(disk, origin.vm(), origin.epoch())) {
      return Place.REPLACED;
    }
    throw new DiskException("there is another disk %s on its storage".formatted(disk.name()));
  }

  /** Whether the file of that name is this disk, which the VM had open here last, under an epoch that is over. */
  private boolean isLeftBehind(DiskDescription disk, VmId vm, OwnershipEpoch upTo) throws IOException {
    return disks.show(disk.name()).equals(disk) && slot(disk.name()).lease().read()
        .filter(lease -> lease.vm().equals(vm.value()) && lease.epoch() <= upTo.value()).isPresent();
  }

  /** Only disks with a name on storage come and go: they have one slot. */
  private LeaseSlot slot(String disk) {
    return LeaseSlot.ofNamed(leases, disk);
  }

  /** Gives disks that came their names: the VM is this host's. What failed half-way can be tried again. */
  public void promote(Origin origin) throws IOException {
    Path directory = directory(origin);
    if (!Files.isDirectory(directory)) {
      return;
    }
    for (DiskDescription each : DiskDirectory.allIn(directory)) {
      try (LeaseStore.Lock held = lock(each.name())) {
        Place place = place(each, origin);
        // The lease first: a disk that nobody comes to open is known for what it is, too.
        slot(each.name()).lease().write(DiskLease.released(origin, host));
        disks.promote(directory, each, place);
      }
    }
    delete(origin);
  }

  private LeaseStore.Lock lock(String disk) throws IOException {
    return slot(disk).tryLock()
        .orElseThrow(() -> new DiskException("disk %s is open on a host".formatted(disk)));
  }

  void sync(Origin origin) throws IOException {
    StorageFiles.syncDirectory(directory(origin));
    StorageFiles.syncDirectory(incoming);
  }

  /** Removes disks that were on their way. */
  public void delete(Origin origin) throws IOException {
    Path directory = directory(origin);
    if (!Files.isDirectory(directory)) {
      return;
    }
    try (Stream<Path> files = Files.list(directory)) {
      for (Path each : files.toList()) {
        Files.delete(each);
      }
    }
    Files.delete(directory);
    StorageFiles.syncDirectory(incoming);
  }

  /**
   * Removes disks that have gone to other storage with their VM.
   *
   * @param upTo the last epoch under which the VM may have had them open here; one that was opened later stays
   */
  public void retire(List<DiskDescription> described, VmId vm, OwnershipEpoch upTo) throws IOException {
    EachOf.all(described, each -> {
      try (LeaseStore.Lock held = lock(each.name())) {
        if (disks.exists(each.name()) && isLeftBehind(each, vm, upTo)) {
          remove(each);
        }
      }
    });
  }

  private void remove(DiskDescription disk) throws IOException {
    disks.delete(disk.name());
    slot(disk.name()).delete();
  }

  /** What an earlier incarnation of this host left on its way. */
  public List<Origin> left() throws IOException {
    List<Origin> found = new ArrayList<>();
    try (Stream<Path> directories = Files.list(incoming)) {
      for (Path each : directories.toList()) {
        try {
          found.add(Origin.parse(each.getFileName().toString()));
        } catch (IllegalArgumentException e) {
          log.warn("{} is none of ours: {}", each, e.getMessage());
        }
      }
    }
    return found;
  }

  private Path directory(Origin origin) {
    return incoming.resolve(origin.name());
  }
}
