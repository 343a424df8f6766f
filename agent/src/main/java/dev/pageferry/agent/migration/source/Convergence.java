package dev.pageferry.agent.migration.source;

import dev.pageferry.common.units.Bandwidth;
import dev.pageferry.common.units.ByteSize;
import dev.pageferry.common.units.Durations;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;

/**
 * Decides after every round whether another one is worth it. The downtime limit is a ceiling, not a goal: rounds go on
 * while one still shrinks the rest by a fifth, and the guest is paused when they no longer do and the expected blackout
 * fits. Where it does not fit either, the operator's policy decides.
 */
final class Convergence {
  /** From here on a round costs more in round trips than it saves in pages. */
  static final long FEW_BYTES = 256 << 10;
  private static final double WORTHWHILE_SHRINKING = 0.8;
  static final int MAX_ROUNDS = 30;
  /** As QEMU's auto-converge: 20 percent, then 10 more each time. */
  private static final int FIRST_THROTTLE = 20;
  private static final int THROTTLE_STEP = 10;
  private static final int MAX_THROTTLE = 99;
  /** Rounds granted at the highest throttle before giving up. */
  private static final int LAST_CHANCES = 3;

  private final Duration downtimeLimit;
  private final SourceOptions.OnStall onStall;
  private int throttlePercent;
  private int roundsAtMaximum;

  Convergence(Duration downtimeLimit, SourceOptions.OnStall onStall) {
    this.downtimeLimit = downtimeLimit;
    this.onStall = onStall;
  }

  /** What to do next. */
  sealed interface NextStep {
    /** Copy another round. */
    record Continue() implements NextStep {
    }

    /** Pause the guest and copy the rest. */
    record SwitchOver() implements NextStep {
    }

    /** Hold the vCPUs back by that much, then copy another round. */
    record Throttle(int percent) implements NextStep {
    }

    /** End the attempt. */
    record GiveUp(String reason) implements NextStep {
    }
  }

  /**
   * What a round left behind.
   *
   * @param round number of the round just copied
   * @param restBytesBefore bytes it had to send
   * @param restBytes bytes that the next one has to send, unacknowledged ones included
   * @param bytesPerSecond measured; infinite while nothing was worth measuring
   * @param fixedSeconds measured costs of a switchover that do not depend on the rest
   */
  record Measurement(int round, long restBytesBefore, long restBytes, double bytesPerSecond, double fixedSeconds) {
    /** Expected blackout if the guest were paused now. */
    double expectedBlackoutSeconds() {
      return restBytes / bytesPerSecond + fixedSeconds;
    }
  }

  NextStep decide(Measurement now) {
    return unlessStalled(now).orElseGet(() -> switch (onStall) {
      case SWITCH -> new NextStep.SwitchOver();
      case ABORT -> new NextStep.GiveUp(figures(now));
      case THROTTLE -> throttleMore(now);
    });
  }

  /** As {@link #decide}, while the last throttle does not hold the guest back yet: whether it is enough is not known. */
  NextStep decideBeforeThrottleActs(Measurement now) {
    return unlessStalled(now).orElse(new NextStep.Continue());
  }

  private Optional<NextStep> unlessStalled(Measurement now) {
    boolean fits = now.expectedBlackoutSeconds() <= downtimeLimit.toNanos() / 1e9;
    if (fits && now.restBytes() <= FEW_BYTES) {
      return Optional.of(new NextStep.SwitchOver());
    }
    if (now.restBytes() <= FEW_BYTES && now.round() + 1 < MAX_ROUNDS) {
      // What does not fit is not the rest: another round measures the fixed costs anew, and costs next to nothing.
      return Optional.of(new NextStep.Continue());
    }
    boolean shrinks = now.restBytes() <= now.restBytesBefore() * WORTHWHILE_SHRINKING;
    if (shrinks && now.round() + 1 < MAX_ROUNDS) {
      return Optional.of(new NextStep.Continue());
    }
    return fits ? Optional.of(new NextStep.SwitchOver()) : Optional.empty();
  }

  private NextStep throttleMore(Measurement now) {
    if (throttlePercent == MAX_THROTTLE && ++roundsAtMaximum > LAST_CHANCES) {
      return new NextStep.GiveUp(figures(now));
    }
    throttlePercent = throttlePercent == 0 ? FIRST_THROTTLE : Math.min(MAX_THROTTLE, throttlePercent + THROTTLE_STEP);
    return new NextStep.Throttle(throttlePercent);
  }

  private String figures(Measurement now) {
    return String.format(Locale.ROOT,
        "rounds no longer shrink the rest: round=%d rest=%s before=%s bandwidth=%s expected blackout=%s limit=%s throttle=%d%%; "
            + "raise --downtime-limit, allow more bandwidth or use --on-stall throttle or switch",
        now.round(), ByteSize.format(now.restBytes()), ByteSize.format(now.restBytesBefore()),
        Double.isInfinite(now.bytesPerSecond()) ? "unknown" : Bandwidth.format(now.bytesPerSecond()),
        Durations.format(now.expectedBlackoutSeconds()), Durations.format(downtimeLimit.toNanos() / 1e9),
        throttlePercent);
  }
}
