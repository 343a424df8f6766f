package dev.pageferry.ferry.view;

import dev.pageferry.common.units.Bandwidth;
import dev.pageferry.common.units.ByteSize;
import dev.pageferry.common.units.Durations;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.report.v1.Blackout;
import dev.pageferry.proto.report.v1.GuestSpeed;
import dev.pageferry.proto.report.v1.MigrationRound;
import dev.pageferry.proto.report.v1.NetworkArrival;
import java.util.List;
import java.util.Locale;

/** All that a migration measured, for people to read. */
public final class MigrationReportText {
  private MigrationReportText() {
  }

  /** The list of {@code ferry migration list}. */
  public static Table table(List<Migration> migrations) {
    Table table = new Table(
        List.of("ID", "VM", "KIND", "FROM", "TO", "STATE", "STAGE", "STARTED", "TOTAL", "BLACKOUT", "SENT"),
        List.of("ROUNDS", "PAGES", "FAILURE"));
    for (Migration migration : migrations) {
      table.row(migration.getId(), migration.getVm(), migration.getKind(), migration.getSource(),
          migration.getDestination(),
          migration.getState(), MigrationProgressText.words(migration.getStage()),
          Times.text(migration.getAcceptedAtMillis()), Durations.format(migration.getTotalSeconds()),
          blackout(migration), ByteSize.format(migration.getBytesSent()), migration.getRoundsCount(),
          migration.getPagesSent(), migration.hasFailure() ? migration.getFailure().getCode() : "");
    }
    return table;
  }

  /** The report of one migration. Parts that were not measured are left out. */
  public static String of(Migration migration, Palette palette) {
    String rounds = rounds(migration.getRoundsList()).indent(2);
    return summary(migration, palette) + (migration.getRoundsCount() == 0 ? "" : "rounds:\n" + rounds)
        + failure(migration);
  }

  private static String summary(Migration migration, Palette palette) {
    Details details = new Details().add("migration", migration.getId()).add("vm", migration.getVm())
        .add("kind", migration.getKind()).add("from → to", migration.getSource() + " → " + migration.getDestination())
        .add("state", palette.paint(migration.getState().toString()));
    if (migration.getState() != Migration.State.COMPLETED) {
      details.add("stage", MigrationProgressText.words(migration.getStage()));
    }
    if (migration.getState() == Migration.State.RUNNING && migration.hasProgress()) {
      Progress progress = MigrationProgressText.of(migration);
      details.add("progress", String.format(Locale.ROOT, "%.0f %%, %s", progress.done() * 100, progress.line()));
    }
    details.add("total", "%s, setup %s".formatted(Durations.format(migration.getTotalSeconds()),
        Durations.format(migration.getSetupSeconds()))).add("blackout", blackout(migration));
    if (migration.hasBlackout()) {
      parts(details, migration);
    }
    if (migration.hasNetwork()) {
      details.add("network", network(migration.getNetwork()));
    }
    if (migration.hasProbe()) {
      details.add("seen from outside", PingText.line(migration.getProbe()));
    }
    return details
        .add("sent", "%s in %d pages; %d pages were zero".formatted(ByteSize.format(migration.getBytesSent()),
            migration.getPagesSent(), migration.getZeroPages()))
        .add("throughput", Bandwidth.format(migration.getThroughputBytesPerSecond()))
        .add("guest steps/s", speed(migration.getGuestStepsPerSecond())).text();
  }

  private static String network(NetworkArrival arrival) {
    String first = arrival.hasFirstFrameSeconds()
        ? "first frame after %s".formatted(millis(arrival.getFirstFrameSeconds()))
        : "no frame yet";
    return "%s, reached by the switches of %d hosts".formatted(first, arrival.getReachedBy());
  }

  private static void parts(Details details, Migration migration) {
    Blackout blackout = migration.getBlackout();
    boolean throughFile = migration.getKind() == Migration.Kind.QUICK;
    details.add("  pause", millis(blackout.getPauseSeconds()))
        .add(throughFile ? "  save" : "  last pages", millis(blackout.getLastPagesSeconds()))
        .add(throughFile ? "  restore" : "  state", millis(blackout.getStateSeconds()))
        .add("  digest", millis(blackout.getDigestSeconds()))
        .add("  storage", millis(blackout.getStorageSeconds())).add("  commit", millis(blackout.getCommitSeconds()))
        .add("  network", millis(blackout.getNetworkSeconds())).add("  resume", millis(blackout.getResumeSeconds()));
    if (blackout.getVerifySeconds() > 0) {
      details.add("  verify RAM", millis(blackout.getVerifySeconds()));
    }
  }

  /** Empty where the VM was not paused, or nobody lived to measure it. */
  private static String blackout(Migration migration) {
    if (migration.hasBlackoutSeconds()) {
      return millis(migration.getBlackoutSeconds());
    }
    return migration.hasBlackoutBoundSeconds() ? "at most " + millis(migration.getBlackoutBoundSeconds()) : "";
  }

  private static String rounds(List<MigrationRound> rounds) {
    Table table = new Table("ROUND", "PAGES", "ZERO", "SKIPPED", "SENT", "TIME", "DIRTY AFTER");
    for (MigrationRound round : rounds) {
      table.row(round.getRound(), round.getPagesSent(), round.getZeroPages(), round.getSkippedPages(),
          ByteSize.format(round.getBytesSent()), Durations.format(round.getSeconds()), round.getDirtyPagesAfter());
    }
    return table.text(new Palette(false));
  }

  private static String speed(GuestSpeed speed) {
    StringBuilder text = new StringBuilder();
    append(text, "before", speed.hasBefore(), speed.getBefore());
    append(text, "during", speed.hasDuring(), speed.getDuring());
    append(text, "after", speed.hasAfter(), speed.getAfter());
    return text.toString();
  }

  private static void append(StringBuilder text, String when, boolean measured, double stepsPerSecond) {
    if (measured) {
      text.append(text.isEmpty() ? "" : ", ").append(String.format(Locale.ROOT, "%.0f %s", stepsPerSecond, when));
    }
  }

  private static String failure(Migration migration) {
    return migration.hasFailure()
        ? "failure: %s: %s%n".formatted(migration.getFailure().getCode(),
            Output.oneLine(migration.getFailure().getMessage()))
        : "";
  }

  private static String millis(double seconds) {
    return String.format(Locale.ROOT, "%.1f ms", seconds * 1e3);
  }
}
