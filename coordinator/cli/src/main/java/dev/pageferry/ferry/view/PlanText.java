package dev.pageferry.ferry.view;

import com.google.protobuf.util.Timestamps;
import dev.pageferry.common.units.ByteSize;
import dev.pageferry.common.units.Durations;
import dev.pageferry.proto.cluster.v1.Forecast;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import java.util.List;
import java.util.Locale;

/** Planned work, for people to read. */
public final class PlanText {
  private static final int ID_CHARS = 8;

  private PlanText() {
  }

  public static Table table(List<MovePlan> plans) {
    Table table = new Table("PLAN", "KIND", "HOST", "STATE", "MOVED", "LEFT", "FAILED", "IN DOUBT", "BEGUN", "REASON");
    for (MovePlan each : plans) {
      table.row(shortId(each), each.getKind(), each.getHost(), each.getState(), count(each, PlannedMove.State.MOVED),
          count(each, PlannedMove.State.WAITING) + count(each, PlannedMove.State.MOVING),
          count(each, PlannedMove.State.FAILED), count(each, PlannedMove.State.IN_DOUBT),
          Times.text(Timestamps.toMillis(each.getBegunAt())),
          Output.oneLine(each.getReason()));
    }
    return table;
  }

  public static String of(MovePlan plan, Palette palette) {
    Details details = new Details().add("plan", plan.getId()).add("kind", plan.getKind()).add("host", plan.getHost())
        .add("state", palette.paint(plan.getState().toString())).add("reason", Output.oneLine(plan.getReason()))
        .add("begun", plan.hasBegunAt() ? Times.text(Timestamps.toMillis(plan.getBegunAt())) : "")
        .add("took", plan.hasEndedAt() ? Durations.format(seconds(plan)) : "")
        .add("forecast at its start", plan.hasForecast() ? of(plan.getForecast()) : "")
        .add(plan.getState() == MovePlan.State.DRY_RUN ? "would take" : "still to go",
            plan.hasRest() ? of(plan.getRest()) : "");
    return plan.getMovesCount() == 0 ? details.text() : details.text() + "\n" + moves(plan).text(palette);
  }

  private static double seconds(MovePlan plan) {
    return (Timestamps.toMillis(plan.getEndedAt()) - Timestamps.toMillis(plan.getBegunAt())) / 1000.0;
  }

  private static Table moves(MovePlan plan) {
    Table table = new Table(List.of("VM", "FROM", "TO", "STATE", "HOW", "MEMORY", "TIME", "BLACKOUT", "REASON"),
        List.of("ATTEMPTS", "MIGRATION", "FALLBACK"));
    for (PlannedMove each : plan.getMovesList()) {
      boolean isMoved = each.getState() == PlannedMove.State.MOVED;
      String about = each.getSeconds() == 0 ? "" : (isMoved ? "" : "about ") + Durations.format(each.getSeconds());
      table.row(each.getVm(), each.getFrom(), each.getTo(), each.getState(), each.getQuick() ? "quick" : "live",
          ByteSize.format(each.getMemoryBytes()), about,
          each.hasBlackoutSeconds() ? Durations.format(each.getBlackoutSeconds()) : "",
          Output.oneLine(each.getReason()), each.getAttempts(), each.getMigrationId(),
          each.getFallback().isEmpty() ? "none: it stays" : each.getFallback());
    }
    return table;
  }

  /** How far it is. */
  public static Progress progress(MovePlan plan) {
    long over = plan.getMovesList().stream().filter(each -> each.getState() != PlannedMove.State.WAITING
        && each.getState() != PlannedMove.State.MOVING).count();
    String moving = String.join(", ", plan.getMovesList().stream()
        .filter(each -> each.getState() == PlannedMove.State.MOVING)
        .map(each -> "%s to %s".formatted(each.getVm(), each.getTo())).toList());
    String waits = plan.getReason().isEmpty() ? "nothing moves just now" : Output.oneLine(plan.getReason());
    String details = "%d of %d VMs%s".formatted(over, plan.getMovesCount(),
        plan.hasRest() ? ", " + of(plan.getRest()) + " left" : "");
    return new Progress(moving.isEmpty() ? waits : "moving " + moving, details,
        plan.getMovesCount() == 0 ? 0 : (double) over / plan.getMovesCount());
  }

  /** What became of a move. */
  public static String of(PlannedMove move) {
    return switch (move.getState()) {
      case MOVED -> "%s is on %s: moved in %s%s".formatted(move.getVm(), move.getTo(),
          Durations.format(move.getSeconds()),
          move.hasBlackoutSeconds() ? ", paused for " + Durations.format(move.getBlackoutSeconds()) : "");
      case FAILED -> "%s could not be moved: %s".formatted(move.getVm(), Output.oneLine(move.getReason()));
      case LEFT_OUT -> "%s is left out: %s".formatted(move.getVm(), Output.oneLine(move.getReason()));
      case IN_DOUBT -> "%s: %s".formatted(move.getVm(), Output.oneLine(move.getReason()));
      case WAITING, MOVING, STATE_UNSPECIFIED, UNRECOGNIZED -> "%s is %s".formatted(move.getVm(),
          move.getState().toString().toLowerCase(Locale.ROOT));
    };
  }

  /** Such as "about 12.0 s (10.1 s to 15.2 s)". */
  private static String of(Forecast forecast) {
    return "about %s (%s to %s; %s)".formatted(Durations.format(forecast.getSeconds()),
        Durations.format(forecast.getEarliestSeconds()), Durations.format(forecast.getLatestSeconds()),
        forecast.getBasis());
  }

  private static long count(MovePlan plan, PlannedMove.State state) {
    return plan.getMovesList().stream().filter(each -> each.getState() == state).count();
  }

  private static String shortId(MovePlan plan) {
    return plan.getId().substring(0, Math.min(ID_CHARS, plan.getId().length()));
  }
}
