package dev.pageferry.agent.disk;

import dev.pageferry.agent.disk.IncomingDisks.Origin;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.units.ByteSize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
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
  private final Path leases;
  private final Path incoming;

  /** @param incoming this host's directory of disks on their way; it exists */
  DiskCopies(DiskDirectory disks, Path leases, Path incoming) {
    this.disks = disks;
    this.leases = leases;
    this.incoming = incoming;
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
      checkReplaceable(each, origin.vm(), origin.epoch());
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
              ByteSize.format(each.sizeBytes()), e.getMessage()), e);
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

  /** @return whether there is a copy that the disk may take the place of; false if there is nothing */
  private boolean checkReplaceable(DiskDescription disk, VmId vm, OwnershipEpoch upTo) throws IOException {
    if (!disks.exists(disk.name())) {
      return false;
    }
    if (!isLeftBehind(disk, vm, upTo)) {
      throw new DiskException("there is another disk %s on its storage".formatted(disk.name()));
    }
    return true;
  }

  /** Whether the file of that name is this disk, which the VM had open here last, under an epoch that is over. */
  private boolean isLeftBehind(DiskDescription disk, VmId vm, OwnershipEpoch upTo) throws IOException {
    return disks.show(disk.name()).equals(disk) && leaseOf(disk).filter(lease -> isOf(lease, vm, upTo)).isPresent();
  }

  private static boolean isOf(LeaseRecord lease, VmId vm, OwnershipEpoch upTo) {
    return lease.vm().equals(vm.value()) && lease.epoch() <= upTo.value();
  }

  private Optional<LeaseRecord> leaseOf(DiskDescription disk) throws IOException {
    return new LeaseFile(leases.resolve(DiskLease.key(disk.name()) + ".lease")).read();
  }

  /** Gives disks that came their names: the VM is this host's. What failed half-way can be tried again. */
  public void promote(Origin origin) throws IOException {
    Path directory = directory(origin);
    if (!Files.isDirectory(directory)) {
      return;
    }
    for (DiskDescription each : DiskDirectory.list(directory)) {
      try (LockFile held = lock(each.name())) {
        disks.promote(directory, each, checkReplaceable(each, origin.vm(), origin.epoch()));
      }
    }
    delete(origin);
  }

  private LockFile lock(String disk) throws IOException {
    return LockFile.tryLock(leases.resolve(DiskLease.key(disk) + ".lock"))
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
    for (DiskDescription each : described) {
      try (LockFile held = lock(each.name())) {
        if (disks.exists(each.name()) && isLeftBehind(each, vm, upTo)) {
          remove(each);
        }
      }
    }
  }

  /** Removes disks that got their names and have no VM here all the same. */
  void removePromoted(List<DiskDescription> described, Origin origin) throws IOException {
    for (DiskDescription each : described) {
      try (LockFile held = lock(each.name())) {
        if (disks.exists(each.name()) && disks.show(each.name()).equals(each)
            && leaseOf(each).filter(lease -> !isOf(lease, origin.vm(), origin.epoch().next())).isEmpty()) {
          remove(each);
        }
      }
    }
  }

  private void remove(DiskDescription disk) throws IOException {
    disks.delete(disk.name());
    Files.deleteIfExists(leases.resolve(DiskLease.key(disk.name()) + ".lease"));
  }

  /** What an earlier life of this host left on its way. */
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
