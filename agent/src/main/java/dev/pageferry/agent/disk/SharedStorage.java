package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The directory that every host mounts:
 *
 * <pre>
 * pageferry-storage   the storage's id, by which hosts tell that they share it
 * disks/NAME.vhd|raw  disks
 * leases/             who has which disk, and which hosts live
 * saved/              states of saved VMs
 * incoming/HOST/      disks on their way from other storage
 * </pre>
 */
public final class SharedStorage implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(SharedStorage.class);
  private static final Duration LEASE_DURATION = Duration.ofSeconds(10);
  private static final Duration LEASE_INTERVAL = Duration.ofSeconds(1);
  private static final Duration LEASE_PATIENCE = Duration.ofSeconds(3);
  private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");

  private static final String MARKER = "pageferry-storage";

  private final Path root;
  private final Path leases;
  private final Path savedStates;
  private final DiskDirectory disks;
  private final DiskCopies copies;
  private final String id;
  private final StorageLease lease;
  private final BootClock clock;
  private final Set<DiskSet> open = ConcurrentHashMap.newKeySet();
  private final Consumer<DiskSet> onFenced;

  /**
   * Opens the storage for one life of one host, and begins to hold the host's lease on it.
   *
   * @param root exists and can be written to
   * @param onFenced told of disks that another host was given; they are closed by then
   */
  public SharedStorage(Path root, String host, String incarnation, BootClock clock, Consumer<DiskSet> onFenced)
      throws IOException {
    this(root, new StorageLease.Holder(host, incarnation, Files.readString(BOOT_ID).strip()), LEASE_DURATION,
        LEASE_INTERVAL, clock, onFenced);
  }

  SharedStorage(Path root, StorageLease.Holder holder, Duration leaseDuration, Duration leaseInterval, BootClock clock,
      Consumer<DiskSet> onFenced) throws IOException {
    this.root = root;
    this.leases = Files.createDirectories(root.resolve("leases"));
    this.savedStates = Files.createDirectories(root.resolve("saved"));
    this.disks = new DiskDirectory(root, Clock.systemUTC());
    this.id = identify(root);
    this.clock = clock;
    this.onFenced = onFenced;
    this.lease = new StorageLease(leases, holder, leaseDuration, leaseInterval, clock, this::closeFenced);
    this.copies = new DiskCopies(disks, leases,
        Files.createDirectories(root.resolve("incoming").resolve(holder.host())), lease);
    lease.start();
  }

  /** Reads the storage's id; the first host to come makes one. */
  private static String identify(Path root) throws IOException {
    Path file = root.resolve(MARKER);
    try {
      return Files.readString(file).strip();
    } catch (NoSuchFileException e) {
      String made = UUID.randomUUID().toString();
      Path beingMade = root.resolve(MARKER + "." + made);
      try {
        Files.writeString(beingMade, made + "\n");
        Files.createLink(file, beingMade);
      } catch (FileAlreadyExistsException anotherHostWasFirst) {
        // Then its id it is.
      } finally {
        Files.deleteIfExists(beingMade);
      }
      StorageFiles.syncDirectory(root);
      return Files.readString(file).strip();
    }
  }

  public String id() {
    return id;
  }

  /** @throws IOException if the storage that was opened is not there any more */
  public DiskDirectory disks() throws IOException {
    requireThere();
    return disks;
  }

  /** @throws IOException if the storage that was opened is not there any more, or another one is in its place */
  public void requireThere() throws IOException {
    Path marker = root.resolve(MARKER);
    String there = Files.exists(marker) ? Files.readString(marker).strip() : "none";
    if (!there.equals(id)) {
      throw new DiskException("storage %s is not there any more: its id is %s, expected %s; is it mounted?".formatted(
          root, there, id));
    }
  }

  /** Disks on their way from and to other storage. */
  public DiskCopies copies() {
    return copies;
  }

  /** This host's permission to let guests run and write. */
  public StorageLease lease() {
    return lease;
  }

  /** Where states of saved VMs are. */
  public Path savedStates() {
    return savedStates;
  }

  /** Whether these disks are here as they should be, and may be written; nothing is opened for good. */
  public void check(List<DiskDescription> descriptions) throws IOException {
    for (DiskDescription each : descriptions) {
      each.verifySame(disks.show(each.name()));
      disks.open(each.name()).close();
    }
  }

  /** Refuses disks that another VM opened last, or this one under a later epoch than the given one. */
  public void checkNotOpenedAfter(List<DiskDescription> descriptions, String vm, long epoch) throws IOException {
    for (DiskDescription each : descriptions) {
      Optional<LeaseRecord> lease = new LeaseFile(leases.resolve(DiskLease.key(each.name()) + ".lease")).read();
      if (lease.isPresent() && (!lease.get().vm().equals(vm) || lease.get().epoch() > epoch)) {
        throw new DiskException("disk %s was opened by VM %s under epoch %d since, and the state is of epoch %d"
            .formatted(each.name(), lease.get().vm(), lease.get().epoch(), epoch));
      }
    }
  }

  /**
   * Who opened which disk last. A lease that cannot be read is in the way of its disk, and not of this.
   *
   * @throws IOException if the storage cannot be listed
   */
  public List<LeaseView> leasesOfDisks() throws IOException {
    requireThere();
    List<LeaseView> found = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(leases, "*.lease")) {
      for (Path each : files) {
        try {
          new LeaseFile(each).read().filter(lease -> !lease.vm().isEmpty())
              .ifPresent(lease -> found.add(new LeaseView(lease.vm(), lease.epoch(), lease.host())));
        } catch (DiskException e) {
          log.warn("a lease cannot be read: {}", e.getMessage());
        }
      }
    }
    return found;
  }

  /**
   * Deletes a disk that nobody has open, and all that is on it.
   *
   * @throws DiskException if a host has it open
   */
  public void delete(String name) throws IOException {
    requireThere();
    Optional<LockFile> lock = LockFile.tryLock(leases.resolve(DiskLease.key(name) + ".lock"));
    if (lock.isEmpty()) {
      throw new DiskException("disk %s is open on a host".formatted(name));
    }
    try (LockFile held = lock.get()) {
      disks.delete(name);
      for (String suffix : List.of(".lease", ".fence")) {
        Files.deleteIfExists(leases.resolve(DiskLease.key(name) + suffix));
      }
    }
  }

  /**
   * Opens the disks of a VM, all or none.
   *
   * @throws DiskException if one is another disk by now, or stays another one's
   */
  public DiskSet open(List<DiskDescription> descriptions, DiskClaim claim) throws IOException, InterruptedException {
    lease.awaitLive(LEASE_PATIENCE);
    DiskSet set = new DiskSet(claim.vm(), claim.epoch(), open::remove);
    boolean complete = false;
    try {
      for (DiskDescription each : descriptions) {
        each.verifySame(disks.show(each.name()));
        DiskLease taken = DiskLease.take(leases, DiskLease.key(each.name()), each.name(), claim, lease, clock);
        DiskFile file;
        try {
          file = disks.open(each.name());
        } catch (IOException | RuntimeException e) {
          taken.release("");
          throw e;
        }
        set.add(new LeasedDisk(each, file, taken, lease));
      }
      open.add(set);
      complete = true;
      return set;
    } finally {
      if (!complete) {
        set.release("");
      }
    }
  }

  private void closeFenced() {
    for (DiskSet each : open) {
      if (each.abandonIfFenced()) {
        onFenced.accept(each);
      }
    }
  }

  /** Gives the host's lease up. Disks that are still open are closed without a word. */
  @Override
  public void close() throws InterruptedException {
    open.forEach(DiskSet::abandon);
    lease.close();
  }
}
