package dev.pageferry.benchmark;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a scenario measured, told in the order it came. Filled by one thread. */
final class Outcome {
  private final String id;
  private final String title;
  private final Map<String, List<Double>> samples = new LinkedHashMap<>();
  private final Map<String, String> units = new LinkedHashMap<>();
  private final Map<String, List<Goal>> goals = new LinkedHashMap<>();
  private final List<String> notes = new ArrayList<>();
  private final List<String> skipped = new ArrayList<>();
  private final List<String> faults = new ArrayList<>();

  /** id is the target's number in small letters, such as {@code p1}. */
  Outcome(String id, String title) {
    this.id = id;
    this.title = title;
  }

  /** One more sample of the metric; the goals are those of its first sample. */
  void add(String metric, String unit, double value, Goal... asked) {
    samples.computeIfAbsent(metric, _ -> new ArrayList<>()).add(value);
    units.putIfAbsent(metric, unit);
    goals.putIfAbsent(metric, List.of(asked));
  }

  /** Something a reader needs to understand the figures. */
  void note(String sentence) {
    notes.add(sentence);
  }

  /** A part that could not be measured here, and why. */
  void skip(String sentence) {
    skipped.add(sentence);
  }

  /** Something wrong: with any of these the benchmark fails. */
  void fault(String sentence) {
    faults.add(sentence);
  }

  String id() {
    return id;
  }

  String title() {
    return title;
  }

  List<Metric> metrics() {
    return samples.entrySet().stream().map(each -> new Metric(each.getKey(), units.getOrDefault(each.getKey(), ""),
        each.getValue(), goals.getOrDefault(each.getKey(), List.of()))).toList();
  }

  List<String> notes() {
    return List.copyOf(notes);
  }

  List<String> skipped() {
    return List.copyOf(skipped);
  }

  List<String> faults() {
    return List.copyOf(faults);
  }
}
