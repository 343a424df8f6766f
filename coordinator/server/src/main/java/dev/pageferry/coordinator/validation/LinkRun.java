package dev.pageferry.coordinator.validation;

import com.google.protobuf.ByteString;
import dev.pageferry.common.failure.ShortText;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.agents.HostInspector;
import dev.pageferry.coordinator.validation.ClusterLook.LinkLook;
import dev.pageferry.proto.agent.v1.ExpectLinkProbeRequest;
import dev.pageferry.proto.agent.v1.LinkMeasure;
import dev.pageferry.proto.agent.v1.MeasureLinkRequest;
import java.time.Duration;
import java.util.Optional;
import java.util.random.RandomGenerator;

/** Measures one link, for a moment, as a migration would use it. */
final class LinkRun {
  private static final int TOKEN_BYTES = 32;
  private static final Duration VALID = Duration.ofSeconds(30);
  /** Enough for a link of 10 Gbit/s to reach its speed, and hardly felt by whoever else uses it. */
  private static final Duration LONGEST = Duration.ofMillis(250);
  private static final long MOST_BYTES = 256L << 20;

  private final HostInspector inspector;
  private final RandomGenerator random;

  LinkRun(HostInspector inspector, RandomGenerator random) {
    this.inspector = inspector;
    this.random = random;
  }

  /**
   * One end of a link.
   *
   * @param address of the agent
   * @param migrationAddress that it listens on for migrations
   * @param isMigrating whether a migration uses its links now
   * @param cardBytesPerSecond what its card can; 0: not known
   */
  record End(String host, String address, String migrationAddress, boolean isMigrating, double cardBytesPerSecond) {
  }

  LinkLook measure(End source, End destination) {
    if (source.isMigrating() || destination.isMigrating()) {
      return busy(source, destination);
    }
    byte[] token = new byte[TOKEN_BYTES];
    random.nextBytes(token);
    try {
      if (inspector.expectLinkProbe(destination.address(), ExpectLinkProbeRequest.newBuilder()
          .setSourceHost(source.host()).setToken(ByteString.copyFrom(token)).setExpiresInMillis(VALID.toMillis())
          .setMostBytes(MOST_BYTES).setMostMillis(LONGEST.toMillis()).build()).getBusy()) {
        return busy(source, destination);
      }
      LinkMeasure measure = inspector.measureLink(source.address(), MeasureLinkRequest.newBuilder()
          .setDestinationHost(destination.host()).setDestinationAddress(destination.migrationAddress())
          .setToken(ByteString.copyFrom(token)).setMostBytes(MOST_BYTES).setMostMillis(LONGEST.toMillis()).build());
      return measure.getBusy()
          ? busy(source, destination)
          : look(source, destination, Optional.of(Plausible.measure(measure)), "", false);
    } catch (AgentException | IllegalArgumentException e) {
      return look(source, destination, Optional.empty(), String.valueOf(ShortText.of(e.getMessage())), false);
    }
  }

  private static LinkLook busy(End source, End destination) {
    return look(source, destination, Optional.empty(), "a migration is under way", true);
  }

  private static LinkLook look(End source, End destination, Optional<LinkMeasure> measure, String trouble,
      boolean isSkipped) {
    return new LinkLook(source.host(), destination.host(), measure, trouble, isSkipped,
        Math.min(source.cardBytesPerSecond(), destination.cardBytesPerSecond()));
  }
}
