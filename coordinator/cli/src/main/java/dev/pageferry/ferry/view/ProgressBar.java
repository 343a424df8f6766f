package dev.pageferry.ferry.view;

import dev.pageferry.common.time.Ticker;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * One line of a terminal, drawn over itself:
 *
 * <pre>
 * [====>     ]  45 % pre-copy round 2: rest 12.5 MiB, 2.71 GB/s, about 0.1 s left
 * </pre>
 *
 * Safe for the command's thread and the one that reports Ctrl-C.
 */
final class ProgressBar implements ProgressDisplay {
  private static final int DEFAULT_COLUMNS = 80;
  private static final int SHORT_BAR = 10;
  private static final int LONG_BAR = 30;
  /** From this width on, a long bar leaves room for what is said behind it. */
  private static final int WIDE_COLUMNS = 110;
  /** More would only flicker. */
  private static final double SECONDS_BETWEEN_DRAWINGS = 0.1;
  private static final String ERASE_LINE = "\r\u001b[K";

  private final Output output;
  private final Ticker ticker;
  private final int columns;
  private final int barLength;
  private double done;
  private String shownHeadline = "";
  private long drawnNanos;
  private String line = "";

  ProgressBar(Output output, Ticker ticker, @Nullable String columns) {
    this.output = output;
    this.ticker = ticker;
    // A line as wide as the terminal would wrap, and then nothing is drawn over itself any more.
    this.columns = parse(columns) - 1;
    this.barLength = this.columns >= WIDE_COLUMNS ? LONG_BAR : SHORT_BAR;
  }

  @Override
  public synchronized void show(Progress progress) {
    done = Math.max(done, Math.clamp(progress.done(), 0, 1));
    boolean news = !progress.headline().equals(shownHeadline);
    line = bar() + progress.line();
    if (news || ticker.secondsSince(drawnNanos) >= SECONDS_BETWEEN_DRAWINGS) {
      shownHeadline = progress.headline();
      drawnNanos = ticker.nanos();
      draw();
    }
  }

  @Override
  public synchronized void note(String note) {
    output.draw(ERASE_LINE);
    output.message(note);
    draw();
  }

  @Override
  public synchronized void close() {
    if (!line.isEmpty()) {
      draw();
      output.draw(System.lineSeparator());
      line = "";
    }
  }

  private void draw() {
    if (!line.isEmpty()) {
      output.draw(ERASE_LINE + line.substring(0, Math.min(line.length(), columns)));
    }
  }

  private String bar() {
    int full = (int) (done * barLength);
    String bar = "=".repeat(full) + (full == barLength ? "" : ">" + " ".repeat(barLength - full - 1));
    return String.format(Locale.ROOT, "[%s] %3d %% ", bar, (int) (done * 100));
  }

  private static int parse(@Nullable String columns) {
    try {
      return columns == null ? DEFAULT_COLUMNS : Math.max(SHORT_BAR, Integer.parseInt(columns));
    } catch (NumberFormatException e) {
      return DEFAULT_COLUMNS;
    }
  }
}
