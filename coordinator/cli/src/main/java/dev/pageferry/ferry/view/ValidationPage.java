package dev.pageferry.ferry.view;

import dev.pageferry.common.units.Bandwidth;
import dev.pageferry.common.units.Durations;
import dev.pageferry.proto.cluster.v1.ValidationCheck;
import dev.pageferry.proto.cluster.v1.ValidationLink;
import dev.pageferry.proto.cluster.v1.ValidationReport;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A report of a validation as one page of HTML, which needs nothing else. */
public final class ValidationPage {
  private static final String PAGE = """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <title>Validation: %1$s</title>
      <style>
      body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222; background: #fff }
      table { border-collapse: collapse; width: 100%% }
      th, td { border-bottom: 1px solid #ccc; padding: .35rem .6rem; text-align: left; vertical-align: top }
      .result { font-weight: bold; white-space: nowrap }
      .PASS { color: #176e2c } .WARN { color: #8a5a00 } .FAIL { color: #b00020 } .SKIPPED { color: #666 }
      .cure { color: #444 }
      </style>
      </head>
      <body>
      <h1>Validation: <span class="%1$s">%1$s</span></h1>
      <p>%2$s, in %3$.1f s. Hosts: %4$s.</p>
      %5$s
      </body>
      </html>
      """;

  private ValidationPage() {
  }

  /** The page. */
  public static String of(ValidationReport report) {
    String checks = table(List.of("Result", "Check", "Hosts", "Found"), report.getChecksList().stream()
        .map(ValidationPage::row));
    String links = report.getLinksCount() == 0
        ? ""
        : "<h2>Links</h2>\n" + table(List.of("From", "To", "Bandwidth", "Round trip", "Path MTU", ""),
            report.getLinksList().stream().map(ValidationPage::row));
    return String.format(Locale.ROOT, PAGE, report.getResult(), Times.text(report.getAt().getSeconds() * 1000),
        report.getSeconds(), escaped(String.join(", ", report.getHostsList())), checks + links);
  }

  private static String table(List<String> headers, Stream<String> rows) {
    return "<table>\n<tr>%s</tr>\n%s</table>\n".formatted(
        headers.stream().map(each -> "<th>" + each + "</th>").collect(Collectors.joining()),
        rows.collect(Collectors.joining()));
  }

  private static String row(ValidationCheck check) {
    String cure = check.getCure().isEmpty()
        ? ""
        : "<br><span class=\"cure\">%s</span>".formatted(escaped(check.getCure()));
    return "<tr><td class=\"result %s\">%s</td><td>%s</td><td>%s</td><td>%s%s</td></tr>\n".formatted(check.getResult(),
        check.getResult(), escaped(check.getName()), escaped(String.join(", ", check.getHostsList())),
        escaped(check.getReason()), cure);
  }

  private static String row(ValidationLink link) {
    return "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n".formatted(
        escaped(link.getSource()), escaped(link.getDestination()),
        link.hasBytesPerSecond() ? Bandwidth.format(link.getBytesPerSecond()) : "-",
        link.hasRoundTripSeconds() ? Durations.format(link.getRoundTripSeconds()) : "-",
        link.hasPathMtu() ? link.getPathMtu() : "-", escaped(link.getTrouble()));
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
  }
}
