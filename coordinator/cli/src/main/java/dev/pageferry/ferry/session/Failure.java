package dev.pageferry.ferry.session;

/** Ends the command with an exit code and one line for the operator: what, why, what to do. */
public final class Failure extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int exitCode;

  public Failure(int exitCode, String line) {
    super(line);
    this.exitCode = exitCode;
  }

  public Failure(int exitCode, String line, Throwable cause) {
    super(line, cause);
    this.exitCode = exitCode;
  }

  public int exitCode() {
    return exitCode;
  }
}
