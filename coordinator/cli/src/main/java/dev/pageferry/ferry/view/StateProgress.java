package dev.pageferry.ferry.view;

import dev.pageferry.common.time.Ticker;
import dev.pageferry.common.units.Bandwidth;
import dev.pageferry.common.units.ByteSize;

/** Makes progress out of bytes that were written to, or read from, a saved state. */
public final class StateProgress {
  /** The rate of the first moment says little about the others. */
  private static final double TELLING_SECONDS = 0.5;

  private final String headline;
  private final Ticker ticker;
  private final long startNanos;

  public StateProgress(String headline, Ticker ticker) {
    this.headline = headline;
    this.ticker = ticker;
    this.startNanos = ticker.nanos();
  }

  public Progress after(long doneBytes, long totalBytes) {
    double done = totalBytes <= 0 ? 0 : Math.clamp((double) doneBytes / totalBytes, 0, 1);
    double rate = doneBytes / Math.max(1e-9, ticker.secondsSince(startNanos));
    String details = "%s of %s".formatted(ByteSize.format(doneBytes), ByteSize.format(totalBytes));
    if (done > 0 && done < 1 && ticker.secondsSince(startNanos) >= TELLING_SECONDS) {
      details += ", %s, %s".formatted(Bandwidth.format(rate),
          MigrationProgressText.left((totalBytes - doneBytes) / rate));
    }
    return new Progress(headline, details, done);
  }
}
