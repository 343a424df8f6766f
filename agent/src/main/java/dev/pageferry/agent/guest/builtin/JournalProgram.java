package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.BlockDevice;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.memory.VcpuDirtyLog;
import dev.pageferry.common.page.PageRange;
import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.OptionalLong;
import java.util.zip.CRC32C;

/**
 * A program that keeps a journal on its disk: every step appends one record and is done only after the flush that makes
 * the record safe, so that the steps of its vCPU are the records acknowledged since it booted. Each step also counts in
 * one word of RAM. A reader that knows nothing of the run can tell from the disk alone whether a record is missing, stands
 * twice, or was written by a host that was no longer the VM's (docs/STORAGE.md, "The journal").
 *
 * <p>A record is {@value #RECORD_BYTES} bytes, little-endian. The record of sequence number s stands in slot s modulo
 * the vCPU's slots; sequence numbers begin at 1 and go on over reboots.
 *
 * <pre>
 *  0 magic "PFJRNL01"    24 step since boot + 1       48 slots of this vCPU
 *  8 sequence number     32 ownership epoch           56 pseudo-random words, of the sequence number
 * 16 seq. before boot    40 first slot of this vCPU  508 CRC32C of [0, 508)
 * </pre>
 */
final class JournalProgram implements GuestProgram {
  static final int RECORD_BYTES = 512;
  private static final long MAGIC = 0x31304C4E524A4650L;
  private static final int SEQUENCE_AT = 8;
  private static final int BASE_AT = 16;
  private static final int STEP_AT = 24;
  private static final int EPOCH_AT = 32;
  private static final int FIRST_SLOT_AT = 40;
  private static final int SLOTS_AT = 48;
  private static final int PAYLOAD_AT = 56;
  private static final int CHECKSUM_AT = RECORD_BYTES - Integer.BYTES;

  private final int disk;
  private final long firstSlot;
  private final long slots;
  /** Where the steps are counted in RAM, too. */
  private final long counterPage;

  /**
   * @param firstSlot of this vCPU's part of the disk
   * @param slots at least 2, so that a torn record never takes the place of the last good one
   */
  JournalProgram(int disk, long firstSlot, long slots, long counterPage) {
    this.disk = disk;
    this.firstSlot = firstSlot;
    this.slots = slots;
    this.counterPage = counterPage;
  }

  @Override
  public Registers initialRegisters() {
    return new Registers();
  }

  @Override
  public Registers registersOfTwin(Registers original) {
    Registers registers = initialRegisters();
    // What the disk held at boot is no part of what a twin proves.
    registers.set(Registers.JOURNAL_BASE, original.get(Registers.JOURNAL_BASE));
    return registers;
  }

  @Override
  public Registers registersAtBoot(List<BlockDevice> disks) throws IOException {
    Registers registers = initialRegisters();
    registers.set(Registers.JOURNAL_BASE, lastSequence(disks.get(disk)));
    return registers;
  }

  @Override
  public int run(Registers registers, PageStore ram, long[] dirtyWords, int steps) {
    return 0;
  }

  @Override
  public DiskRequest nextRequest(Registers registers, PageStore ram, long epoch) {
    long base = registers.get(Registers.JOURNAL_BASE);
    long step = registers.get(Registers.PROGRAM_COUNTER) + 1;
    long sequence = base + step;
    ByteBuffer record = ByteBuffer.allocate(RECORD_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    record.putLong(0, MAGIC).putLong(SEQUENCE_AT, sequence).putLong(BASE_AT, base).putLong(STEP_AT, step)
        .putLong(EPOCH_AT, epoch).putLong(FIRST_SLOT_AT, firstSlot).putLong(SLOTS_AT, slots);
    for (int at = PAYLOAD_AT; at + Long.BYTES <= CHECKSUM_AT; at += Long.BYTES) {
      record.putLong(at, SplitMix64.mix(sequence * SplitMix64.GAMMA + at));
    }
    record.putInt(CHECKSUM_AT, checksum(record));
    return new DiskRequest(DiskRequest.Kind.WRITE, disk, offset(sequence), record, true);
  }

  @Override
  public void complete(Registers registers, PageStore ram, long[] dirtyWords, DiskRequest request) {
    long steps = registers.get(Registers.PROGRAM_COUNTER) + 1;
    VcpuDirtyLog.mark(dirtyWords, counterPage);
    ram.putLong(PageSize.bytesOf(counterPage), steps);
    registers.set(Registers.PROGRAM_COUNTER, steps);
  }

  private long offset(long sequence) {
    return (firstSlot + Math.floorMod(sequence, slots)) * RECORD_BYTES;
  }

  /**
   * The sequence number of the last record, 0 on a disk without any. Slots in order hold s, s+1, ... up to the last one, and
   * behind it older records or none; so the last one is found by halving. At most one slot, the one that was being
   * written, holds neither.
   */
  private long lastSequence(BlockDevice device) throws IOException {
    // Sequence number 0 is never written, so that slot 0 is filled by the second lap, slot 1 by the first record.
    OptionalLong first = sequenceAt(device, 1);
    if (first.isEmpty()) {
      // Nothing yet, or slot 1 was being written in a later lap: then its predecessor stands in slot 0.
      OptionalLong before = sequenceAt(device, 0);
      return before.orElse(0);
    }
    long low = 1;
    long high = slots;
    while (high - low > 1) {
      long middle = low + (high - low) / 2;
      OptionalLong there = sequenceAt(device, middle);
      if (there.isPresent() && there.getAsLong() == first.getAsLong() + middle - 1) {
        low = middle;
      } else {
        high = middle;
      }
    }
    long last = first.getAsLong() + low - 1;
    OptionalLong wrapped = sequenceAt(device, 0);
    return low == slots - 1 && wrapped.isPresent() && wrapped.getAsLong() == last + 1 ? last + 1 : last;
  }

  private OptionalLong sequenceAt(BlockDevice device, long slot) throws IOException {
    ByteBuffer record = ByteBuffer.allocate(RECORD_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    device.read((firstSlot + slot) * RECORD_BYTES, record);
    boolean valid = record.getLong(0) == MAGIC && record.getInt(CHECKSUM_AT) == checksum(record)
        && Math.floorMod(record.getLong(SEQUENCE_AT), slots) == slot && record.getLong(FIRST_SLOT_AT) == firstSlot
        && record.getLong(SLOTS_AT) == slots;
    return valid ? OptionalLong.of(record.getLong(SEQUENCE_AT)) : OptionalLong.empty();
  }

  private static int checksum(ByteBuffer record) {
    CRC32C crc = new CRC32C();
    crc.update(record.duplicate().position(0).limit(CHECKSUM_AT));
    return (int) crc.getValue();
  }

  static final class Kind extends ProgramDisk.Kind {
    Kind() {
      super(RECORD_BYTES);
    }

    @Override
    public String name() {
      return "journal";
    }

    /** Some 244 records a second. */
    @Override
    public String defaultRate() {
      return "1MB/s";
    }

    @Override
    GuestProgram program(VcpuPart part, int disk, PageRange slots) {
      return new JournalProgram(disk, slots.first(), slots.count(), part.share().first());
    }
  }
}
