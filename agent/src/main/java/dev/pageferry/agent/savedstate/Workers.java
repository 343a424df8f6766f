package dev.pageferry.agent.savedstate;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** As many threads as there are processors, at one piece of work. The first failure ends all. */
final class Workers implements AutoCloseable {
  private static final int MOST = 8;

  private final int count = Math.clamp(Runtime.getRuntime().availableProcessors(), 1, MOST);
  private final ExecutorService threads;
  private volatile boolean ending;

  Workers(String name) {
    threads = Executors.newFixedThreadPool(count, Thread.ofPlatform().daemon().name(name + "-", 0).factory());
  }

  /** Work that looks at {@link #isEnding} now and then. */
  interface Work {
    void run(Workers workers) throws IOException;
  }

  boolean isEnding() {
    return ending;
  }

  /** Runs the work on every thread until all are through with it. */
  void run(Work work) throws IOException, InterruptedException {
    ExecutorCompletionService<Boolean> completion = new ExecutorCompletionService<>(threads);
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
  }

  private static void await(Future<Boolean> work) throws IOException, InterruptedException {
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
