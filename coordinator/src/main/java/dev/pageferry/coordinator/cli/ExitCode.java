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
  /** The request was certainly not sent, or changes nothing. */
  static final int UNREACHABLE = 5;
  /** The outcome is not known yet, or its answer was lost. */
  static final int IN_DOUBT = 6;
  /** The VM was lost with a host that died. */
  static final int VM_DOWN = 7;

  private ExitCode() {
  }
}
