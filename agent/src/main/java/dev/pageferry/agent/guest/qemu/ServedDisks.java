package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.disk.BlockDevice;
import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.disk.DiskNotPermittedException;
import dev.pageferry.agent.disk.DiskReader;
import dev.pageferry.agent.disk.DiskSet;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.HeldDisks;
import dev.pageferry.agent.nbd.NbdServer;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.failure.IoFailure;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The disks of a machine, which QEMU has from this agent and in no other way: so what may be written, by whom and under which epoch
 * is decided where it is for every disk. QEMU keeps its end of them from start to end; they are open while they are this host's.
 */
final class ServedDisks implements AutoCloseable {
  /** Longer than a renewal of the host's lease that comes a little late. */
  private static final Duration PATIENCE = Duration.ofSeconds(2);
  private static final Duration LOOK = Duration.ofMillis(50);
  private static final Logger log = LoggerFactory.getLogger(ServedDisks.class);

  private final QemuSpec spec;
  private final MachineFiles files;
  private final GuestDisks storage;
  private final HeldDisks held;
  private final Scheduler scheduler;
  private final List<NbdServer> servers = new ArrayList<>();
  private volatile boolean closed;
  private volatile Failure failure = new Failure("no reason is known", true);
  /** What the guest was told is safe, or will be, may be lost: nothing that is told from then on can be relied on. */
  private volatile @Nullable IOException lostWrites;

  /**
   * Why a request failed last.
   *
   * @param passes whether that is over as soon as this host may use the disk
   */
  record Failure(String reason, boolean passes) {
  }

  ServedDisks(QemuSpec spec, MachineFiles files, GuestDisks storage, Scheduler scheduler) {
    this.spec = spec;
    this.files = files;
    this.storage = storage;
    this.held = new HeldDisks(storage, storage.permit());
    this.scheduler = scheduler;
    if (Files.exists(files.lostWrites())) {
      lostWrites = new IOException("under the agent before");
    }
  }

  HeldDisks held() {
    return held;
  }

  /** Begins to serve them, once; ahead of the first QEMU. */
  synchronized void serve() throws IOException {
    if (closed) {
      throw new IllegalStateException("VM %s is gone from this host".formatted(spec.name()));
    }
    for (int i = servers.size(); i < spec.disks().size(); i++) {
      DiskDescription disk = spec.disks().get(i);
      servers.add(NbdServer.listen(files.disk(i),
          new NbdServer.Export("%s-%d".formatted(spec.name(), i), new Served(i, disk), spec.isCdrom(disk),
              BlockDevice.MOST_BYTES),
          scheduler));
    }
  }

  /** What QEMU was told of last, as an I/O error. */
  Failure failure() {
    return failure;
  }

  /** Makes safe what the machine wrote. */
  void flush() throws IOException {
    unlessWritesAreLost(held::flush);
  }

  /** As {@link HeldDisks#release}. */
  void release(String migration) throws IOException {
    // By itself: another trouble of a release is over when that is.
    flush();
    held.release(migration);
  }

  private interface Flush {
    void carryOut() throws IOException;
  }

  /**
   * A flush that fails is told once by the kernel, which drops what it could not write: the next one would succeed, over a hole.
   *
   * @throws IOException also if an earlier one has failed; only a boot, from what the disk has, is whole again
   */
  private void unlessWritesAreLost(Flush flush) throws IOException {
    IOException lost = lostWrites;
    if (lost != null) {
      throw new IOException("a flush has failed, and writes may be lost; stop the VM and start it (%s)".formatted(
          IoFailure.sentence(lost)), lost);
    }
    try {
      flush.carryOut();
    } catch (DiskNotPermittedException e) {
      throw e;
    } catch (IOException e) {
      lostWrites = e;
      noteLostWrites(e);
      throw e;
    }
  }

  /** The next agent of this machine is not told by the kernel. */
  private void noteLostWrites(IOException cause) {
    try {
      Files.writeString(files.lostWrites(), IoFailure.sentence(cause));
    } catch (IOException e) {
      log.error("vm={} that a flush failed is not known to the next agent of this host: {}", spec.name(), e.toString());
    }
  }

  private interface Request {
    void carryOut(BlockDevice disk) throws IOException;
  }

  /** One of them. */
  private final class Served implements BlockDevice {
    private final int number;
    private final DiskDescription disk;
    /** When its requests began to fail because it may not be used, on the scheduler's clock; 0: they do not. */
    private volatile long forbiddenSince;

    Served(int number, DiskDescription disk) {
      this.number = number;
      this.disk = disk;
    }

    @Override
    public long sizeBytes() {
      return disk.sizeBytes();
    }

    /** A machine that waits for its state may look at what is another host's to write. */
    @Override
    public void read(long offset, ByteBuffer target) throws IOException {
      if (held.disks() == null) {
        try (DiskReader reader = storage.reader(disk)) {
          reader.read(offset, target);
        } catch (IOException e) {
          throw failed(e, false);
        }
        return;
      }
      whenPermitted(now -> now.read(offset, target.duplicate()));
    }

    @Override
    public void write(long offset, ByteBuffer source) throws IOException {
      whenPermitted(now -> now.write(offset, source.duplicate()));
    }

    @Override
    public void flush() throws IOException {
      // What was written to a disk that is not open here was made safe when it was closed.
      if (held.disks() != null) {
        whenPermitted(now -> unlessWritesAreLost(now::flush));
      }
    }

    /**
     * Waits a moment where the disk is not to be used now; an error after that stops the machine, which keeps the request. All requests
     * of a disk have that moment together: a machine with many of them is to stop soon, too.
     */
    private void whenPermitted(Request request) throws IOException {
      while (true) {
        try {
          DiskSet now = held.disks();
          if (now == null) {
            throw new DiskNotPermittedException("disk %s is not open on this host".formatted(disk.name()));
          }
          request.carryOut(now.disk(number));
          forbiddenSince = 0;
          return;
        } catch (DiskNotPermittedException e) {
          long since = forbiddenSince;
          if (since == 0) {
            forbiddenSince = scheduler.nanos();
          } else if (closed || scheduler.nanos() - since > PATIENCE.toNanos()) {
            throw failed(e, true);
          }
          rest();
        } catch (IOException | RuntimeException e) {
          throw failed(e instanceof IOException io ? io : new IOException(e.toString(), e), false);
        }
      }
    }

    private void rest() throws InterruptedIOException {
      try {
        scheduler.sleep(LOOK);
      } catch (InterruptedException e) {
        scheduler.current().interrupt();
        throw new InterruptedIOException("a request to disk %s was interrupted".formatted(disk.name()));
      }
    }

    private IOException failed(IOException cause, boolean passes) {
      String reason = IoFailure.sentence(cause);
      failure = new Failure(reason, passes);
      if (!closed) {
        log.warn("vm={} a request failed: {}", spec.name(), reason);
      }
      return cause;
    }
  }

  /** Lets go of them, once no QEMU is there. */
  @Override
  public synchronized void close() {
    closed = true;
    held.refuseMore();
    for (NbdServer each : servers) {
      try {
        each.close();
      } catch (IOException e) {
        log.warn("vm={} a disk's socket was not closed well: {}", spec.name(), e.toString());
      }
    }
    try {
      if (lostWrites == null) {
        unlessWritesAreLost(() -> held.release(""));
      } else {
        held.release("");
      }
    } catch (IOException e) {
      log.warn("vm={} its disks were not released well: {}", spec.name(), IoFailure.sentence(e));
    }
  }
}
