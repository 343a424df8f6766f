package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.proto.migration.v1.Ready;

/** How what a guest holds comes to its skeleton. */
interface Contents {
  /**
   * Waits until all of it is here, and checks it.
   *
   * @return what the source is to be told; it has not been yet
   */
  Ready await() throws MigrationFailure, InterruptedException;

  /** After all had come: more is to come. */
  void reopen() throws MigrationFailure;

  /** No more can come. */
  void end();

  /** The guest runs here: lets go of what was needed to receive it. */
  void giveMemoryBack();
}
