package dev.pageferry.agent.stress;

import java.util.concurrent.ThreadLocalRandom;

/** Has the two actors of a schedule run at the same time, by turns the one first and the other. */
public final class Meeting {
  /** The outcome that a schedule must never have, and one with a mistake in it must have. */
  public static final String WRONG = "wrong";

  private static final int SPINS = 12;
  /** Long enough to meet a thread that has a processor, short enough to go on where there is none for it. */
  private static final int PATIENCE = 200;
  private static final int MAX_JITTER = 64;

  private volatile boolean oneHere;
  private volatile boolean otherHere;
  private final int jitter = ThreadLocalRandom.current().nextInt(MAX_JITTER);

  /** The one actor is about to begin. */
  public void one() {
    oneHere = true;
    for (int i = 0; i < PATIENCE && !otherHere; i++) {
      Thread.onSpinWait();
    }
    spin(jitter);
  }

  /** The other actor is about to begin. */
  public void other() {
    otherHere = true;
    for (int i = 0; i < PATIENCE && !oneHere; i++) {
      Thread.onSpinWait();
    }
    spin(MAX_JITTER - jitter);
  }

  /** Something that takes a while, so that the other actor may come in between. */
  public static void work() {
    spin(SPINS);
  }

  private static void spin(int times) {
    for (int i = 0; i < times; i++) {
      Thread.onSpinWait();
    }
  }
}
