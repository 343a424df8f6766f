package dev.pageferry.common.failure;

import org.jspecify.annotations.Nullable;

/** Texts that are shown to people and carried in headers, whatever somebody put into them. */
public final class ShortText {
  /**
   * A status travels in a header of at most 8 KiB (gRPC over HTTP/2, Responses), where a character takes up to nine bytes: UTF-8,
   * percent-encoded.
   */
  private static final int MAX_CHARACTERS = 800;
  private static final String CUT = " … ";

  private ShortText() {
  }

  /** The text, or its beginning and its end where it is longer than a line should be; null stays null. */
  public static @Nullable String of(@Nullable String text) {
    if (text == null || text.length() <= MAX_CHARACTERS) {
      return text;
    }
    int half = (MAX_CHARACTERS - CUT.length()) / 2;
    return text.substring(0, half) + CUT + text.substring(text.length() - half);
  }
}
