package dev.pageferry.agent.guest;

import dev.pageferry.agent.memory.PageBitmap;
import java.io.IOException;

/**
 * Tells, for one migration, which pages of a guest the destination lacks. The numbers come from here; the contents are read from
 * the guest's RAM at any time after that.
 *
 * <p><b>Why no write is lost.</b> A page that is written after it was handed over here is handed over again, and the store of a
 * write whose page is handed over is visible to whoever reads RAM afterwards. So of each page the last contents are sent, or
 * it is still to be handed over. How a machine keeps that is its own matter: the built-in one lets its dirty log be harvested;
 * of others the kernel knows what they wrote, or they push what they find ({@link PushedPages}).
 *
 * <p>A round of the wire is what was handed over since the one before; it has each page once. A <i>pass</i> is over when all that
 * had been written by the beginning of the pass was handed over: only then do figures tell whether the rest shrinks. Where we
 * harvest, each harvest is a pass; where pages are pushed, a pass may take many rounds.
 *
 * <p>One caller at a time, but for {@link #seemsDirty}.
 */
public interface PageSource extends AutoCloseable {
  /**
   * Begins: adds pages that may hold something else than zeros. Those that are missing come by the harvests of the first pass.
   *
   * @throws IOException if the machine failed, here and below
   */
  void begin(PageBitmap into) throws IOException, InterruptedException;

  /**
   * Adds what is to be sent beside that, while the guest runs. Where a machine takes its time to find pages this waits for enough
   * of them to be worth a round, but not long: it adds none then.
   *
   * @return whether a pass is over
   */
  boolean harvest(PageBitmap into) throws IOException, InterruptedException;

  /**
   * As {@link #harvest}, while the guest is paused.
   *
   * @return whether that was all; the guest's state may be asked for then
   */
  boolean harvestRest(PageBitmap into) throws IOException, InterruptedException;

  /** A hint whether the page is about to be handed over again. Never the only record of it. Called by any thread, for each page. */
  boolean seemsDirty(long page);

  /** Pages that are known to be written and were not handed over yet: part of the rest. 0 where the log is ours. By any thread. */
  default long waitingPages() {
    return 0;
  }

  /** How fast the machine hands over what waits; infinite where nothing does. */
  default double pagesPerSecond() {
    return Double.POSITIVE_INFINITY;
  }

  /** Ends it. Idempotent. */
  @Override
  void close();
}
