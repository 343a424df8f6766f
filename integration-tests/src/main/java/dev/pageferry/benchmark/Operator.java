package dev.pageferry.benchmark;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * The operator's command, for one cluster.
 *
 * @param words that call it, up to its own
 */
record Operator(Children children, List<String> words) {
  Operator {
    words = List.copyOf(words);
  }

  Children.Result run(Duration limit, String... more) {
    List<String> all = new ArrayList<>(words);
    all.addAll(List.of("-o", "json"));
    all.addAll(List.of(more));
    return children.run(limit, all);
  }

  /**
   * What it printed; an empty object if it prints none.
   *
   * @throws BenchmarkException if it fails
   */
  JsonObject json(Duration limit, String... more) {
    Children.Result result = must(limit, more);
    return result.output().startsWith("{") ? parse(result, String.join(" ", more)) : new JsonObject();
  }

  Children.Result must(Duration limit, String... more) {
    Children.Result result = run(limit, more);
    if (result.exitCode() != 0) {
      throw new BenchmarkException("ferry " + String.join(" ", more) + ": " + result.complaint());
    }
    return result;
  }

  static JsonObject parse(Children.Result result, String what) {
    try {
      return JsonParser.parseString(result.output()).getAsJsonObject();
    } catch (JsonParseException | IllegalStateException e) {
      throw new BenchmarkException("ferry %s (%s) printed no JSON object".formatted(what, result.complaint()), e);
    }
  }
}
