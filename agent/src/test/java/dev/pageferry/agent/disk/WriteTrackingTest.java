package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.disk.TestDevices.HungFlush;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** A disk that several threads use at once. */
class WriteTrackingTest extends SharedStorageFixture {
  private static final int WRITERS = 3;
  private static final int WRITES = 3000;

  @Test
  void aRequestThatHangsHoldsUpNoOtherOfItsDisk() throws Exception {
    DiskSet set = host("a", "m1").open(disks.subList(0, 1), FIRST);
    HungFlush flush = devices.hang("data.vhd");
    Task inFlight = Scheduler.SYSTEM.startBlocking("in-flight", () -> flush(set.disk(0)));
    flush.awaitBegun();
    set.disk(0).write(0, ByteBuffer.wrap(new byte[]{1, 2, 3}));
    ByteBuffer read = ByteBuffer.allocate(3);
    set.disk(0).read(0, read);
    assertThat(read.array()).containsExactly(1, 2, 3);
    flush.end();
    assertThat(inFlight.join(Duration.ofSeconds(10))).isTrue();
  }

  private static void flush(BlockDevice disk) {
    try {
      disk.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A write that was noted and not done when the notes were taken would be missing in the copy. */
  @Test
  void blocksThatAreCopiedWhenTheyAreNotedMakeTheSameDiskInTheEnd() throws Exception {
    DiskSet set = host("a", "m1").open(disks.subList(0, 1), FIRST);
    BlockDevice disk = set.disk(0);
    byte[] copy = new byte[(int) disk.sizeBytes()];
    try (WriteTracking tracking = set.trackWrites()) {
      List<Task> writers = new ArrayList<>();
      for (int i = 0; i < WRITERS; i++) {
        int seed = i;
        writers.add(Scheduler.SYSTEM.startBlocking("writer", () -> write(disk, new Random(seed))));
      }
      do {
        copyNoted(tracking.harvest(0), disk, copy);
      } while (writers.stream().anyMatch(Task::isAlive));
      copyNoted(tracking.harvest(0), disk, copy);
    }
    ByteBuffer all = ByteBuffer.allocate(copy.length);
    disk.read(0, all);
    assertThat(copy).isEqualTo(all.array());
  }

  /** Few blocks, so that they are often written while they are copied. */
  private static void write(BlockDevice disk, Random random) {
    try {
      for (int i = 0; i < WRITES; i++) {
        byte[] content = new byte[512];
        random.nextBytes(content);
        disk.write(random.nextInt(64) * 512L, ByteBuffer.wrap(content));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void copyNoted(BitSet blocks, BlockDevice disk, byte[] copy) throws IOException {
    for (int block = blocks.nextSetBit(0); block >= 0; block = blocks.nextSetBit(block + 1)) {
      ByteBuffer read = ByteBuffer.allocate(PageSize.BYTES);
      disk.read((long) block * PageSize.BYTES, read);
      System.arraycopy(read.array(), 0, copy, block * PageSize.BYTES, PageSize.BYTES);
    }
  }
}
