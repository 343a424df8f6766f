package dev.pageferry.agent.memory;

/** The dirty log of one vCPU as a stress test drives it: the real one, or one with a mistake in it. */
interface StressedLog {
  long[] words();

  void poll();

  void park();

  void unpark();

  /** First half of a harvest. */
  void request();

  /** Second half of a harvest; from its return on, pages may be copied. */
  void collect(PageBitmap harvest);

  /** The log that the product uses, for at most 64 pages. */
  static StressedLog of(VcpuDirtyLog log) {
    AtomicPageBitmap everWritten = new AtomicPageBitmap(64);
    return new StressedLog() {
      @Override
      public long[] words() {
        return log.words();
      }

      @Override
      public void poll() {
        log.poll();
      }

      @Override
      public void park() {
        log.park();
      }

      @Override
      public void unpark() {
        log.unpark();
      }

      @Override
      public void request() {
        log.request();
      }

      @Override
      public void collect(PageBitmap harvest) {
        log.collect(harvest, everWritten);
      }
    };
  }
}
