package dev.pageferry.agent.migration;

/** How a VM's contents come to the other host. */
public enum Manner {
  /** Memory over data streams while the guest runs; its disks are on storage that both hosts reach. */
  LIVE,
  /** As live, and the disks' blocks with the memory. */
  SHARED_NOTHING,
  /** Memory by a file on storage that both hosts reach, while the guest stands. */
  QUICK
}
