package dev.pageferry.agent.disk;

import dev.pageferry.agent.stress.Meeting;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A disk that is written, and given away or copied at the same time. A schedule's actors call the methods of the guest and of the host
 * from a thread each; its arbiter asks for a verdict.
 */
final class StressedDisk {
  static final String DONE = "done";
  static final String REFUSED = "refused";
  /** The copy has the last write. */
  static final String FRESH = "fresh";
  /** The copy has not, but the block is noted, and copied once more. */
  static final String COPIED_AGAIN = "copied again";

  private static final DiskDescription DESCRIPTION = new DiskDescription("data", DiskFormat.RAW, 1 << 20, "");
  private static final StorageLease HOST = liveLease();
  private static final DiskLease LEASE = lease();

  final Meeting meeting = new Meeting();
  private final StressedFile file = new StressedFile();
  private final Gate gate;
  private boolean refused;
  private boolean foundWriting;
  private long copied;

  /** The gate that the product has, or one with a mistake in it. */
  interface Gate {
    void write() throws IOException;

    /** Another host is to have the disk. */
    void giveAway() throws IOException;

    /** Which blocks were written since it was asked last. */
    BitSet harvest();
  }

  /** Which gate a disk has, in front of its file. */
  interface Maker {
    Gate of(StressedFile file);
  }

  /** What is behind the gate: a block, of which it is known whether it is just being written. */
  static final class StressedFile implements OpenDisk {
    private volatile boolean isWriting;
    private volatile boolean isGivenAway;
    private boolean wasLate;
    private long block = 1;

    @Override
    public long sizeBytes() {
      return DESCRIPTION.sizeBytes();
    }

    @Override
    public void read(long offset, ByteBuffer target) {
      throw new AssertionError("nobody reads");
    }

    @Override
    public void write(long offset, ByteBuffer source) {
      write();
    }

    void write() {
      isWriting = true;
      Meeting.work();
      block = 2;
      if (isGivenAway) {
        wasLate = true;
      }
      isWriting = false;
    }

    @Override
    public void flush() {
      // Nothing is kept back.
    }

    @Override
    public void close() {
      // Nothing was opened.
    }
  }

  StressedDisk(Maker gate) {
    this.gate = gate.of(file);
    // From here on writes are noted.
    BitSet _ = this.gate.harvest();
  }

  /** With the gate that the product has, which is given away by one of two ways. */
  static StressedDisk withRealGate(boolean isReleased) {
    return new StressedDisk(file -> new RealGate(file, isReleased));
  }

  void write() {
    try {
      gate.write();
    } catch (IOException e) {
      refused = true;
    }
  }

  void giveAway() {
    try {
      gate.giveAway();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    file.isGivenAway = true;
    foundWriting = file.isWriting;
  }

  void harvestThenCopy() {
    BitSet _ = gate.harvest();
    copied = file.block;
  }

  String verdictOfGivingAway() {
    if (foundWriting || file.wasLate) {
      return Meeting.WRONG;
    }
    return refused ? REFUSED : DONE;
  }

  String verdictOfCopy() {
    if (copied == file.block) {
      return FRESH;
    }
    return gate.harvest().get(0) ? COPIED_AGAIN : Meeting.WRONG;
  }

  private static final class RealGate implements Gate {
    private final LeasedDisk disk;
    private final boolean isReleased;
    private final ByteBuffer sector = ByteBuffer.allocate(512);

    RealGate(StressedFile file, boolean isReleased) {
      this.disk = new LeasedDisk(DESCRIPTION, file, LEASE, HOST, Scheduler.SYSTEM);
      this.isReleased = isReleased;
      disk.inspect();
    }

    @Override
    public void write() throws IOException {
      disk.write(0, sector);
    }

    @Override
    public void giveAway() throws IOException {
      if (isReleased) {
        disk.release("migration");
      } else {
        disk.withdraw();
        disk.yieldToOther();
      }
    }

    @Override
    public BitSet harvest() {
      return disk.harvestWrites();
    }
  }

  private static StorageLease liveLease() {
    StorageLease lease = new StorageLease(new Memory(), new StorageLease.Holder("a", "life", "boot"),
        Duration.ofHours(1), Duration.ofMinutes(30), System::nanoTime, Scheduler.SYSTEM,
        // There is nothing to inspect; code of this class, which is not initialized yet, its task would wait for.
        Thread::onSpinWait);
    lease.start();
    try {
      lease.awaitLive(Duration.ofSeconds(10));
      return lease;
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static DiskLease lease() {
    try {
      return DiskLease.take(LeaseSlot.of(new Memory(), "data", Optional.empty()), "data",
          DiskClaim.orderly("vm-1", 1), HOST, System::nanoTime, Scheduler.SYSTEM);
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** Leases in memory, for one host. */
  private static final class Memory implements LeaseStore {
    private final Map<String, byte[]> records = new ConcurrentHashMap<>();

    @Override
    public Optional<byte[]> read(String name) {
      return Optional.ofNullable(records.get(name));
    }

    @Override
    public List<String> names() {
      return List.copyOf(records.keySet());
    }

    @Override
    public void write(String name, byte[] contents) {
      records.put(name, contents);
    }

    @Override
    public void delete(String name) {
      byte[] _ = records.remove(name);
    }

    @Override
    public Holding holding(String name) {
      return Holding.UNKNOWN;
    }

    @Override
    public Optional<Lock> tryLock(String name) {
      return Optional.of(() -> {
      });
    }
  }
}
