package dev.pageferry.benchmark;

import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * What has to be undone when the benchmark ends, however it ends: processes to stop, files of
 * shared memory to delete. Undone in reverse order by a shutdown hook when Ctrl-C or an error
 * leaves something behind. Safe for use by threads.
 */
final class CleanUp {
  private final Deque<Owned> owned = new ArrayDeque<>();
  /** Null until the end. What it undoes may start programs of its own, and they are owned too. */
  private @Nullable Thread ending;

  CleanUp() {
    Runtime.getRuntime().addShutdownHook(new Thread(this::end, "clean-up"));
  }

  /** Something that is undone at most once: by its owner, or at the end. */
  final class Owned implements AutoCloseable {
    private final Runnable undo;

    private Owned(Runnable undo) {
      this.undo = undo;
    }

    @Override
    public void close() {
      boolean first;
      synchronized (CleanUp.this) {
        first = owned.remove(this);
      }
      if (first) {
        undo.run();
      }
    }
  }

  Owned own(Runnable undo) {
    Owned added = new Owned(undo);
    boolean late;
    synchronized (this) {
      late = ending != null && ending != Thread.currentThread();
      if (!late) {
        owned.push(added);
      }
    }
    if (late) {
      undo.run();
      throw new BenchmarkException("the benchmark is ending");
    }
    return added;
  }

  private void end() {
    Deque<Owned> left;
    synchronized (this) {
      ending = Thread.currentThread();
      left = new ArrayDeque<>(owned);
    }
    for (Owned each : left) {
      try {
        each.close();
      } catch (RuntimeException e) {
        System.err.println("clean-up: " + e.getMessage());
      }
    }
  }
}
