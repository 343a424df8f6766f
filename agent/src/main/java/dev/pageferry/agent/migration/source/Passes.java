package dev.pageferry.agent.migration.source;

/**
 * Counts the passes of one migration over the guest's memory. Where we harvest the dirty log each round is a pass; where a machine
 * pushes pages one takes several rounds.
 */
final class Passes {
  private int over;
  private long pages;

  /** The first one begins. */
  void begin(long pagesToSend) {
    pages = pagesToSend;
  }

  /** One is over, and the next one begins. */
  void end(long pagesToSend) {
    over++;
    pages = pagesToSend;
  }

  /** How many are over. */
  int over() {
    return over;
  }

  /**
   * The share of the whole work that is done. The first pass is nearly all of it; later ones only ever shrink what is left.
   *
   * @param rest pages of this pass that are still to be sent
   */
  double done(long rest) {
    double ofPass = pages == 0 ? 1 : Math.clamp(1 - (double) rest / pages, 0, 1);
    return over == 0 ? 0.9 * ofPass : 1 - 0.1 * Math.pow(0.5, over - 1 + ofPass);
  }
}
