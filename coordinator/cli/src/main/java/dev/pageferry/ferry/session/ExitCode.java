package dev.pageferry.ferry.session;

/** What the command says to scripts when it ends. The numbers are promises. */
public final class ExitCode {
  public static final int DONE = 0;
  /** The operation failed; nothing was lost. */
  public static final int FAILED = 1;
  public static final int USAGE = 2;
  public static final int NOT_FOUND = 3;
  /** A precondition does not hold. */
  public static final int REFUSED = 4;
  /** The request was certainly not sent, or changes nothing. */
  public static final int UNREACHABLE = 5;
  /** The outcome is not known yet, or its answer was lost. */
  public static final int IN_DOUBT = 6;
  /** The VM was lost with a host that died. */
  public static final int VM_DOWN = 7;

  /** What was watched, or asked for, goes on. */
  public static final int INTERRUPTED = 130;

  private ExitCode() {
  }
}
