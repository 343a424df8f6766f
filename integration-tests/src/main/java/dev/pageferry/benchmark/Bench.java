package dev.pageferry.benchmark;

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
