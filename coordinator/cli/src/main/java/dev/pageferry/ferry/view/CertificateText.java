package dev.pageferry.ferry.view;

import com.google.protobuf.Struct;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Certificates, for people and for programs. */
public final class CertificateText {
  /**
   * One certificate.
   *
   * @param member {@code ROLE/NAME}; empty: it is not a member's
   * @param cluster empty: it names none
   * @param certificate where it is
   * @param key where its key is; null: not told
   * @param authorities where the certificate of its authority is; null: not told
   * @param authority the name of whoever certified it
   */
  public record Entry(String member, String cluster, Path certificate, @Nullable Path key, @Nullable Path authorities,
      Instant notBefore, Instant notAfter, String authority) {
    private Map<String, Object> properties() {
      Map<String, Object> properties = new LinkedHashMap<>();
      properties.put("member", member);
      properties.put("cluster", cluster);
      properties.put("certificate", certificate);
      if (key != null && authorities != null) {
        properties.put("key", key);
        properties.put("authorities", authorities);
      }
      properties.put("notBefore", notBefore);
      properties.put("notAfter", notAfter);
      properties.put("authority", authority);
      return properties;
    }

    private String who() {
      return !member.isEmpty() ? member : cluster.isEmpty() ? "" : "authority of " + cluster;
    }
  }

  private CertificateText() {
  }

  /** Prints certificates that were made. */
  public static void made(Output output, List<Entry> entries) {
    Table table = new Table(List.of("MEMBER", "UNTIL", "CERTIFICATE"), List.of("KEY", "AUTHORITIES", "CLUSTER"));
    for (Entry each : entries) {
      table.row(each.who(), day(each.notAfter()), each.certificate(), text(each.key()), text(each.authorities()),
          each.cluster());
    }
    print(output, entries, table);
  }

  /** Prints certificates that are looked at. */
  public static void seen(Output output, List<Entry> entries, Instant now) {
    Table table = new Table(List.of("MEMBER", "CLUSTER", "FROM", "UNTIL", "DAYS LEFT", "AUTHORITY", "CERTIFICATE"),
        List.of());
    for (Entry each : entries) {
      table.row(each.who(), each.cluster(), day(each.notBefore()), day(each.notAfter()),
          Duration.between(now, each.notAfter()).toDays(), each.authority(), each.certificate());
    }
    print(output, entries, table);
  }

  private static void print(Output output, List<Entry> entries, Table table) {
    Struct document = Documents.list("certificates", entries.stream().map(Entry::properties).toList());
    output.document(document, palette -> entries.isEmpty() ? "" : table.text(palette, output.isWide()));
  }

  /** The day of a point of time, in UTC. */
  public static String day(Instant time) {
    return time.truncatedTo(ChronoUnit.DAYS).toString().substring(0, "2026-03-01".length());
  }

  private static String text(@Nullable Path file) {
    return file == null ? "" : file.toString();
  }
}
