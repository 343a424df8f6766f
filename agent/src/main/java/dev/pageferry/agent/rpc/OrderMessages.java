package dev.pageferry.agent.rpc;

import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.source.SourceOptions;
import dev.pageferry.agent.savedstate.SavedStateWriter.Packing;
import dev.pageferry.proto.agent.v1.Codec;
import dev.pageferry.proto.agent.v1.OutgoingOptions;
import dev.pageferry.proto.agent.v1.PrepareIncomingRequest;
import dev.pageferry.proto.agent.v1.StartOutgoingRequest;
import java.time.Duration;

/** How a guest is to be moved or saved, from the coordinator's messages. */
final class OrderMessages {
  private OrderMessages() {
  }

  static Manner manner(PrepareIncomingRequest request) {
    if (request.getQuick() && request.getSharedNothing()) {
      throw new IllegalArgumentException("a state that is transferred through a file needs shared storage");
    }
    // The reader of a saved state takes whatever packing comes.
    return request.getQuick() ? new Manner.Quick(Packing.AUTO) : new Manner.Live(request.getSharedNothing());
  }

  static Manner manner(StartOutgoingRequest request) {
    if (request.hasQuick() && request.getSharedNothing()) {
      throw new IllegalArgumentException("a state that is transferred through a file needs shared storage");
    }
    return request.hasQuick()
        ? new Manner.Quick(packing(request.getQuick().getCodec()))
        : new Manner.Live(request.getSharedNothing());
  }

  static Packing packing(Codec.Name codec) {
    return switch (codec) {
      case CODEC_UNSPECIFIED, AUTO -> Packing.AUTO;
      case NONE -> Packing.NONE;
      case LZ4 -> Packing.LZ4;
      case ZSTD -> Packing.ZSTD;
      case UNRECOGNIZED -> throw new IllegalArgumentException("unknown codec of a saved state");
    };
  }

  static SourceOptions options(OutgoingOptions options) {
    SourceOptions.OnStall onStall = switch (options.getOnStall()) {
      case THROTTLE -> SourceOptions.OnStall.THROTTLE;
      case SWITCH -> SourceOptions.OnStall.SWITCH;
      case ABORT -> SourceOptions.OnStall.ABORT;
      case ON_STALL_UNSPECIFIED, UNRECOGNIZED ->
        throw new IllegalArgumentException("no policy for a stalled migration");
    };
    return new SourceOptions(Duration.ofMillis(options.getDowntimeLimitMillis()),
        options.getMaxBandwidthBytesPerSecond(),
        options.getStreams(), onStall, Duration.ofMillis(options.getTimeoutMillis()),
        options.getVerifyRam());
  }
}
