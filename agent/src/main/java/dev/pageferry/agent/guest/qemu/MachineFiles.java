package dev.pageferry.agent.guest.qemu;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The directory of a machine on its host. Whoever has the lock in it owns the machine. */
final class MachineFiles implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(MachineFiles.class);
  private static final String LOCK = "lock";
  private static final String STREAM = "stream";
  private static final String DISK = "disk-";
  /** Characters of a log. */
  private static final int TAIL = 500;

  /** Of this process, which would lose the locks of its own by closing their files a second time. Source: {@code fcntl(2)}. */
  private static final Set<Path> OWN = ConcurrentHashMap.newKeySet();

  private final Path directory;
  private final FileChannel lock;
  private final AtomicBoolean closed = new AtomicBoolean();
  /** A QEMU that was started here is not known to have ended. */
  private volatile boolean unsure;

  private MachineFiles(Path directory, FileChannel lock) {
    this.directory = directory;
    this.lock = lock;
  }

  /**
   * Makes the directory, which only this user can enter.
   *
   * @throws IOException if it cannot be made, or is that of a machine which runs
   */
  @SuppressWarnings("MustBeClosedChecker") // closed with this
  static MachineFiles create(Path directory) throws IOException {
    if (!OWN.add(directory)) {
      throw new IOException("%s is in use by a machine of this host".formatted(directory));
    }
    try {
      removeIfOrphaned(directory);
      return new MachineFiles(directory, makeLocked(directory));
    } catch (IOException | RuntimeException | Error e) {
      OWN.remove(directory);
      throw e;
    }
  }

  @SuppressWarnings("MustBeClosedChecker") // the caller has it
  private static FileChannel makeLocked(Path directory) throws IOException {
    try {
      Files.createDirectory(directory,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    } catch (FileAlreadyExistsException e) {
      throw new IOException("%s is in use by another agent's machine".formatted(directory), e);
    }
    FileChannel lock = FileChannel.open(directory.resolve(LOCK), StandardOpenOption.CREATE_NEW,
        StandardOpenOption.WRITE);
    FileLock taken = lock.tryLock();
    if (taken == null) {
      lock.close();
      throw new IOException("%s is locked by another process".formatted(directory));
    }
    return lock;
  }

  private static void removeIfOrphaned(Path directory) throws IOException {
    Optional<MachineFiles> left = leftBehind(directory);
    if (left.isPresent()) {
      left.get().removeLeft();
    }
  }

  private void removeLeft() throws IOException {
    try (lock) {
      if (!KeptQemu.processes(this).isEmpty()) {
        throw new IOException(
            "%s is that of a machine which an agent before this one left running".formatted(directory));
      }
      log.info("removing {}, which the agent before left", directory);
      remove(directory);
    }
  }

  /** The directory of a machine whose agent has ended: from here on its owner is this process. Empty if it is another's. */
  static Optional<MachineFiles> found(Path directory) throws IOException {
    if (!OWN.add(directory)) {
      return Optional.empty();
    }
    Optional<MachineFiles> left = Optional.empty();
    try {
      left = leftBehind(directory);
      return left;
    } finally {
      if (left.isEmpty()) {
        OWN.remove(directory);
      }
    }
  }

  @SuppressWarnings("MustBeClosedChecker") // the caller has it
  private static Optional<MachineFiles> leftBehind(Path directory) throws IOException {
    FileChannel lock;
    try {
      lock = FileChannel.open(directory.resolve(LOCK), StandardOpenOption.WRITE);
    } catch (NoSuchFileException e) {
      // Not a machine's, or just being made or removed.
      return Optional.empty();
    }
    boolean isTaken = false;
    try {
      FileLock taken = lock.tryLock();
      isTaken = taken != null;
      return isTaken ? Optional.of(new MachineFiles(directory, lock)) : Optional.empty();
    } finally {
      if (!isTaken) {
        lock.close();
      }
    }
  }

  /** The one with the longest name. */
  static Path longestSocket(Path directory) {
    return directory.resolve(DISK + (QemuSpec.MAX_DISKS - 1));
  }

  Path directory() {
    return directory;
  }

  /** Numbers of the keeper's process and of QEMU's. */
  Path pids() {
    return directory.resolve("pids");
  }

  /** The pipe that the keeper reads. */
  Path leash() {
    return directory.resolve("leash");
  }

  /** The keeper's program. */
  Path keeper() {
    return directory.resolve("keep");
  }

  /** QEMU's exit code. */
  Path ended() {
    return endedOf(directory);
  }

  static Path endedOf(Path directory) {
    return directory.resolve("ended");
  }

  /** One that was started here may be alive for a while. */
  void noteUnsure() {
    unsure = true;
  }

  /** Whether every QEMU that this agent has had here is known to be over with: no thread of it runs, and its memory is let go. */
  boolean isOver() {
    return !unsure && Files.exists(ended());
  }

  /**
   * Moves RAM, unless these files are somebody else's by now, or RAM is.
   *
   * @param key of the file that is meant, as {@link #ramKey} gave it
   * @return whether it was moved
   */
  synchronized boolean moveRam(MachineFiles place, String key) throws IOException {
    if (closed.get() || !ramKey().equals(key)) {
      return false;
    }
    Files.move(ram(), place.ram(), StandardCopyOption.ATOMIC_MOVE);
    return true;
  }

  /** What tells the file of RAM from another one of that name. */
  String ramKey() throws IOException {
    return String.valueOf(Files.readAttributes(ram(), BasicFileAttributes.class).fileKey());
  }

  /** What the next agent has to know. */
  Path record() {
    return recordOf(directory);
  }

  static Path recordOf(Path directory) {
    return directory.resolve("record");
  }

  /** There while an operator has it paused. */
  private Path paused() {
    return directory.resolve("paused");
  }

  boolean isPaused() {
    return Files.exists(paused());
  }

  void notePaused(boolean isPaused) {
    note(paused(), isPaused, "paused");
  }

  /** There once the QEMU of now has run its guest. */
  Path run() {
    return directory.resolve("run");
  }

  boolean hasRun() {
    return Files.exists(run());
  }

  void noteRun() {
    if (!hasRun()) {
      note(run(), true, "running");
    }
  }

  private void note(Path mark, boolean is, String what) {
    try {
      if (is) {
        Files.write(mark, new byte[0]);
      } else {
        Files.deleteIfExists(mark);
      }
    } catch (IOException e) {
      log.warn("whether the machine in {} is {} is not known to the next agent: {}", directory, what, e.toString());
    }
  }

  /** There once a flush has failed: why. */
  Path lostWrites() {
    return directory.resolve("lost-writes");
  }

  /** The newest that the guest wrote to its console; there while no agent is. */
  Path keptConsole() {
    return directory.resolve("console.log");
  }

  /** The last that QEMU, or its keeper, has said, in one line. */
  String saidLast() {
    try {
      String all = Files.readString(log()).strip().replace('\n', ' ');
      return all.isEmpty() ? "it said nothing" : all.substring(Math.max(0, all.length() - TAIL));
    } catch (IOException e) {
      return "what it said cannot be read";
    }
  }

  /** Where a disk is served. */
  Path disk(int number) {
    return directory.resolve(DISK + number);
  }

  /** Where a network card is heard. */
  Path card(int number) {
    return directory.resolve("card-" + number);
  }

  Path ram() {
    return directory.resolve("ram");
  }

  Path monitor() {
    return directory.resolve("qmp");
  }

  /** What a machine's UEFI has in its variables. */
  Path variables() {
    return directory.resolve("variables");
  }

  /** Where a machine that leaves is received. */
  Path stream() {
    return directory.resolve(STREAM);
  }

  /** Where a machine that comes is given its state. */
  Path arrival() {
    return directory.resolve("arrival");
  }

  /** What QEMU says. */
  Path log() {
    return directory.resolve("qemu.log");
  }

  /** Where the serial console is heard. */
  Path console() {
    return directory.resolve("console");
  }

  private static void remove(Path directory) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
      for (Path each : files) {
        if (!each.endsWith(LOCK)) {
          Files.deleteIfExists(each);
        }
      }
    }
    // Last: a directory without it would be nobody's to remove.
    Files.deleteIfExists(directory.resolve(LOCK));
    Files.deleteIfExists(directory);
  }

  /** Leaves it to the next agent, once, unless it was removed. */
  synchronized void leave() throws IOException {
    if (closed.compareAndSet(false, true)) {
      try {
        lock.close();
      } finally {
        OWN.remove(directory);
      }
    }
  }

  /** Removes all of it, once; what is mapped or open stays until it is not. */
  @Override
  public synchronized void close() throws IOException {
    if (!closed.compareAndSet(false, true)) {
      // By now it may be the directory of the VM's next machine here.
      return;
    }
    try (lock) {
      remove(directory);
    } finally {
      OWN.remove(directory);
    }
  }
}
