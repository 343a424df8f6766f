package dev.pageferry.common.concurrent;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Those who are told of every change of something. One that fails is told no more; neither the others nor the change itself
 * suffer by it. Not safe for use by several threads at a time.
 *
 * @param <T> what they are told
 */
public final class Followers<T> {
  private static final Logger log = LoggerFactory.getLogger(Followers.class);

  private final List<Consumer<T>> followers = new ArrayList<>();

  public void add(Consumer<T> follower) {
    followers.add(follower);
  }

  public void remove(Consumer<T> follower) {
    followers.remove(follower);
  }

  public void clear() {
    followers.clear();
  }

  /** Tells all, in the order in which they came. A follower may add or remove followers, itself for one. */
  public void tell(T news) {
    for (Consumer<T> each : List.copyOf(followers)) {
      try {
        each.accept(news);
      } catch (RuntimeException e) {
        log.warn("a follower cannot be told, and is told no more: {}", e.toString());
        followers.remove(each);
      }
    }
  }
}
