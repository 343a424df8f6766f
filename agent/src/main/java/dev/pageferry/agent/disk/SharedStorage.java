package dev.pageferry.agent.disk;

import dev.pageferry.agent.os.HeldLock;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Deadline;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The directory that every host mounts:
 *
 * <pre>
 * pageferry-storage   the storage's id, by which hosts tell that they share it
 * disks/NAME.vhd|raw|qcow2  disks
 * leases/             who has which disk, and which hosts live
 * saved/              states of saved VMs
 * incoming/HOST/      disks on their way from other storage
 * validation/         trials of the storage, of 'ferry validate'
 * </pre>
 */
public final class SharedStorage implements AutoCloseable {
  private static final Duration LEASE_DURATION = Duration.ofSeconds(10);
  private static final Duration LEASE_INTERVAL = Duration.ofSeconds(1);
  private static final Duration LEASE_PATIENCE = Duration.ofSeconds(3);
  /** How long disks that do not answer hold up the end of an agent. */
  private static final Duration CLOSING = Duration.ofSeconds(10);
  private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");

  private static final String MARKER = "pageferry-storage";

  private static final Logger log = LoggerFactory.getLogger(SharedStorage.class);

  private final Path root;
  private final LeaseStore leases;
  private final Path savedStates;
  private final DiskDirectory disks;
  private final DiskCopies copies;
  private final StorageTrials trials;
  private final String id;
  private final StorageLease lease;
  private final HostLooks looks;
  private final BootClock clock;
  private final Scheduler scheduler;
  /** In the order in which they were opened. */
  private final List<DiskSet> open = new CopyOnWriteArrayList<>();
  private final Consumer<DiskSet> onFenced;

  /**
   * What a host's storage takes from its process.
   *
   * @param locks the one instance of the process
   * @param clock one that runs through suspend
   * @param passThrough raw files and devices that operators may name
   */
  public record Environment(ProcessLocks locks, BootClock clock, Scheduler scheduler, AllowedPaths passThrough) {
    /** Where operators may name anything. */
    public Environment(ProcessLocks locks, BootClock clock, Scheduler scheduler) {
      this(locks, clock, scheduler, AllowedPaths.ANY);
    }
  }

  /** How long a host's lease lasts, and how often it is renewed. */
  record Timing(Duration lease, Duration renewal) {
  }

  /**
   * Opens the storage for one incarnation of one host, and begins to hold the host's lease on it.
   *
   * @param root exists and can be written to
   * @param onFenced told of disks that another host is to have: nothing is begun on them any more, and they are being closed;
   *     it must not wait for anything
   */
  public SharedStorage(Path root, String host, String incarnation, Environment environment, Consumer<DiskSet> onFenced)
      throws IOException {
    this(root, new StorageLease.Holder(host, incarnation, Files.readString(BOOT_ID).strip()),
        new Timing(LEASE_DURATION, LEASE_INTERVAL), environment, Devices.SYSTEM, onFenced);
  }

  SharedStorage(Path root, StorageLease.Holder holder, Timing timing, Environment environment, Devices devices,
      Consumer<DiskSet> onFenced) throws IOException {
    this(root, new LeaseDirectory(made(root, "leases"), environment.locks()), holder, timing, environment, devices,
        onFenced);
  }

  /**
   * As the other, with leases and the contents of disks elsewhere than in the directory, as a simulation has them.
   *
   * @param root has the disks' files, by which they are known
   */
  public SharedStorage(Path root, LeaseStore leases, StorageLease.Holder holder, Environment environment,
      Devices devices, Consumer<DiskSet> onFenced) throws IOException {
    this(root, leases, holder, new Timing(LEASE_DURATION, LEASE_INTERVAL), environment, devices, onFenced);
  }

  private SharedStorage(Path root, LeaseStore leases, StorageLease.Holder holder, Timing timing,
      Environment environment, Devices devices, Consumer<DiskSet> onFenced) throws IOException {
    this.root = root;
    this.leases = leases;
    this.savedStates = made(root, "saved");
    Path _ = made(root, keepers(root).getFileName().toString());
    this.disks = new DiskDirectory(root, Clock.systemUTC(), devices, environment.passThrough());
    this.id = identify(root);
    this.clock = environment.clock();
    this.scheduler = environment.scheduler();
    this.onFenced = onFenced;
    this.lease = new StorageLease(leases, holder, timing.lease(), timing.renewal(), clock, scheduler, this::inspect);
    this.looks = new HostLooks(leases, lease, this::requireThere, scheduler);
    this.copies = new DiskCopies(disks, leases, made(root, "incoming/" + holder.host()), lease);
    this.trials = new StorageTrials(root.resolve("validation"), environment.locks(), scheduler);
    lease.start();
  }

  private static Path made(Path root, String directory) throws IOException {
    try {
      return Files.createDirectories(root.resolve(directory));
    } catch (FileSystemException e) {
      throw new DiskException("directory %s of the storage cannot be made: %s".formatted(root.resolve(directory),
          StorageFiles.reason(e)), e);
    }
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
    String there;
    try {
      there = Files.readString(root.resolve(MARKER)).strip();
    } catch (NoSuchFileException e) {
      there = "none";
    } catch (IOException e) {
      throw new DiskException("storage %s does not answer: %s".formatted(root, StorageFiles.reason(e)), e);
    }
    if (!there.equals(id)) {
      throw new DiskException("storage %s is not there any more: its id is %s, expected %s; is it mounted?".formatted(
          root, there, id));
    }
  }

  /** Disks on their way from and to other storage. */
  public DiskCopies copies() {
    return copies;
  }

  /** The directory that was opened. */
  public Path root() {
    return root;
  }

  /** Tries what the storage can do, beside everything that is on it. */
  public StorageTrials trials() {
    return trials;
  }

  /** This host's permission to let guests run and write. */
  public StorageLease lease() {
    return lease;
  }

  /** What can be seen here of other hosts. */
  public HostLooks looks() {
    return looks;
  }

  /**
   * Which VMs a host's keepers have a machine of, whether or not its agent lives. Whoever keeps one has a file locked there, {@code HOST.VM}, by
   * flock(2).
   *
   * @throws IOException if the storage does not tell
   */
  public List<VmId> kept(String host, List<VmId> vms) throws IOException {
    requireThere();
    List<VmId> kept = new ArrayList<>();
    for (VmId each : vms) {
      if (HeldLock.isHeld(keepers(root).resolve(host + "." + each))) {
        kept.add(each);
      }
    }
    return kept;
  }

  /** Where they are, on a storage. */
  public static Path keepers(Path root) {
    return root.resolve("keepers");
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
      for (LeaseSlot slot : slots(each.name())) {
        Optional<LeaseRecord> found = slot.lease().read();
        if (found.isPresent() && (!found.get().vm().equals(vm) || found.get().epoch() > epoch)) {
          throw new DiskException("disk %s was opened by VM %s under epoch %d since, and the state is of epoch %d"
              .formatted(each.name(), found.get().vm(), found.get().epoch(), epoch));
        }
      }
    }
  }

  private List<LeaseSlot> slots(String disk) throws IOException {
    return LeaseSlot.of(leases, disk, disks.device(disk));
  }

  /**
   * Who opened which disk last.
   *
   * @throws IOException if the storage cannot be listed, or one lease cannot be read: it might be the newest
   */
  public List<LeaseView> leasesOfDisks() throws IOException {
    requireThere();
    List<LeaseView> found = new ArrayList<>();
    for (String each : leases.names()) {
      if (!each.endsWith(".lease")) {
        continue;
      }
      new LeaseFile(leases, each).read().filter(lease -> !lease.vm().isEmpty())
          .ifPresent(lease -> found.add(new LeaseView(lease.vm(), lease.epoch(), lease.host())));
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
    LeaseSlot slot = LeaseSlot.ofNamed(leases, DiskDirectory.requireNamed(name));
    try (LeaseStore.Lock held = slot.tryLock()
        .orElseThrow(() -> new DiskException("disk %s is open on a host".formatted(name)))) {
      disks.delete(name);
      slot.delete();
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
        set.add(open(each, claim));
      }
      supersede(claim);
      open.add(set);
      // From here on every renewal inspects these disks. What was permitted by the last one that did not, they are not: this
      // inspection is the first that permits them anything, and sees what happened since they were taken.
      set.inspect();
      if (set.isFenced()) {
        throw new DiskException("VM %s was fenced while its disks were opened: another host is to have them".formatted(
            claim.vm()));
      }
      complete = true;
      return set;
    } finally {
      if (!complete) {
        set.yieldToOther();
      }
    }
  }

  /** What this host had open of the VM before is over: its locks may have been forgone. */
  private void supersede(DiskClaim claim) {
    for (DiskSet each : open) {
      if (each.vm().equals(claim.vm())) {
        each.withdraw();
        each.startYielding(scheduler);
      }
    }
  }

  private LeasedDisk open(DiskDescription description, DiskClaim claim) throws IOException, InterruptedException {
    String name = description.name();
    description.verifySame(disks.show(name));
    DiskLease taken = DiskLease.take(slots(name), name, claim, lease, clock, scheduler);
    boolean opened = false;
    try {
      LeasedDisk disk = new LeasedDisk(description, disks.open(name), taken, lease, scheduler);
      opened = true;
      return disk;
    } finally {
      if (!opened) {
        taken.yieldToOther();
      }
    }
  }

  /**
   * Run by the lease's task between a renewal and what it permits: withdraws disks that another host is to have. Everything
   * that may wait for a disk goes on in tasks of its own. No VM's trouble keeps the others from being inspected.
   */
  private void inspect() {
    for (DiskSet each : open) {
      try {
        boolean wasFenced = each.isFenced();
        each.inspect();
        if (each.isFenced()) {
          each.startYielding(scheduler);
        }
        if (each.isFenced() && !wasFenced) {
          onFenced.accept(each);
        }
      } catch (RuntimeException | Error e) {
        log.error("vm={} its disks were not inspected, or not closed, and are not used until they are: {}", each.vm(),
            e.toString());
      }
    }
  }

  /**
   * Gives the host's lease up. Disks that are still open are closed without a word. A disk that does not answer is left to
   * the end of the process; then the lease is not given up but expires, because a request may still be in flight.
   */
  @Override
  public void close() throws InterruptedException {
    looks.close();
    List<DiskSet> left = List.copyOf(open);
    List<Task> closing = left.stream().map(each -> scheduler.startBlocking("close-" + each.vm(), each::abandon))
        .toList();
    Deadline deadline = Deadline.after(CLOSING, scheduler);
    boolean all = true;
    for (Task each : closing) {
      all &= each.join(Duration.ofNanos(deadline.remainingNanos()));
    }
    if (all) {
      lease.close();
    } else {
      log.warn("disks do not answer; the lease of this host is not given up, it expires");
      lease.abandon();
    }
  }
}
