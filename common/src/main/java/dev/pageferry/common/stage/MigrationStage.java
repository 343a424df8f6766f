package dev.pageferry.common.stage;

/** The six stages of a live migration, in order. */
public enum MigrationStage {
  /** The destination builds a skeleton of the VM and allocates its memory. */
  SETUP,
  /** Memory is copied in rounds while the VM runs. */
  PRE_COPY,
  /** The VM is paused; the last pages, registers and device state go over. */
  STOP_AND_COPY,
  /** Disks are released and ownership is committed. */
  STORAGE_HANDOFF,
  /** The VM goes on at the destination. */
  ACTIVATION,
  /** Switches learn where the VM is now. */
  NETWORK_CLEANUP
}
