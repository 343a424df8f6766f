package dev.pageferry.coordinator.cli;

/** What the command says to scripts when it ends. The numbers are promises. */
final class ExitCode {
  static final int DONE = 0;
  /** The operation failed; nothing was lost. */
  static final int FAILED = 1;
  static final int USAGE = 2;
  static final int NOT_FOUND = 3;
  /** A precondition does not hold. */
  static final int REFUSED = 4;
  static final int UNREACHABLE = 5;
  /** The outcome is not known yet. */
  static final int IN_DOUBT = 6;
  /** The migration's destination died with the VM after the commit: the VM is down. */
  static final int VM_DOWN = 7;

  private ExitCode() {
  }
}
