package dev.pageferry.benchmark;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What scenarios work with.
 *
 * @param pairs
 *          how many interleaved pairs to measure
 * @param memoryBytes
 *          RAM of the VM of P1 and P2
 * @param cluster
 *          null when only the peers are measured
 */
record Bench(Progress progress, Children children, CleanUp cleanUp, boolean quick, int pairs, long memoryBytes,
    @Nullable Cluster cluster) {
  static final long MEBIBYTE = 1L << 20;
  /** What the agents' own processes, QEMU's and this one need beside guest RAM. */
  private static final long OTHER_MEMORY_BYTES = 1536 * MEBIBYTE;

  /** Moves before the first that counts, each way as often: code and memory of both hosts are warm then. */
  static final int WARM_UP_MOVES = 6;
  /** A host wipes the memory that a VM has left, which would take time from what is measured next. */
  private static final Duration SETTLING = Duration.ofMillis(1500);

  /** Moves a VM until figures count. */
  void warmUp(Cluster.Vm vm) {
    for (int i = 0; i < WARM_UP_MOVES; i++) {
      vm.move();
    }
    settle();
  }

  /** Waits until hosts have tidied up after a move. */
  void settle() {
    pass(SETTLING);
  }

  /** Lets time pass. */
  void pass(Duration time) {
    try {
      Thread.sleep(time);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BenchmarkException("interrupted", e);
    }
  }

  Cluster requireCluster() {
    if (cluster == null) {
      throw new IllegalStateException("no cluster");
    }
    return cluster;
  }

  /**
   * Why a migration by QEMU cannot be measured here, next to so much RAM of other VMs; null when it
   * can.
   */
  @Nullable
  String qemuObstacle(long qemuMemoryBytes, long otherMemoryBytes) {
    if (!QemuPeer.installed()) {
      return QemuMachine.PROGRAM + " is not installed, so nothing is compared with QEMU.";
    }
    long needed = 2 * qemuMemoryBytes + otherMemoryBytes + OTHER_MEMORY_BYTES;
    long available = KernelCounters.memoryAvailableBytes();
    if (available < needed || GuestMemoryFile.freeBytes() < 2 * qemuMemoryBytes) {
      return "QEMU needs more memory than is free (" + needed / MEBIBYTE + " MiB in all, " + available / MEBIBYTE
          + " MiB available, " + GuestMemoryFile.freeBytes() / MEBIBYTE + " MiB in /dev/shm).";
    }
    return null;
  }
}
