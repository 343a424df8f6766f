package dev.pageferry.ferry.view;

import dev.pageferry.proto.cluster.v1.ValidationCheck;
import dev.pageferry.proto.cluster.v1.ValidationCheck.Result;
import dev.pageferry.proto.cluster.v1.ValidationReport;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** A report of a validation, for people: a line for each check, then what to do. */
public final class ValidationText {
  private static final String TO_DO = "\nWhat to do:\n";

  private ValidationText() {
  }

  /** The report, each line ended. */
  public static String of(ValidationReport report, Palette palette) {
    Table table = new Table("RESULT", "CHECK", "HOSTS", "FOUND");
    for (ValidationCheck each : report.getChecksList()) {
      table.row(each.getResult(), each.getName(), hosts(each), Output.oneLine(each.getReason()));
    }
    StringBuilder text = new StringBuilder(table.text(palette));
    cures(report).forEach((cure, hosts) -> text.append(text.indexOf(TO_DO) < 0 ? TO_DO : "")
        .append("  ").append(cure.check()).append(hosts.isEmpty() ? "" : " (" + String.join(", ", hosts) + ")")
        .append(": ").append(Output.oneLine(cure.text())).append('\n'));
    return text.append("\n%s\n".formatted(summary(report, palette))).toString();
  }

  /** What to do about a check. */
  private record Cure(String check, String text) {
  }

  /** Each once, with the hosts that it is for. */
  private static Map<Cure, Set<String>> cures(ValidationReport report) {
    Map<Cure, Set<String>> cures = new LinkedHashMap<>();
    report.getChecksList().stream().filter(each -> !each.getCure().isEmpty())
        .forEach(each -> cures.computeIfAbsent(new Cure(each.getName(), each.getCure()), _ -> new TreeSet<>())
            .addAll(each.getHostsList()));
    return cures;
  }

  private static String summary(ValidationReport report, Palette palette) {
    return String.format(Locale.ROOT, "%s: %d failed, %d warnings, %d passed, %d skipped, in %.1f s",
        palette.paint(report.getResult().name()), count(report, Result.FAIL), count(report, Result.WARN),
        count(report, Result.PASS), count(report, Result.SKIPPED), report.getSeconds());
  }

  private static long count(ValidationReport report, Result result) {
    return report.getChecksList().stream().filter(each -> each.getResult() == result).count();
  }

  private static String hosts(ValidationCheck check) {
    return String.join(", ", check.getHostsList());
  }
}
