package dev.pageferry.ferry.view;

import dev.pageferry.common.time.Ticker;

/** A line for every new headline, and one a second below the same headline. For logs and pipes. */
final class ProgressLines implements ProgressDisplay {
  private final Output output;
  private final Ticker ticker;
  private String shownHeadline = "";
  private long shownNanos;

  ProgressLines(Output output, Ticker ticker) {
    this.output = output;
    this.ticker = ticker;
  }

  @Override
  public void show(Progress progress) {
    if (progress.headline().equals(shownHeadline) && ticker.secondsSince(shownNanos) < 1) {
      return;
    }
    shownHeadline = progress.headline();
    shownNanos = ticker.nanos();
    output.message(progress.line());
  }

  @Override
  public void note(String line) {
    output.message(line);
  }

  @Override
  public void close() {
  }
}
