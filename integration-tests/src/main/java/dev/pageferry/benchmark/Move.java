package dev.pageferry.benchmark;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The final document of a migration, and the time the command itself took, start of its JVM
 * included.
 *
 * @param blackoutParts
 *          seconds by the name of the field without its unit, in the order of the document
 */
record Move(String destination, double commandSeconds, double totalSeconds, double setupSeconds, double blackoutSeconds,
    Map<String, Double> blackoutParts, long bytesSent, long pagesSent, long zeroPages,
    double throughputBytesPerSecond) {
  private static final String PART_SUFFIX = "Seconds";

  /**
   * 64-bit integers come as strings in the JSON form of protobuf, which Gson reads as numbers all the
   * same.
   */
  static Move parse(JsonObject document, double commandSeconds) {
    if (!"COMPLETED".equals(field(document, "state").getAsString())) {
      throw new BenchmarkException("migration not completed: " + document);
    }
    Map<String, Double> parts = new LinkedHashMap<>();
    field(document, "blackout").getAsJsonObject().entrySet().forEach(part -> {
      String name = part.getKey();
      if (name.endsWith(PART_SUFFIX)) {
        parts.put(name.substring(0, name.length() - PART_SUFFIX.length()), part.getValue().getAsDouble());
      }
    });
    return new Move(field(document, "destination").getAsString(), commandSeconds,
        field(document, "totalSeconds").getAsDouble(), field(document, "setupSeconds").getAsDouble(),
        field(document, "blackoutSeconds").getAsDouble(), parts, field(document, "bytesSent").getAsLong(),
        field(document, "pagesSent").getAsLong(), field(document, "zeroPages").getAsLong(),
        field(document, "throughputBytesPerSecond").getAsDouble());
  }

  /** Everything after setup. */
  double afterSetupSeconds() {
    return totalSeconds - setupSeconds;
  }

  private static JsonElement field(JsonObject document, String name) {
    if (!document.has(name) || document.get(name).isJsonNull()) {
      throw new BenchmarkException("migration document without " + name + ": " + document);
    }
    return document.get(name);
  }
}
