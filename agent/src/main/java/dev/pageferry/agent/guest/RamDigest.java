package dev.pageferry.agent.guest;

import dev.pageferry.agent.memory.PageStore;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** What RAM holds, as one number. */
public final class RamDigest {
  private static final long WINDOW_PAGES = 4096;

  private RamDigest() {
  }

  /**
   * SHA-256 of RAM in address order, lower-case hex; of a guest that is paused.
   *
   * @throws IllegalStateException if the page store is closed
   */
  public static String of(PageStore ram) {
    ram.borrow();
    try {
      MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
      for (long page = 0; page < ram.pageCount(); page += WINDOW_PAGES) {
        sha256.update(ram.window(page, (int) Math.min(WINDOW_PAGES, ram.pageCount() - page)));
      }
      return HexFormat.of().formatHex(sha256.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    } finally {
      ram.giveBack();
    }
  }
}
