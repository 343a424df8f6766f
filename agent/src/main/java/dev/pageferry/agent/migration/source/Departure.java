package dev.pageferry.agent.migration.source;

import java.util.function.Consumer;

/** A migration that leaves this host, as others see it: under way, or how it ended. */
public interface Departure {
  SourceStatus status();

  /** Calls back now and soon after every change, until {@link #unfollow}. */
  void follow(Consumer<SourceStatus> follower);

  void unfollow(Consumer<SourceStatus> follower);

  /** Ends the attempt; false if commit has been asked, or it is over. */
  boolean cancel();
}
