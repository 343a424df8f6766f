package dev.pageferry.station;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** A conversation that goes on by itself until it is ended. */
public final class BackgroundConversation {
  private final Conversation conversation;
  private final FutureTask<Conversation> task;
  private volatile boolean over;

  /** Begins it. */
  public BackgroundConversation(KeyValueClient client, long seed) {
    conversation = new Conversation(client, seed);
    task = new FutureTask<>(() -> {
      while (!over) {
        conversation.step();
      }
      conversation.checkAll();
      return conversation;
    });
    Thread.ofPlatform().daemon().name("conversation").start(task);
  }

  /** Changes that were acknowledged so far. */
  public long changes() {
    return conversation.changes();
  }

  /** Whether it broke, or was ended. */
  public boolean isOver() {
    return task.isDone();
  }

  /** Lets it end; returns at once. */
  public void leave() {
    over = true;
  }

  /**
   * Ends it, and looks whether everything that was said holds.
   *
   * @throws ExecutionException if it broke, or something does not
   */
  public Conversation end() throws ExecutionException, InterruptedException {
    leave();
    return task.get();
  }
}
