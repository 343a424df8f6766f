package dev.pageferry.agent.disk;

import dev.pageferry.agent.os.Linux;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A host in a process of its own, for a test that stops it: writes its epoch into sector after sector, round and round, says
 * so, and ends when it is refused.
 */
public final class StaleWriter {
  static final Duration LEASE = Duration.ofMillis(600);
  private static final Duration RENEWAL = Duration.ofMillis(50);

  private StaleWriter() {
  }

  /** Arguments: the storage, the disk's name, the sectors to go round in. */
  public static void main(String[] arguments) throws Exception {
    String boot = Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
    SharedStorage storage = new SharedStorage(Path.of(arguments[0]), new StorageLease.Holder("a", "stale", boot),
        new SharedStorage.Timing(LEASE, RENEWAL),
        new SharedStorage.Environment(new ProcessLocks(), Linux::bootTimeNanos,
            Scheduler.SYSTEM),
        Devices.SYSTEM, fenced -> {
        });
    DiskSet set = storage.open(List.of(storage.disks().show(arguments[1])), DiskClaim.orderly("vm-1", 1));
    long sectors = Long.parseLong(arguments[2]);
    ByteBuffer sector = ByteBuffer.allocate(512).putLong(0, 1);
    String reason = "";
    // While its lease is not live it tries again, as a vCPU does; once the disk is closed it is over.
    for (long i = 0; !set.isFenced(); i++) {
      try {
        set.disk(0).write(i % sectors * 512, sector.clear());
        if (i % 100 == 0) {
          System.out.println("written " + i);
        }
      } catch (IOException e) {
        reason = String.valueOf(e.getMessage());
      }
    }
    System.out.println("refused: " + reason);
    System.exit(0);
  }
}
