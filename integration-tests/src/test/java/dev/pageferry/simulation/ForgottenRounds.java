package dev.pageferry.simulation;

import dev.pageferry.agent.guest.HarvestedPages;
import dev.pageferry.agent.guest.PageSource;
import dev.pageferry.agent.memory.DirtyLog;
import dev.pageferry.agent.memory.PageBitmap;
import java.io.IOException;

/** A planted fault: what an attempt before took from the log is not put back for this one. */
final class ForgottenRounds implements PageSource {
  private final PageSource pages;

  ForgottenRounds(DirtyLog log) {
    pages = new HarvestedPages(log);
  }

  @Override
  public void begin(PageBitmap into) throws IOException, InterruptedException {
    boolean unused = pages.harvest(into);
  }

  @Override
  public boolean harvest(PageBitmap into) throws IOException, InterruptedException {
    return pages.harvest(into);
  }

  @Override
  public boolean harvestRest(PageBitmap into) throws IOException, InterruptedException {
    return pages.harvestRest(into);
  }

  @Override
  public boolean seemsDirty(long page) {
    return pages.seemsDirty(page);
  }

  @Override
  public void close() {
    pages.close();
  }
}
