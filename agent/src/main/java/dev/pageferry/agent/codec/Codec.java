package dev.pageferry.agent.codec;

import java.util.Arrays;
import java.util.Optional;

/** A way in which a block of pages is stored. */
public enum Codec {
  NONE(0),
  /** A bare LZ4 block (github.com/lz4/lz4, doc/lz4_Block_format.md). */
  LZ4(1),
  /** A Zstandard frame (RFC 8878). */
  ZSTD(2);

  private final int code;

  Codec(int code) {
    this.code = code;
  }

  /** What stands for it in files; never given another meaning. */
  public int code() {
    return code;
  }

  public static Optional<Codec> ofCode(int code) {
    return Arrays.stream(values()).filter(each -> each.code == code).findFirst();
  }
}
