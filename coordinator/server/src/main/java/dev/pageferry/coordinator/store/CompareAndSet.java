package dev.pageferry.coordinator.store;

import java.util.Optional;

/** Changing what others change at the same time: read, decide, write if nothing has changed since, and once more if it has. */
public final class CompareAndSet {
  /** Every lost race means that another change won: this many in a row do not happen. */
  private static final int MAX_RACES = 100;

  private CompareAndSet() {
  }

  /** One reading, and what is written on its strength. */
  public interface Attempt<T, E extends Exception> {
    /** @return empty if something changed between the reading and the writing */
    Optional<T> once() throws E;
  }

  /**
   * @param what is changed, for the message of the error
   * @return what the attempt that won came to
   * @throws IllegalStateException if none of a hundred wins
   */
  public static <T, E extends Exception> T untilItHolds(String what, Attempt<T, E> attempt) throws E {
    for (int i = 0; i < MAX_RACES; i++) {
      Optional<T> done = attempt.once();
      if (done.isPresent()) {
        return done.get();
      }
    }
    throw new IllegalStateException("%s changed %d times in a row".formatted(what, MAX_RACES));
  }
}
