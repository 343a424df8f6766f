package dev.pageferry.support;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Meters by name, as a server shows them (Prometheus' text format 0.0.4) or as {@code docs/METRICS.md} has them. */
public final class MetricsPage {
  private static final Path DOCS = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent())
      .resolve("docs/METRICS.md");
  private static final Pattern TYPE = Pattern.compile("# TYPE (\\S+) (\\S+)");
  private static final Pattern SAMPLE = Pattern.compile("([a-zA-Z_:][\\w:]*)(?:\\{(.*)})? \\S+");
  private static final Pattern LABEL = Pattern.compile("(\\w+)=\"(?:[^\"\\\\]|\\\\.)*\"");
  /** The table's columns: name, type, labels, what. */
  private static final Pattern ROW = Pattern.compile("\\| `(\\w+)` \\| (\\w+) \\| ([^|]*)\\| (.*) \\|");
  /** In a row's last column: that meter is not there before something has happened. */
  private static final String LATER = "from the first one on";
  /** Labels that the format itself gives to the samples of a histogram. */
  private static final Set<String> OF_THE_FORMAT = Set.of("le", "quantile");
  private static final List<String> PARTS = List.of("_bucket", "_count", "_sum");

  private MetricsPage() {
  }

  /**
   * What is known of a meter.
   *
   * @param labels names, sorted
   */
  public record Meter(String type, Set<String> labels) {
  }

  /** The meters of a scrape. Gauges of the largest value beside a histogram or summary ({@code _max}) are left out. */
  public static Map<String, Meter> shown(String scrape) {
    Map<String, String> types = new HashMap<>();
    Map<String, Set<String>> labels = new HashMap<>();
    for (String line : scrape.lines().toList()) {
      Matcher type = TYPE.matcher(line);
      Matcher sample = SAMPLE.matcher(line);
      if (type.matches()) {
        types.put(type.group(1), type.group(2));
      } else if (sample.matches()) {
        labels.computeIfAbsent(meterOf(sample.group(1), types.keySet()), name -> new TreeSet<>())
            .addAll(labelNames(Objects.requireNonNullElse(sample.group(2), "")));
      }
    }
    Map<String, Meter> meters = new TreeMap<>();
    types.forEach((name, type) -> meters.put(name, new Meter(type, labels.getOrDefault(name, Set.of()))));
    meters.keySet().removeIf(name -> name.endsWith("_max")
        && Set.of("histogram", "summary").contains(types.getOrDefault(name.replaceFirst("_max$", ""), "")));
    return meters;
  }

  private static String meterOf(String sample, Set<String> names) {
    return PARTS.stream().filter(sample::endsWith)
        .map(part -> sample.substring(0, sample.length() - part.length())).filter(names::contains).findFirst()
        .orElse(sample);
  }

  private static Set<String> labelNames(String labels) {
    return LABEL.matcher(labels).results().map(each -> each.group(1)).filter(each -> !OF_THE_FORMAT.contains(each))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /**
   * The meters that the tables under some headings have.
   *
   * @param present names that are shown; a meter that is there only after something has happened counts if it is among them
   */
  public static Map<String, Meter> documented(Set<String> present, String... headings) throws IOException {
    Map<String, Meter> meters = new TreeMap<>();
    String heading = "";
    for (String line : Files.readAllLines(DOCS)) {
      if (line.startsWith("## ")) {
        heading = line.substring("## ".length());
      }
      Matcher row = ROW.matcher(line);
      if (Arrays.asList(headings).contains(heading) && row.matches()
          && (present.contains(row.group(1)) || !row.group(4).contains(LATER))) {
        Set<String> labels = Arrays.stream(row.group(3).split("[`, ]+")).filter(each -> !each.isEmpty())
            .collect(Collectors.toCollection(TreeSet::new));
        meters.put(row.group(1), new Meter(row.group(2), labels));
      }
    }
    return meters;
  }
}
