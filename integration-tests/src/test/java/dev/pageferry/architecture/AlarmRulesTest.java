package dev.pageferry.architecture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.support.CommandResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The alarms that are shipped for Prometheus: they are of metrics that there are, and each says what to do. */
class AlarmRulesTest {
  private static final Path DOCS = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent()).resolve("docs");
  private static final Path RULES = DOCS.resolve("pageferry.rules.yml");
  private static final Pattern METRIC = Pattern.compile("ferry_[a-z_]+");

  private static List<String> lines(String key) throws Exception {
    try (Stream<String> lines = Files.lines(RULES)) {
      return lines.map(String::strip).filter(each -> each.startsWith(key)).toList();
    }
  }

  @Test
  void everyAlarmIsOfMetricsThatThereAre() throws Exception {
    String metrics = Files.readString(DOCS.resolve("METRICS.md"));
    assertThat(lines("expr: ")).hasSizeGreaterThan(10).allSatisfy(each -> assertThat(METRIC.matcher(each).results())
        .isNotEmpty().allMatch(it -> metrics.contains("`" + it.group() + "`")));
  }

  @Test
  void everyAlarmSaysWhatItMeansAndWhereToReadWhatToDo() throws Exception {
    int alarms = lines("- alert: ").size();
    assertThat(lines("summary: ")).hasSize(alarms);
    List<String> headings = Files.readAllLines(DOCS.resolve("OPERATIONS.md")).stream()
        .filter(each -> each.startsWith("## ")).map(each -> each.substring(3).toLowerCase(Locale.ROOT)
            .replaceAll("[^a-z0-9 -]", "").replace(' ', '-'))
        .toList();
    assertThat(lines("runbook: ")).hasSize(alarms).allSatisfy(each -> {
      assertThat(each).startsWith("runbook: \"OPERATIONS.md#");
      assertThat(headings).contains(each.replaceAll("^[^#]*#([a-z0-9-]+):.*$", "$1"));
    });
  }

  @Test
  void prometheusTakesTheRules() throws Exception {
    boolean isInstalled = Stream.of(System.getenv("PATH").split(":"))
        .anyMatch(each -> Files.isExecutable(Path.of(each, "promtool")));
    assumeTrue(isInstalled, "SKIPPED: promtool (Debian's prometheus) is not installed: the rules are not parsed");
    CommandResult checked = CommandResult.of(List.of("promtool", "check", "rules", RULES.toString()), Map.of());
    assertThat(checked.exitCode()).as(checked.output() + checked.errors()).isZero();
  }
}
