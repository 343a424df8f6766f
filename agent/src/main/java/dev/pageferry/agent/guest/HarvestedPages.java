package dev.pageferry.agent.guest;

import dev.pageferry.agent.memory.DirtyLog;
import dev.pageferry.agent.memory.PageBitmap;

/** The pages of a machine whose dirty log is ours: each harvest takes all that was written, and is a pass. */
public final class HarvestedPages implements PageSource {
  private final DirtyLog log;

  public HarvestedPages(DirtyLog log) {
    this.log = log;
  }

  @Override
  public void begin(PageBitmap into) {
    // vCPUs mark all the time. This harvest moves what they have marked so far into the ever-written set, too.
    log.harvest(into);
    log.addEverWritten(into);
  }

  @Override
  public boolean harvest(PageBitmap into) {
    log.harvest(into);
    return true;
  }

  @Override
  public boolean harvestRest(PageBitmap into) {
    log.harvest(into);
    return true;
  }

  @Override
  public boolean seemsDirty(long page) {
    return log.seemsDirty(page);
  }

  @Override
  public void close() {
    // The log goes on: it is the guest's.
  }
}
