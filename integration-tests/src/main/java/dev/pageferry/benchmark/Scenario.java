package dev.pageferry.benchmark;

/** One set of measurements. Its outcome keeps what was measured before a run failed. */
interface Scenario {
  Outcome outcome();

  /**
   * Measures; may be called once.
   *
   * @throws BenchmarkException
   *           if it cannot go on
   */
  void run();
}
