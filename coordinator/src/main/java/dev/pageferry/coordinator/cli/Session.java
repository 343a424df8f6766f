package dev.pageferry.coordinator.cli;

import java.util.function.ToIntFunction;

/** What a command works with while it runs. */
record Session(Output output, Connection connection, Surroundings surroundings) {
  /** Runs a command body within a session. */
  interface Opener {
    /** Settles the global options, runs the body, and gives its exit code. The first call connects. */
    int inSession(ToIntFunction<Session> body);
  }
}
