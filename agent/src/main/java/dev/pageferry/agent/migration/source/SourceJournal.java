package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.BlackoutReport;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.RoundReport;
import dev.pageferry.agent.migration.source.SourceStatus.Arrival;
import dev.pageferry.agent.migration.source.SourceStatus.Failure;
import dev.pageferry.agent.migration.source.SourceStatus.GuestSpeed;
import dev.pageferry.agent.migration.source.SourceStatus.Progress;
import dev.pageferry.agent.migration.source.SourceStatus.State;
import dev.pageferry.common.concurrent.Followers;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.migration.MigrationStage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What happened so far: written by the migration's thread, read and followed by anyone. Followers are told by a thread of
 * their own, a moment later and of the newest state only: what they do with it (messages to the coordinator, to operators)
 * must not lengthen the blackout.
 */
final class SourceJournal {

  private final MigrationLog log;
  private final Scheduler scheduler;
  private final long startNanos;
  /** Changes within this time are told as one. */
  private static final Duration SETTLING = Duration.ofMillis(25);
  /** How long a pause keeps changes to itself: messages to others would lengthen a blackout of a few milliseconds. */
  private static final Duration SILENCE = Duration.ofMillis(100);

  /** Guarded by {@link #telling}, which is taken before this object's monitor. */
  private final Followers<SourceStatus> followers = new Followers<>();
  private final Object telling = new Object();
  private boolean untold;
  /** Nothing is told before. */
  private long silentUntilNanos;
  private final List<RoundReport> rounds = new ArrayList<>();

  private State state = State.RUNNING;
  private MigrationStage stage = MigrationStage.SETUP;
  private @Nullable Failure failure;
  private Progress progress = new Progress(0, 0, 0, OptionalDouble.empty(), 0, 0);
  private double setupSeconds;
  private double totalSeconds;
  private @Nullable BlackoutReport blackout;
  private OptionalDouble blackoutBound = OptionalDouble.empty();
  private Optional<Arrival> arrival = Optional.empty();
  private long bytesSent;
  private double throughput;
  private GuestSpeed speed = new GuestSpeed(OptionalDouble.empty(), OptionalDouble.empty(), OptionalDouble.empty());

  SourceJournal(MigrationLog log, Scheduler scheduler) {
    this.log = log;
    this.scheduler = scheduler;
    this.startNanos = scheduler.nanos();
    this.silentUntilNanos = startNanos;
  }

  /** Calls back now and soon after changes, several of which may be told as one; the last one is always told. */
  void follow(Consumer<SourceStatus> follower) {
    synchronized (telling) {
      followers.add(follower);
      follower.accept(status());
    }
  }

  void unfollow(Consumer<SourceStatus> follower) {
    synchronized (telling) {
      followers.remove(follower);
    }
  }

  synchronized void enter(MigrationStage next) {
    log.info("stage={} enters {}", stage, next);
    stage = next;
    switch (next) {
      case STOP_AND_COPY -> silentUntilNanos = scheduler.nanos() + SILENCE.toNanos();
      case SETUP, PRE_COPY, SAVE, RESTORE, NETWORK_CLEANUP -> silentUntilNanos = scheduler.nanos();
      case STORAGE_HANDOFF, ACTIVATION -> {
      }
    }
    tell();
  }

  synchronized void setupDone(OptionalDouble stepsPerSecondBefore, double populateSeconds) {
    setupSeconds = scheduler.secondsSince(startNanos);
    log.info("stage={} done in {} s, the destination's memory was ready after {} s", stage, setupSeconds,
        populateSeconds);
    speed = new GuestSpeed(stepsPerSecondBefore, speed.during(), speed.after());
  }

  synchronized void progress(Progress next) {
    // Rest may grow when a round begins; the share that is done is only ever shown growing.
    progress = new Progress(next.round(), next.remainingBytes(), next.bytesPerSecond(), next.expectedSeconds(),
        next.throttlePercent(),
        Math.max(progress.done(), next.done()));
    tell();
  }

  synchronized void roundDone(RoundReport round) {
    log.info("stage={} round={} pages={} zero={} skipped={} bytes={} seconds={} dirtyAfter={}", stage, round.round(),
        round.pagesSent(), round.zeroPages(), round.skippedPages(), round.bytesSent(),
        round.seconds(),
        round.dirtyPagesAfter());
    rounds.add(round);
    bytesSent += round.bytesSent();
    tell();
  }

  synchronized void pausedAfter(OptionalDouble stepsPerSecondDuring) {
    speed = new GuestSpeed(speed.before(), stepsPerSecondDuring, speed.after());
  }

  synchronized void received(long bytes, double bytesPerSecond) {
    bytesSent = Math.max(bytesSent, bytes);
    throughput = bytesPerSecond;
  }

  /** All bytes that were written, an unfinished round's included. */
  synchronized void sent(long bytes) {
    bytesSent = Math.max(bytesSent, bytes);
  }

  /** @param reason one that was not said yet */
  synchronized void inDoubt(String reason) {
    log.warn("stage={} in doubt: {}", stage, reason);
    if (state != State.IN_DOUBT) {
      state = State.IN_DOUBT;
      tell();
    }
  }

  synchronized void guestRunsAtDestination(BlackoutReport report, long allBytesSent) {
    blackout = report;
    // What was transferred through a file on shared storage did not go over the link.
    bytesSent = Math.max(bytesSent, allBytesSent);
    totalSeconds = scheduler.secondsSince(startNanos);
    progress = new Progress(progress.round(), 0, progress.bytesPerSecond(), OptionalDouble.of(0), 0, 1);
    state = State.RUNNING;
  }

  synchronized void completed(OptionalDouble stepsPerSecondAfter, Optional<Arrival> network) {
    arrival = network;
    speed = new GuestSpeed(speed.before(), speed.during(), stepsPerSecondAfter);
    end(State.COMPLETED);
  }

  synchronized void handedOver(double boundSeconds) {
    blackoutBound = OptionalDouble.of(boundSeconds);
    totalSeconds = scheduler.secondsSince(startNanos);
    end(State.HANDED_OVER);
  }

  synchronized void failed(MigrationFailure cause, boolean cancelled) {
    failure = new Failure(cause.code(), cause.getMessage());
    totalSeconds = scheduler.secondsSince(startNanos);
    end(cancelled ? State.CANCELLED : State.ROLLED_BACK);
  }

  /** The attempt was aborted, and the guest is not this host's any more either. */
  synchronized void disowned(MigrationFailure cause) {
    failure = new Failure(cause.code(), cause.getMessage());
    totalSeconds = scheduler.secondsSince(startNanos);
    end(State.DISOWNED);
  }

  synchronized SourceStatus status() {
    return new SourceStatus(state, stage, Optional.ofNullable(failure), progress, setupSeconds,
        totalSeconds > 0 ? totalSeconds : scheduler.secondsSince(startNanos), Optional.ofNullable(blackout),
        blackoutBound,
        bytesSent,
        throughput, speed, List.copyOf(rounds), arrival);
  }

  private void end(State last) {
    log.info("stage={} ends {} in {} s{}", stage, last, totalSeconds,
        failure == null ? "" : ": " + failure.code() + " " + failure.message());
    state = last;
    tell();
  }

  private void tell() {
    if (!untold) {
      Task _ = scheduler.start("journal", this::tellSoon);
      // Only now: had it not begun, nobody would ever be told again.
      untold = true;
    }
  }

  private synchronized Duration silence() {
    return Duration.ofNanos(silentUntilNanos - scheduler.nanos());
  }

  private void tellSoon() {
    try {
      scheduler.sleep(SETTLING);
      for (Duration left = silence(); left.isPositive(); left = silence()) {
        scheduler.sleep(left);
      }
    } catch (InterruptedException e) {
      scheduler.current().interrupt();
    }
    synchronized (telling) {
      SourceStatus now;
      synchronized (this) {
        untold = false;
        now = status();
      }
      followers.tell(now);
    }
  }
}
