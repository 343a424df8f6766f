package dev.pageferry.agent.migration;

import dev.pageferry.agent.wire.PageFrame;

/** Where a data stream gets its frames of one round. Called by that stream's I/O thread only; must not block. */
public interface PageFeed {
  /** What came of a call to {@link #fill}. */
  enum Result {
    /** The frame holds pages and waits for its header. */
    FILLED,
    /** The rate limit forbids more for now: ask again after {@link #waitNanos}. */
    WAIT,
    /** The round holds no more pages for this stream. */
    END
  }

  Result fill(PageFrame frame);

  /** How long to wait after {@link Result#WAIT}, nanoseconds. */
  long waitNanos();
}
