package dev.pageferry.agent.disk;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The disks of one VM, open on this host under one epoch, until they are released or abandoned; then this set is done. */
public final class DiskSet {
  private static final Logger log = LoggerFactory.getLogger(DiskSet.class);

  private final String vm;
  private final long epoch;
  private final List<LeasedDisk> disks = new ArrayList<>();
  private final Consumer<DiskSet> onClosed;
  private volatile boolean fenced;
  /** The disks are being released: whose they are afterwards fences nobody here. */
  private volatile boolean releasing;
  /** Set while a task closes the disks for another host. */
  private final AtomicBoolean yielding = new AtomicBoolean();

  /** @param onClosed told once the disks are closed, however that came */
  DiskSet(String vm, long epoch, Consumer<DiskSet> onClosed) {
    this.vm = vm;
    this.epoch = epoch;
    this.onClosed = onClosed;
  }

  void add(LeasedDisk disk) {
    disks.add(disk);
  }

  /** The VM's n-th disk. */
  public BlockDevice disk(int index) {
    return disks.get(index);
  }

  /** All of them, in the VM's order. */
  public List<BlockDevice> devices() {
    return List.copyOf(disks);
  }

  /** The epoch that the disks are open under. */
  public long epoch() {
    return epoch;
  }

  public String vm() {
    return vm;
  }

  /** Whether another host is to have the disks: nothing is begun on them any more, and they are closed here, or soon are. */
  public boolean isFenced() {
    return fenced;
  }

  /** Notes from now on which blocks are written. One at a time. */
  public WriteTracking trackWrites() {
    disks.forEach(LeasedDisk::harvestWrites);
    return new WriteTracking() {
      @Override
      public BitSet harvest(int disk) {
        return disks.get(disk).harvestWrites();
      }

      @Override
      public void close() {
        disks.forEach(LeasedDisk::endTracking);
      }
    };
  }

  /** Makes everything written so far safe. */
  public void flush() throws IOException {
    for (LeasedDisk each : disks) {
      each.flush();
    }
  }

  /**
   * Waits for requests in flight, flushes and closes all disks, and marks them released.
   *
   * @param migration what they are released for; empty: the VM is off
   * @throws IOException if one could not be; it is closed all the same, and to be opened again before it is used
   */
  public void release(String migration) throws IOException {
    releasing = true;
    try {
      EachOf.all(disks, each -> each.release(migration));
    } catch (IOException e) {
      abandon();
      throw e;
    }
    onClosed.accept(this);
  }

  /**
   * Reads the marks of all disks, and withdraws all where one is marked. Waits for no request; what cannot be read of one
   * disk is nothing to the others.
   */
  void inspect() {
    boolean marked = false;
    for (LeasedDisk each : disks) {
      each.inspect();
      marked |= each.isWithdrawn();
    }
    // Asked after the marks were read: if what was read is the next one's lease, the release was over by then.
    if (marked && !releasing) {
      withdraw();
    }
  }

  /** Another host is to have the disks: nothing is begun on them any more. */
  void withdraw() {
    disks.forEach(LeasedDisk::withdraw);
    if (!fenced) {
      fenced = true;
      log.warn("vm={} epoch={} fenced: another host is to have its disks, they are closed here", vm, epoch);
    }
  }

  /** Closes withdrawn disks once their requests in flight are done, and says so beside them. Does not wait for it. */
  void startYielding(Scheduler scheduler) {
    if (!yielding.compareAndSet(false, true)) {
      return;
    }
    boolean started = false;
    try {
      Task _ = scheduler.startBlocking("yield-" + vm, () -> {
        try {
          yieldToOther();
        } finally {
          yielding.set(false);
        }
      });
      started = true;
    } finally {
      if (!started) {
        yielding.set(false);
      }
    }
  }

  /** Closes all disks for another host that is to have them, and says so beside them. */
  void yieldToOther() {
    closeAll(LeasedDisk::yieldToOther);
  }

  /** Closes all disks without a word. */
  void abandon() {
    closeAll(LeasedDisk::abandon);
  }

  private interface Closing {
    void close(LeasedDisk disk) throws IOException;
  }

  private void closeAll(Closing closing) {
    for (LeasedDisk each : disks) {
      try {
        closing.close(each);
      } catch (IOException | RuntimeException e) {
        log.warn("vm={} a disk was not closed well: {}", vm,
            e instanceof IOException io ? StorageFiles.reason(io) : e.toString());
      }
    }
    onClosed.accept(this);
  }
}
