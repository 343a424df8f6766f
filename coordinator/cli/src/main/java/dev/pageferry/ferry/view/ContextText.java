package dev.pageferry.ferry.view;

import com.google.protobuf.Struct;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Contexts, for people and for programs. */
public final class ContextText {
  /** One context; what it does not say is empty. */
  public record Entry(String name, String coordinator, String certificate, String key, String authorities,
      boolean current) {
    private Map<String, Object> properties() {
      Map<String, Object> properties = new LinkedHashMap<>();
      properties.put("name", name);
      properties.put("coordinator", coordinator);
      properties.put("tlsCert", certificate);
      properties.put("tlsKey", key);
      properties.put("tlsCa", authorities);
      properties.put("current", current);
      return properties;
    }
  }

  private ContextText() {
  }

  /** Prints contexts; the one that counts has a mark. */
  public static void list(Output output, List<Entry> entries) {
    Table table = new Table(List.of("CURRENT", "NAME", "COORDINATOR", "CERTIFICATE"), List.of("KEY", "AUTHORITIES"));
    for (Entry each : entries) {
      table.row(each.current() ? "*" : " ", each.name(), each.coordinator(), each.certificate(), each.key(),
          each.authorities());
    }
    Struct document = Documents.list("contexts", entries.stream().map(Entry::properties).toList());
    output.document(document, palette -> table.text(palette, output.isWide()));
  }
}
