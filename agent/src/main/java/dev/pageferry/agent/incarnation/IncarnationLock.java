package dev.pageferry.agent.incarnation;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Held by the agent of a host as long as it lives: a file that the kernel keeps locked for it. So a second agent of that host
 * cannot start on this machine; and one that gets the lock knows that the incarnation which the file names has ended, however
 * that happened, if it ran on this boot of this kernel and locked this very file. A file that was copied, restored or left by
 * another boot names nobody who has ended.
 *
 * <p>Only one channel of a process ever opens the file: a POSIX lock is lost as soon as its process closes any descriptor of
 * it (fcntl(2)).
 */
public final class IncarnationLock implements AutoCloseable {
  private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");
  private static final String SUFFIX = ".lock";
  private static final int MAX_BYTES = 64 << 10;
  /** As many as a coordinator remembers. */
  private static final int MAX_ENDED = 64;

  private final Path file;
  private final FileChannel channel;
  private final String bootId;
  private final List<Incarnation> ended;

  private IncarnationLock(Path file, FileChannel channel, String bootId, List<Incarnation> ended) {
    this.file = file;
    this.channel = channel;
    this.bootId = bootId;
    this.ended = List.copyOf(ended);
  }

  /**
   * Takes the lock for a new incarnation.
   *
   * @param coordinator tells clusters apart whose hosts have the same names and share a machine
   * @throws IOException if another agent of this host runs here, or the directory cannot be written to
   */
  public static IncarnationLock take(Path directory, HostId host, HostPort coordinator, Incarnation incarnation)
      throws IOException {
    return take(directory, host, coordinator, incarnation, Files.readString(BOOT_ID).strip());
  }

  static IncarnationLock take(Path directory, HostId host, HostPort coordinator, Incarnation incarnation, String bootId)
      throws IOException {
    Path file = directory.resolve("host-%s@%s%s".formatted(host,
        coordinator.toString().replaceAll("[^A-Za-z0-9.-]", "_"), SUFFIX));
    FileChannel channel = open(file);
    try {
      if (!lock(channel)) {
        throw new IOException(
            "another agent of %s runs here%s (it holds %s); end it, or give this one another --host-id"
                .formatted(host, read(channel).map(each -> ", pid " + each.pid()).orElse(""), file));
      }
      String identity = identity(file);
      List<Incarnation> ended = new ArrayList<>();
      read(channel).filter(last -> last.bootId().equals(bootId) && last.file().equals(identity)).ifPresent(last -> {
        ended.add(last.incarnation());
        ended.addAll(last.ended());
      });
      List<Incarnation> kept = ended.subList(0, Math.min(MAX_ENDED, ended.size()));
      write(channel, new LockRecord(incarnation, bootId, identity, ProcessHandle.current().pid(), kept));
      return new IncarnationLock(file, channel, bootId, kept);
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  private static FileChannel open(Path file) throws IOException {
    try {
      return FileChannel.open(file, Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE,
          LinkOption.NOFOLLOW_LINKS),
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    } catch (IOException e) {
      throw new IOException("lock file %s cannot be opened (%s); name another directory by --run-dir".formatted(file,
          e.getClass().getSimpleName()), e);
    }
  }

  private static boolean lock(FileChannel channel) throws IOException {
    try {
      FileLock lock = channel.tryLock();
      return lock != null;
    } catch (OverlappingFileLockException e) {
      return false;
    }
  }

  private static String identity(Path file) throws IOException {
    Map<String, Object> attributes = Files.readAttributes(file, "unix:dev,ino", LinkOption.NOFOLLOW_LINKS);
    return "%s:%s".formatted(attributes.get("dev"), attributes.get("ino"));
  }

  private static Optional<LockRecord> read(FileChannel channel) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(MAX_BYTES, channel.size()));
    while (buffer.hasRemaining() && channel.read(buffer, buffer.position()) >= 0) {
      continue;
    }
    return LockRecord.parse(new String(buffer.array(), 0, buffer.position(), StandardCharsets.UTF_8));
  }

  /** An agent that ends in between leaves a file that names nobody: the next one waits instead of proving. */
  private static void write(FileChannel channel, LockRecord record) throws IOException {
    channel.truncate(0);
    ByteBuffer bytes = ByteBuffer.wrap(record.text().getBytes(StandardCharsets.UTF_8));
    while (bytes.hasRemaining()) {
      int _ = channel.write(bytes, bytes.position());
    }
  }

  /** Another file of this host's agent beside the lock file. @param suffix in place of "lock" */
  public Path beside(String suffix) {
    String name = file.getFileName().toString();
    return file.resolveSibling(name.substring(0, name.length() - SUFFIX.length()) + "." + suffix);
  }

  /** Of the kernel that this runs on. */
  public String bootId() {
    return bootId;
  }

  /** Incarnations of the host that ended on this boot of this kernel, newest first. */
  public List<Incarnation> ended() {
    return ended;
  }

  /** From here on another agent of the host may start: nothing of this one may run any more. */
  @Override
  public void close() throws IOException {
    channel.close();
  }
}
