package dev.pageferry.common.migration;

/**
 * The stages of migrations. A live one walks through SETUP, PRE_COPY, STOP_AND_COPY, STORAGE_HANDOFF, ACTIVATION,
 * NETWORK_CLEANUP; a quick one through SETUP, SAVE, STORAGE_HANDOFF, RESTORE, ACTIVATION, NETWORK_CLEANUP.
 */
public enum MigrationStage {
  /** The destination builds a skeleton of the VM and allocates its memory. */
  SETUP,
  /** Memory is copied in rounds while the VM runs. */
  PRE_COPY,
  /** The VM is paused; the last pages, registers and device state go over. */
  STOP_AND_COPY,
  /** The VM is paused; its memory, registers and device state go to a file on shared storage. */
  SAVE,
  /** The destination reads that file. */
  RESTORE,
  /** Disks are released and ownership is committed. */
  STORAGE_HANDOFF,
  /** The VM goes on at the destination. */
  ACTIVATION,
  /** Switches learn where the VM is now. */
  NETWORK_CLEANUP
}
