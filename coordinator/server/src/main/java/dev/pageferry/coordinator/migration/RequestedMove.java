package dev.pageferry.coordinator.migration;

import dev.pageferry.common.migration.MigrationLimits;
import dev.pageferry.coordinator.machines.Codecs;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.agent.v1.OutgoingOptions;
import dev.pageferry.proto.agent.v1.QuickOptions;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.MigrateQuickRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import java.util.Optional;

/**
 * What an operator asked for, of whatever kind, with defaults filled in.
 *
 * @param vm its name
 * @param to the destination's name
 */
record RequestedMove(String vm, String to, Optional<String> requestId, Migration.Kind kind, MigrationOrder order) {
  private static final long DEFAULT_DOWNTIME_LIMIT_MILLIS = 300;
  private static final long DEFAULT_TIMEOUT_MILLIS = 600_000;
  private static final long DEFAULT_QUICK_TIMEOUT_MILLIS = 3_600_000;
  private static final int DEFAULT_STREAMS = 2;

  /** @throws RequestException if an option is out of its range */
  static RequestedMove of(MigrateLiveRequest request) throws RequestException {
    return new RequestedMove(request.getName(), request.getTo(),
        request.hasRequestId() ? Optional.of(request.getRequestId()) : Optional.empty(), Migration.Kind.LIVE,
        new MigrationOrder(options(request), Optional.empty(), request.getSharedNothing()));
  }

  /** @throws RequestException if an option is out of its range */
  static RequestedMove of(MigrateQuickRequest request) throws RequestException {
    long timeout = request.hasTimeoutMillis() ? request.getTimeoutMillis() : DEFAULT_QUICK_TIMEOUT_MILLIS;
    MigrateLiveRequest common = MigrateLiveRequest.newBuilder().setTimeoutMillis(timeout).setStreams(1).build();
    QuickOptions quick = QuickOptions.newBuilder().setCodec(Codecs.of(request.getCodec())).build();
    return new RequestedMove(request.getName(), request.getTo(),
        request.hasRequestId() ? Optional.of(request.getRequestId()) : Optional.empty(), Migration.Kind.QUICK,
        new MigrationOrder(options(common), Optional.of(quick), false));
  }

  private static OutgoingOptions options(MigrateLiveRequest request) throws RequestException {
    int streams = request.hasStreams() ? request.getStreams() : DEFAULT_STREAMS;
    if (streams < 1 || streams > MigrationLimits.MAX_STREAMS) {
      throw new RequestException(Kind.INVALID, "--streams %d is not between 1 and %d", streams,
          MigrationLimits.MAX_STREAMS);
    }
    long limit = request.hasDowntimeLimitMillis() ? request.getDowntimeLimitMillis() : DEFAULT_DOWNTIME_LIMIT_MILLIS;
    long timeout = request.hasTimeoutMillis() ? request.getTimeoutMillis() : DEFAULT_TIMEOUT_MILLIS;
    long bandwidth = request.getMaxBandwidthBytesPerSecond();
    if (limit < 0 || timeout <= 0 || bandwidth < 0) {
      throw new RequestException(Kind.INVALID,
          "downtime limit %d ms, time-out %d ms or bandwidth %d B/s is out of range", limit, timeout, bandwidth);
    }
    return OutgoingOptions.newBuilder().setDowntimeLimitMillis(limit).setMaxBandwidthBytesPerSecond(bandwidth)
        .setStreams(streams).setOnStall(onStall(request)).setTimeoutMillis(timeout)
        .setVerifyRam(request.getVerifyRam()).build();
  }

  private static OutgoingOptions.OnStall onStall(MigrateLiveRequest request) throws RequestException {
    return switch (request.getOnStall()) {
      case POLICY_UNSPECIFIED, THROTTLE -> OutgoingOptions.OnStall.THROTTLE;
      case SWITCH -> OutgoingOptions.OnStall.SWITCH;
      case ABORT -> OutgoingOptions.OnStall.ABORT;
      case UNRECOGNIZED -> throw new RequestException(Kind.INVALID, "unknown policy %d for a stalled migration",
          request.getOnStallValue());
    };
  }
}
