package dev.pageferry.ferry.session;

import dev.pageferry.ferry.view.Output;
import dev.pageferry.ferry.view.ProgressDisplay;
import java.util.function.ToIntFunction;

/** What a command works with while it runs. */
public record Session(Output output, Connection connection, Surroundings surroundings) {
  /** The display of progress that suits whoever reads stderr. */
  public ProgressDisplay progress(boolean wanted) {
    return ProgressDisplay.of(output, surroundings.ticker(), surroundings.errIsTerminal(),
        surroundings.environment().get("COLUMNS"), wanted);
  }

  /** Runs a command body within a session. */
  public interface Opener {
    /** Settles the global options, runs the body, and gives its exit code. The first call connects. */
    int inSession(ToIntFunction<Session> body);
  }
}
