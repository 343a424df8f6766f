package dev.pageferry.benchmark;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Writes what was measured: JSON for programs, a page of tables and plots for people, the same
 * tables to stdout.
 */
final class Report {
  private static final Gson GSON = new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();

  private final Path directory;
  private final String prefix;
  private final List<Outcome> outcomes;
  private final JsonObject machine = machine();

  private record Plot(String file, String title, String unit) {
    static Plot of(Outcome outcome, Metric metric) {
      String unit = Metric.RATIO.equals(metric.unit()) ? "ratio" : metric.unit().replaceAll("[^A-Za-z]", "");
      String group = metric.group();
      String name = group.isEmpty() ? "" : "-" + group.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-");
      String title = group.isEmpty() ? outcome.title() : outcome.title() + ", " + group;
      return new Plot(outcome.id() + name + "-" + unit + ".svg", title, metric.unit());
    }
  }

  /** The prefix tells files of part of the benchmark from those of all of it. */
  Report(Path directory, String prefix, List<Outcome> outcomes) {
    this.directory = directory;
    this.prefix = prefix;
    this.outcomes = List.copyOf(outcomes);
  }

  void write() {
    String text = markdown();
    Path page = directory.resolve(prefix + "report.md");
    try {
      Files.createDirectories(directory);
      Files.writeString(directory.resolve(prefix + "results.json"), GSON.toJson(json()) + "\n");
      Files.writeString(page, text);
      for (Outcome outcome : outcomes) {
        for (Map.Entry<Plot, List<Metric>> plot : plots(outcome).entrySet()) {
          Files.writeString(directory.resolve(plot.getKey().file()),
              SvgPlot.draw(plot.getKey().title(), plot.getKey().unit(), plot.getValue()));
        }
      }
    } catch (IOException e) {
      throw new BenchmarkException("report: " + e.getMessage(), e);
    }
    System.out.print(text.lines().filter(line -> !line.startsWith("![")).collect(Collectors.joining("\n", "", "\n")));
    System.out.println("Written to " + page + " and " + directory.resolve(prefix + "results.json"));
  }

  private String markdown() {
    StringBuilder text = new StringBuilder("# Benchmark\n\n");
    text.append(machine.entrySet().stream().map(each -> each.getKey() + " " + each.getValue().getAsString())
        .collect(Collectors.joining(", "))).append("\n");
    for (Outcome outcome : outcomes) {
      text.append("\n## ").append(heading(outcome)).append("\n\n");
      outcome.faults().forEach(each -> text.append("**FAILED**: ").append(each).append("\n\n"));
      outcome.skipped().forEach(each -> text.append("Skipped: ").append(each).append("\n\n"));
      if (!outcome.metrics().isEmpty()) {
        appendTable(text, outcome.metrics());
      }
      outcome.notes().forEach(each -> text.append(each).append("\n\n"));
      plots(outcome).keySet().forEach(plot -> text.append("![").append(plot.title()).append(", ").append(plot.unit())
          .append("](").append(plot.file()).append(")\n"));
    }
    return text.toString();
  }

  private static void appendTable(StringBuilder text, List<Metric> metrics) {
    int width = metrics.stream().mapToInt(each -> each.name().length()).max().orElse(0);
    String form = "| %-" + width + "s | %8s | %8s | %8s | %-4s | %3s | %s |%n";
    text.append(form.formatted("figure", "median", "min", "max", "unit", "n", "target"));
    text.append("|").append("-".repeat(width + 2)).append("|---------:|---------:|---------:|------|----:|---|\n");
    for (Metric metric : metrics) {
      Statistics statistics = metric.statistics();
      String goals = metric.goals().stream().map(goal -> goal.text() + (goal.met(statistics) ? ": met" : ": MISSED"))
          .collect(Collectors.joining(", "));
      text.append(form.formatted(metric.name(), Metric.number(statistics.median()), Metric.number(statistics.min()),
          Metric.number(statistics.max()), metric.unit(), metric.samples().size(), goals));
    }
    text.append("\n");
  }

  private JsonObject json() {
    JsonObject document = new JsonObject();
    document.add("machine", machine);
    JsonArray scenarios = new JsonArray();
    outcomes.forEach(outcome -> scenarios.add(json(outcome)));
    document.add("scenarios", scenarios);
    return document;
  }

  private static JsonObject json(Outcome outcome) {
    JsonObject object = new JsonObject();
    object.addProperty("id", outcome.id());
    object.addProperty("title", outcome.title());
    object.add("faults", GSON.toJsonTree(outcome.faults()));
    object.add("skipped", GSON.toJsonTree(outcome.skipped()));
    object.add("notes", GSON.toJsonTree(outcome.notes()));
    JsonArray metrics = new JsonArray();
    outcome.metrics().forEach(metric -> metrics.add(json(metric)));
    object.add("metrics", metrics);
    return object;
  }

  private static JsonObject json(Metric metric) {
    Statistics statistics = metric.statistics();
    JsonObject object = new JsonObject();
    object.addProperty("name", metric.name());
    object.addProperty("unit", metric.unit());
    object.addProperty("median", statistics.median());
    object.addProperty("min", statistics.min());
    object.addProperty("max", statistics.max());
    object.add("samples", GSON.toJsonTree(metric.samples()));
    JsonArray targets = new JsonArray();
    for (Goal goal : metric.goals()) {
      JsonObject target = new JsonObject();
      target.addProperty("kind", goal.kind().name());
      target.addProperty("bound", goal.bound());
      target.addProperty("met", goal.met(statistics));
      targets.add(target);
    }
    object.add("targets", targets);
    return object;
  }

  private static JsonObject machine() {
    JsonObject machine = new JsonObject();
    machine.addProperty("time", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    machine.addProperty("processors", Runtime.getRuntime().availableProcessors());
    machine.addProperty("memoryMiB", KernelCounters.memoryTotalBytes() / Bench.MEBIBYTE);
    machine.addProperty("kernel", System.getProperty("os.version"));
    machine.addProperty("java", Runtime.version().toString());
    return machine;
  }

  /** Metrics of one unit and group share a plot, and with it a scale. */
  private static Map<Plot, List<Metric>> plots(Outcome outcome) {
    return outcome.metrics().stream().collect(
        Collectors.groupingBy(metric -> Plot.of(outcome, metric), LinkedHashMap::new, Collectors.toList()));
  }

  private static String heading(Outcome outcome) {
    return outcome.id().matches("p[0-9]+")
        ? outcome.id().toUpperCase(Locale.ROOT) + ". " + outcome.title()
        : outcome.title();
  }
}
