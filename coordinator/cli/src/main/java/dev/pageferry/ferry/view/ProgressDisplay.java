package dev.pageferry.ferry.view;

import dev.pageferry.common.time.Ticker;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** Shows on stderr how something goes. Closing it leaves the cursor at the beginning of a line. */
public interface ProgressDisplay extends AutoCloseable {
  void show(Progress progress);

  /** Says something in between. */
  void note(String line);

  @Override
  void close();

  /**
   * The display that suits whoever reads stderr: one line that changes on a terminal, else a line now
   * and then. Quiet commands show nothing, and neither does one that was not asked to.
   *
   * @param isTerminal
   *          asked only when it matters
   * @param columns
   *          width of the terminal, if known
   */
  static ProgressDisplay of(Output output, Ticker ticker, BooleanSupplier isTerminal, @Nullable String columns,
      boolean wanted) {
    if (!wanted || output.isQuiet()) {
      return new Hidden(output);
    }
    return isTerminal.getAsBoolean() ? new ProgressBar(output, ticker, columns) : new ProgressLines(output, ticker);
  }

  /** Shows nothing but notes. */
  record Hidden(Output output) implements ProgressDisplay {
    @Override
    public void show(Progress progress) {
    }

    @Override
    public void note(String line) {
      output.message(line);
    }

    @Override
    public void close() {
    }
  }
}
