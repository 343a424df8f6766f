package dev.pageferry.ferry.view;

import dev.pageferry.common.units.Bandwidth;
import dev.pageferry.common.units.ByteSize;
import dev.pageferry.common.units.Durations;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.report.v1.MigrationProgress;
import dev.pageferry.proto.report.v1.MigrationStage;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/** The state of a running migration on one line. */
public final class MigrationProgressText {
  /** What remains says nothing of the others. */
  private static final Set<MigrationStage.Name> COPYING = EnumSet.of(MigrationStage.Name.PRE_COPY,
      MigrationStage.Name.STOP_AND_COPY, MigrationStage.Name.SAVE, MigrationStage.Name.RESTORE);

  private MigrationProgressText() {
  }

  public static Progress of(Migration migration) {
    MigrationProgress progress = migration.getProgress();
    if (migration.getState() != Migration.State.RUNNING) {
      double done = migration.getState() == Migration.State.COMPLETED ? 1 : progress.getDone();
      return new Progress(words(migration.getState()), "", done);
    }
    boolean inRounds = migration.getStage() == MigrationStage.Name.PRE_COPY;
    String headline = words(migration.getStage()) + (inRounds ? " round " + progress.getRound() : "");
    boolean measured = progress.getRemainingBytes() > 0 || progress.getBytesPerSecond() > 0;
    boolean shown = inRounds || (measured && COPYING.contains(migration.getStage()));
    return new Progress(headline, shown ? details(progress) : "", progress.getDone());
  }

  static String words(Migration.State state) {
    return state.name().toLowerCase(Locale.ROOT).replace('_', ' ');
  }

  /** How long something still takes: {@code about 0.1 s left}. */
  static String left(double seconds) {
    return "about %s left"
        .formatted(seconds < 120 ? String.format(Locale.ROOT, "%.1f s", seconds) : Durations.format(seconds));
  }

  static String words(MigrationStage.Name stage) {
    return switch (stage) {
      case PRE_COPY -> "pre-copy";
      case STOP_AND_COPY -> "stop-and-copy";
      case SETUP, SAVE, STORAGE_HANDOFF, RESTORE, ACTIVATION, NETWORK_CLEANUP ->
        stage.name().toLowerCase(Locale.ROOT).replace('_', ' ');
      case STAGE_UNSPECIFIED, UNRECOGNIZED -> "under way";
    };
  }

  private static String details(MigrationProgress progress) {
    StringBuilder details = new StringBuilder("rest ").append(ByteSize.format(progress.getRemainingBytes()));
    if (progress.getBytesPerSecond() > 0) {
      details.append(", ").append(Bandwidth.format(progress.getBytesPerSecond()));
    }
    if (progress.hasExpectedSeconds()) {
      details.append(", ").append(left(progress.getExpectedSeconds()));
    }
    if (progress.getThrottlePercent() > 0) {
      details.append(", guest held back ").append(progress.getThrottlePercent()).append(" %");
    }
    return details.toString();
  }
}
