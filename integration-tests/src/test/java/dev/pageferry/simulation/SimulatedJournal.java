package dev.pageferry.simulation;

import dev.pageferry.agent.disk.BlockDevice;
import dev.pageferry.agent.disk.DiskSet;
import dev.pageferry.agent.guest.HeldDisks;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A guest's journal on its disk: numbered records, each safe before the next one is begun. */
final class SimulatedJournal {
  private static final int SLOTS = SimulatedDisk.BYTES / SimulatedDisk.RECORD_BYTES;

  private final HeldDisks disks;
  private long last;

  /** @param last that is on the disk */
  SimulatedJournal(HeldDisks disks, long last) {
    this.disks = disks;
    this.last = last;
  }

  /** The newest record on a disk that was just opened; 0: none. */
  static long lastOn(HeldDisks disks) throws IOException {
    ByteBuffer all = ByteBuffer.allocate(SimulatedDisk.BYTES);
    disks.devices().getFirst().read(0, all);
    long newest = 0;
    for (int slot = 0; slot < SLOTS; slot++) {
      newest = Math.max(newest, all.getLong(slot * SimulatedDisk.RECORD_BYTES));
    }
    return newest;
  }

  long last() {
    return last;
  }

  /** @return whether the next record is safe; if not, the same one is to be tried again */
  boolean append(long epoch) {
    DiskSet open = disks.disks();
    if (open == null) {
      return false;
    }
    long next = last + 1;
    ByteBuffer record = ByteBuffer.allocate(SimulatedDisk.RECORD_BYTES);
    record.putLong(0, next).putLong(Long.BYTES, epoch);
    BlockDevice disk = open.disk(0);
    try {
      disk.write(next % SLOTS * SimulatedDisk.RECORD_BYTES, record);
      disk.flush();
    } catch (IOException e) {
      return false;
    }
    last = next;
    return true;
  }
}
