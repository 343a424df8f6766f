package dev.pageferry.ferry.view;

import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.cluster.v1.VerifyVmUpdate;
import java.util.Locale;

/** Makes progress out of replayed steps. The expected end follows from the speed so far. */
public final class ReplayProgress {
  private final String headline;
  private final Ticker ticker;
  private final long startNanos;

  public ReplayProgress(String vm, Ticker ticker) {
    this.headline = "replaying " + vm;
    this.ticker = ticker;
    this.startNanos = ticker.nanos();
  }

  public Progress after(VerifyVmUpdate update) {
    long total = update.getTotalSteps();
    // A VM at step 0 has nothing to replay: all of it is done.
    double done = total <= 0 ? 1 : Math.clamp((double) update.getReplayedSteps() / total, 0, 1);
    String percent = String.format(Locale.ROOT, "%d %% of %d steps", (int) (done * 100), total);
    double elapsed = ticker.secondsSince(startNanos);
    boolean predictable = done > 0 && done < 1 && elapsed > 0;
    return new Progress(headline,
        predictable ? percent + ", " + MigrationProgressText.left(elapsed / done * (1 - done)) : percent, done);
  }
}
