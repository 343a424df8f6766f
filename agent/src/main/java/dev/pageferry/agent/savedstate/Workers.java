package dev.pageferry.agent.savedstate;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Several threads at one piece of work, and one in the background as long as they are at it. The first failure ends all. */
final class Workers implements AutoCloseable {
  private static final int MOST = 8;
  private static final long BACKGROUND_POLL_MILLIS = 20;

  private final int count = Math.clamp(Runtime.getRuntime().availableProcessors(), 1, MOST);
  private final ExecutorService threads;
  private volatile boolean ending;
  private volatile boolean done;

  Workers(String name) {
    threads = Executors.newFixedThreadPool(count + 1, Thread.ofPlatform().daemon().name(name + "-", 0).factory());
  }

  /** Work that looks at {@link #isEnding} now and then. */
  interface Work {
    void run(Workers workers) throws IOException;
  }

  boolean isEnding() {
    return ending;
  }

  /** For the background: waits a moment; false once the others are done. */
  boolean awaitMore() throws IOException {
    try {
      TimeUnit.MILLISECONDS.sleep(BACKGROUND_POLL_MILLIS);
    } catch (InterruptedException e) {
      return false;
    }
    return !done && !ending;
  }

  /** Runs the work on every thread until all are through with it. */
  void run(Work work, Work background) throws IOException, InterruptedException {
    ExecutorCompletionService<Boolean> completion = new ExecutorCompletionService<>(threads);
    Future<?> behind = threads.submit(() -> {
      background.run(this);
      return true;
    });
    List<Future<Boolean>> running = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      running.add(completion.submit(() -> {
        work.run(this);
        return true;
      }));
    }
    for (int i = 0; i < running.size(); i++) {
      await(completion.take());
    }
    done = true;
    await(behind);
  }

  private static void await(Future<?> work) throws IOException, InterruptedException {
    try {
      work.get();
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case IOException file -> throw file;
        case RuntimeException wrong -> throw wrong;
        case Error grave -> throw grave;
        case null, default -> throw new IllegalStateException(e);
      }
    }
  }

  /** Ends all threads and waits for them: after this nobody touches the memory any more. */
  @Override
  public void close() {
    ending = true;
    threads.close();
  }
}
