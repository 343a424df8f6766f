package dev.pageferry.coordinator.machines;

import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.agent.v1.Codec;

/** How operators and agents call the ways to pack a saved state. */
public final class Codecs {
  private Codecs() {
  }

  public static Codec.Name of(dev.pageferry.proto.cluster.v1.Codec.Name wanted) throws RequestException {
    return switch (wanted) {
      case CODEC_UNSPECIFIED, AUTO -> Codec.Name.AUTO;
      case NONE -> Codec.Name.NONE;
      case LZ4 -> Codec.Name.LZ4;
      case ZSTD -> Codec.Name.ZSTD;
      case UNRECOGNIZED -> throw new RequestException(Kind.INVALID, "unknown codec of a saved state");
    };
  }
}
