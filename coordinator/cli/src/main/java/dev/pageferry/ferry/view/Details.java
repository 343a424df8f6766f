package dev.pageferry.ferry.view;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One thing, a {@code key: value} line per property. Values are aligned, lines without a value left
 * out.
 */
public final class Details {
  private final Map<String, String> lines = new LinkedHashMap<>();

  public Details add(String key, Object value) {
    if (!value.toString().isEmpty()) {
      lines.put(key, value.toString());
    }
    return this;
  }

  public String text() {
    int width = lines.keySet().stream().mapToInt(String::length).max().orElse(0) + 2;
    StringBuilder text = new StringBuilder();
    lines.forEach((key, value) -> text.append(key).append(':').append(" ".repeat(width - key.length())).append(value)
        .append('\n'));
    return text.toString();
  }
}
