package dev.pageferry.coordinator.cli;

/** Shows on stderr how something goes. Closing it leaves the cursor at the beginning of a line. */
interface ProgressDisplay extends AutoCloseable {
  void show(Progress progress);

  /** Says something in between. */
  void note(String line);

  @Override
  void close();

  /**
   * The display that suits whoever reads stderr: one line that changes on a terminal, else a line now
   * and then. Quiet commands show nothing, and neither does one that was not asked to.
   */
  static ProgressDisplay of(Session session, boolean wanted) {
    Output output = session.output();
    Surroundings surroundings = session.surroundings();
    if (!wanted || output.isQuiet()) {
      return new Hidden(output);
    }
    return surroundings.errIsTerminal().getAsBoolean()
        ? new ProgressBar(output, surroundings.ticker(), surroundings.environment().get("COLUMNS"))
        : new ProgressLines(output, surroundings.ticker());
  }

  /** Shows nothing but notes. */
  record Hidden(Output output) implements ProgressDisplay {
    @Override
    public void show(Progress progress) {
    }

    @Override
    public void note(String line) {
      output.message(line);
    }

    @Override
    public void close() {
    }
  }
}
