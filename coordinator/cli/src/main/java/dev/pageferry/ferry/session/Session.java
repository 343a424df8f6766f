package dev.pageferry.ferry.session;

import dev.pageferry.ferry.config.Configuration;
import dev.pageferry.ferry.view.Output;
import dev.pageferry.ferry.view.ProgressDisplay;
import java.util.Map;
import java.util.function.ToIntFunction;

/** What a command works with while it runs. */
public record Session(Output output, Connection connection, Surroundings surroundings) {
  /** The display of progress that suits whoever reads stderr. */
  public ProgressDisplay progress(boolean wanted) {
    return ProgressDisplay.of(output, surroundings.ticker(), surroundings.errIsTerminal(),
        surroundings.environment().get("COLUMNS"), wanted);
  }

  /**
   * What a command works with that asks no coordinator.
   *
   * @param flags global options that were given, by name: {@code tls-cert}
   */
  public record Local(Output output, Surroundings surroundings, Configuration configuration,
      Map<String, String> flags) {
  }

  /** Runs a command body within a session. */
  public interface Opener {
    /** Settles the global options, runs the body, and gives its exit code. The first call connects. */
    int inSession(ToIntFunction<Session> body);

    /** The same for a body that asks no coordinator: nothing is opened for it. */
    int locally(ToIntFunction<Local> body);
  }
}
