package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.memory.VcpuDirtyLog;
import dev.pageferry.common.page.PageRange;
import dev.pageferry.common.page.PageSize;
import java.nio.ByteBuffer;

/**
 * A program that mixes memory and disk: {@value #STEPS_PER_REQUEST} - 1 stores into random pages, then a disk step, in
 * turn a write of one of its pages to the next slot of its part of the disk and a read of any slot that it wrote before
 * into another page. A block that is lost, doubled or stale on disk thus ends up as a wrong page in RAM, where a replayed
 * twin finds it. Every {@value #WRITES_PER_FLUSH}th write flushes.
 */
final class DiskMixProgram implements GuestProgram {
  private static final int BLOCK_BYTES = PageSize.BYTES;
  private static final int STEPS_PER_REQUEST = 64;
  private static final int WRITES_PER_FLUSH = 16;
  /** Of one vCPU: a twin keeps them all in memory. */
  private static final long MAX_BLOCKS = 4096;

  private final WritingProgram writer;
  private final PageRange pages;
  private final int disk;
  private final long firstSlot;
  private final long slots;

  /** @param slots blocks of this vCPU's part of the disk, at least one */
  private DiskMixProgram(long seed, PageRange pages, int disk, long firstSlot, long slots) {
    this.writer = new UniformProgram(seed, pages);
    this.pages = pages;
    this.disk = disk;
    this.firstSlot = firstSlot;
    this.slots = slots;
  }

  @Override
  public Registers initialRegisters() {
    return writer.initialRegisters();
  }

  @Override
  public int run(Registers registers, PageStore ram, long[] dirtyWords, int steps) {
    long untilRequest = STEPS_PER_REQUEST - 1 - registers.get(Registers.PROGRAM_COUNTER) % STEPS_PER_REQUEST;
    int stores = (int) Math.min(steps, untilRequest);
    return writer.run(registers, ram, dirtyWords, stores);
  }

  @Override
  public DiskRequest nextRequest(Registers registers, PageStore ram, long epoch) {
    long written = registers.get(Registers.BLOCKS_WRITTEN);
    long random = SplitMix64.mix(registers.get(Registers.RANDOM));
    ByteBuffer block = ByteBuffer.allocate(BLOCK_BYTES);
    if (isWrite(registers)) {
      ram.copyOut(pages.first() + SplitMix64.bounded(random, pages.count()), 1, block, 0);
      return request(DiskRequest.Kind.WRITE, written % slots, block, (written + 1) % WRITES_PER_FLUSH == 0);
    }
    return request(DiskRequest.Kind.READ, SplitMix64.bounded(random, Math.min(written, slots)), block, false);
  }

  @Override
  public boolean readsBack() {
    return true;
  }

  private DiskRequest request(DiskRequest.Kind kind, long slot, ByteBuffer block, boolean flushes) {
    return new DiskRequest(kind, disk, (firstSlot + slot) * BLOCK_BYTES, block, flushes);
  }

  /** Writes and reads take turns, beginning with a write: a read finds a block of this boot. */
  private static boolean isWrite(Registers registers) {
    return registers.get(Registers.PROGRAM_COUNTER) / STEPS_PER_REQUEST % 2 == 0;
  }

  @Override
  public void complete(Registers registers, PageStore ram, long[] dirtyWords, DiskRequest request) {
    if (isWrite(registers)) {
      registers.set(Registers.BLOCKS_WRITTEN, registers.get(Registers.BLOCKS_WRITTEN) + 1);
    } else {
      // Another page than the random bits that chose the slot would give.
      long random = SplitMix64.mix(~registers.get(Registers.RANDOM));
      long page = pages.first() + SplitMix64.bounded(random, pages.count());
      VcpuDirtyLog.mark(dirtyWords, page);
      ram.copyIn(page, request.data(), 0);
    }
    registers.set(Registers.PROGRAM_COUNTER, registers.get(Registers.PROGRAM_COUNTER) + 1);
  }

  static final class Kind extends ProgramDisk.Kind {
    Kind() {
      super(BLOCK_BYTES);
    }

    @Override
    public String name() {
      return "diskmix";
    }

    @Override
    GuestProgram program(VcpuPart part, int disk, PageRange blocks) {
      return new DiskMixProgram(part.seed(), part.workingSet(), disk, blocks.first(),
          Math.min(blocks.count(), MAX_BLOCKS));
    }

    @Override
    public void verify(VcpuPart part, Registers registers) {
      long steps = registers.get(Registers.PROGRAM_COUNTER);
      // Of two requests the first is a write.
      long writes = (steps / STEPS_PER_REQUEST + 1) / 2;
      if (registers.get(Registers.BLOCKS_WRITTEN) != writes) {
        throw new IllegalArgumentException("vCPU %d has written %d blocks at step %d; expected %d".formatted(
            part.vcpu(), registers.get(Registers.BLOCKS_WRITTEN), steps, writes));
      }
    }
  }
}
