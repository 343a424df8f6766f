package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.PageFeed;
import dev.pageferry.agent.wire.PageFrame;

/** One feed behind another, as one stream's share of a round. */
final class FeedSequence implements PageFeed {
  private final PageFeed second;
  private PageFeed current;

  FeedSequence(PageFeed first, PageFeed second) {
    this.second = second;
    this.current = first;
  }

  @Override
  public Result fill(PageFrame frame) {
    Result result = current.fill(frame);
    if (result == Result.END && current != second) {
      current = second;
      return second.fill(frame);
    }
    return result;
  }

  @Override
  public long waitNanos() {
    return current.waitNanos();
  }
}
