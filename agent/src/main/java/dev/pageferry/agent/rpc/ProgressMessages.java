package dev.pageferry.agent.rpc;

import dev.pageferry.proto.agent.v1.SavedStateProgress;
import java.util.function.Consumer;

/** Turns what many threads say they have done into a message now and then, from one of them at a time. */
final class ProgressMessages {
  private static final long INTERVAL_NANOS = 100_000_000;

  private final long totalBytes;
  private final Consumer<SavedStateProgress> listener;
  private long doneBytes;
  private long toldNanos = System.nanoTime();

  ProgressMessages(long totalBytes, Consumer<SavedStateProgress> listener) {
    this.totalBytes = totalBytes;
    this.listener = listener;
  }

  synchronized void add(long bytes) {
    doneBytes += bytes;
    long now = System.nanoTime();
    if (now - toldNanos >= INTERVAL_NANOS) {
      toldNanos = now;
      listener.accept(now());
    }
  }

  synchronized SavedStateProgress now() {
    return SavedStateProgress.newBuilder().setDoneBytes(Math.min(doneBytes, totalBytes)).setTotalBytes(totalBytes)
        .build();
  }
}
