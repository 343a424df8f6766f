package dev.pageferry.agent.guest.qemu;

/**
 * Flash memory of a machine with UEFI. What it holds moves with the machine: only its size has to be the same everywhere.
 *
 * @param codeBytes of the one that holds the firmware
 * @param variablesBytes of the one that holds variables, which the guest writes
 */
record UefiFirmware(long codeBytes, long variablesBytes) {
  private static final long MOST_BYTES = 8 << 20;

  UefiFirmware {
    if (codeBytes <= 0 || codeBytes > MOST_BYTES || variablesBytes <= 0 || variablesBytes > MOST_BYTES) {
      throw new IllegalArgumentException("UEFI firmware of %d bytes with %d bytes of variables".formatted(codeBytes,
          variablesBytes));
    }
  }
}
