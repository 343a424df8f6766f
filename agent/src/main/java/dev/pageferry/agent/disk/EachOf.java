package dev.pageferry.agent.disk;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Does something to several files of which one's failure does not keep it from the others. */
final class EachOf {
  private EachOf() {
  }

  /** What is done to one. */
  interface Action<T> {
    void run(T one) throws IOException;
  }

  /** @throws IOException the first failure, with the others suppressed, after all were dealt with */
  static <T> void all(Iterable<T> all, Action<T> action) throws IOException {
    @Nullable
    IOException failure = null;
    for (T each : all) {
      try {
        action.run(each);
      } catch (IOException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
