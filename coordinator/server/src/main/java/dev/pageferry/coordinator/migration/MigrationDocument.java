package dev.pageferry.coordinator.migration;

import dev.pageferry.common.concurrent.Followers;
import dev.pageferry.common.concurrent.Mutex;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.report.v1.MigrationFailure;
import dev.pageferry.proto.report.v1.MigrationReport;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/** What operators see of one migration: changes, and those who follow them. Any task may call. */
final class MigrationDocument {
  /** One change at a time: the last one is written to the records, which no monitor may be held for. */
  private final Mutex changes;
  private final Keeper keeper;
  /** Guarded by this. */
  private final Followers<Migration> followers = new Followers<>();
  /** Guarded by this; changed by who has {@link #changes} only. */
  private Migration now;

  /** Makes a final document durable, before anybody is told of it. */
  interface Keeper {
    void keep(Migration ended);
  }

  MigrationDocument(Migration initial, Mutex changes, Keeper keeper) {
    this.now = initial;
    this.changes = changes;
    this.keeper = keeper;
  }

  static boolean isFinal(Migration migration) {
    return switch (migration.getState()) {
      case COMPLETED, FAILED, CANCELLED -> true;
      case QUEUED, RUNNING, IN_DOUBT, STATE_UNSPECIFIED, UNRECOGNIZED -> false;
    };
  }

  /** Whether nothing will change until an operator or a host does something: there is no use in waiting. */
  static boolean isSettledForNow(Migration migration) {
    return isFinal(migration) || (migration.getState() == Migration.State.IN_DOUBT && migration.hasFailure());
  }

  synchronized Migration now() {
    return now;
  }

  /**
   * Changes the document and tells its followers, in order. A final one changes no more. If that fails (the records cannot
   * be written), the change was not made and may be tried again.
   */
  void update(UnaryOperator<Migration> change) throws InterruptedException {
    boolean _ = changes.<Boolean, RuntimeException>alone(() -> {
      Migration before = now();
      if (isFinal(before)) {
        return false;
      }
      Migration next = change.apply(before);
      if (isFinal(next)) {
        keeper.keep(next);
      }
      become(next);
      return true;
    });
  }

  private synchronized void become(Migration next) {
    followers.tell(next);
    now = next;
    if (isFinal(next)) {
      followers.clear();
    }
  }

  /** Calls back now and at every change; a final document forgets its followers. */
  synchronized void follow(Consumer<Migration> follower) {
    if (!isFinal(now)) {
      followers.add(follower);
    }
    follower.accept(now);
  }

  synchronized void unfollow(Consumer<Migration> follower) {
    followers.remove(follower);
  }

  /** Takes over what the source reported; times of the coordinator's own are added by the caller. */
  static Migration merged(Migration before, OutgoingStatus status) {
    MigrationReport report = status.getReport();
    Migration.Builder next = before.toBuilder().setStage(report.getStage()).setProgress(report.getProgress())
        .setSetupSeconds(report.getSetupSeconds()).setBytesSent(report.getBytesSent())
        .setPagesSent(report.getPagesSent())
        .setZeroPages(report.getZeroPages()).setThroughputBytesPerSecond(report.getThroughputBytesPerSecond())
        .setGuestStepsPerSecond(report.getGuestStepsPerSecond()).clearRounds().addAllRounds(report.getRoundsList())
        .setState(
            status.getState() == OutgoingStatus.State.IN_DOUBT ? Migration.State.IN_DOUBT : Migration.State.RUNNING);
    if (next.getState() == Migration.State.RUNNING) {
      next.clearFailure();
    }
    if (report.hasBlackout()) {
      next.setBlackout(report.getBlackout()).setBlackoutSeconds(report.getBlackoutSeconds());
    }
    if (report.hasNetwork()) {
      next.setNetwork(report.getNetwork());
    }
    if (report.hasBlackoutBoundSeconds()) {
      next.setBlackoutBoundSeconds(report.getBlackoutBoundSeconds());
    }
    return next.build();
  }

  static Migration failed(Migration before, Migration.State state, String code, String message) {
    return before.toBuilder().setState(state)
        .setFailure(MigrationFailure.newBuilder().setCode(code).setMessage(message)).clearProgress()
        .build();
  }
}
