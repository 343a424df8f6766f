package dev.pageferry.coordinator.cli;

/** Ends the command with an exit code and one line for the operator: what, why, what to do. */
final class Failure extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int exitCode;

  Failure(int exitCode, String line) {
    super(line);
    this.exitCode = exitCode;
  }

  Failure(int exitCode, String line, Throwable cause) {
    super(line, cause);
    this.exitCode = exitCode;
  }

  int exitCode() {
    return exitCode;
  }
}
