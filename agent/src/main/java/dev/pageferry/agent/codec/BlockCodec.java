package dev.pageferry.agent.codec;

import io.airlift.compress.v3.Compressor;
import io.airlift.compress.v3.Decompressor;
import io.airlift.compress.v3.MalformedInputException;
import io.airlift.compress.v3.lz4.Lz4NativeCompressor;
import io.airlift.compress.v3.lz4.Lz4NativeDecompressor;
import io.airlift.compress.v3.zstd.ZstdNativeCompressor;
import io.airlift.compress.v3.zstd.ZstdNativeDecompressor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.EnumMap;
import java.util.Map;

/** Compresses and decompresses blocks between direct buffers, without a copy. One instance per thread. */
public final class BlockCodec {
  private static final int FASTEST_ZSTD = 1;

  private final Map<Codec, Compressor> compressors = new EnumMap<>(Codec.class);
  private final Map<Codec, Decompressor> decompressors = new EnumMap<>(Codec.class);

  /** Whether this machine has the codec; {@link Codec#NONE} it always has. */
  public static boolean isAvailable(Codec codec) {
    return switch (codec) {
      case NONE -> true;
      case LZ4 -> Lz4NativeCompressor.isEnabled();
      case ZSTD -> ZstdNativeCompressor.isEnabled();
    };
  }

  /** Room that the worst block needs, bytes. */
  public static int maxStoredBytes(int rawBytes) {
    // LZ4's bound is the larger one of the two: 16 bytes and a 255th more.
    return rawBytes + rawBytes / 255 + 64;
  }

  /**
   * Compresses what the buffer holds from its position to its limit.
   *
   * @param stored from index 0; at least {@link #maxStoredBytes} long
   * @return bytes stored
   */
  public int compress(Codec codec, ByteBuffer raw, ByteBuffer stored) {
    return compressors.computeIfAbsent(codec, BlockCodec::compressor).compress(MemorySegment.ofBuffer(raw),
        MemorySegment.ofBuffer(stored.duplicate().clear()));
  }

  /**
   * Fills the raw buffer, from its position to its limit, exactly.
   *
   * @throws IOException if these bytes do not decompress to that many
   */
  public void decompress(Codec codec, ByteBuffer stored, ByteBuffer raw) throws IOException {
    int bytes;
    try {
      bytes = decompressors.computeIfAbsent(codec, BlockCodec::decompressor).decompress(MemorySegment.ofBuffer(stored),
          MemorySegment.ofBuffer(raw));
    } catch (MalformedInputException | IllegalArgumentException e) {
      throw new IOException("a block of %d bytes is no %s: %s".formatted(stored.remaining(), codec, e.getMessage()),
          e);
    }
    if (bytes != raw.remaining()) {
      throw new IOException("a block of %s holds %d bytes, expected %d".formatted(codec, bytes, raw.remaining()));
    }
  }

  private static Compressor compressor(Codec codec) {
    return switch (codec) {
      case LZ4 -> new Lz4NativeCompressor();
      case ZSTD -> new ZstdNativeCompressor(FASTEST_ZSTD);
      case NONE -> throw new IllegalArgumentException("nothing to compress with");
    };
  }

  private static Decompressor decompressor(Codec codec) {
    return switch (codec) {
      case LZ4 -> new Lz4NativeDecompressor();
      case ZSTD -> new ZstdNativeDecompressor();
      case NONE -> throw new IllegalArgumentException("nothing to decompress with");
    };
  }
}
