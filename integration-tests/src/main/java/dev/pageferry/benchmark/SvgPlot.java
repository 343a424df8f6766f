package dev.pageferry.benchmark;

import com.google.errorprone.annotations.FormatMethod;
import java.util.List;
import java.util.Locale;

/**
 * One row for each metric of a unit: a dot for each sample, a bar at the median, a dashed line at
 * each target.
 */
final class SvgPlot {
  private static final int LABEL_WIDTH = 290;
  private static final int PLOT_WIDTH = 460;
  private static final int VALUE_WIDTH = 90;
  private static final int ROW_HEIGHT = 30;
  private static final int TOP = 40;
  private static final int BOTTOM = 34;
  private static final int TICKS = 5;

  private SvgPlot() {
  }

  static String draw(String title, String unit, List<Metric> metrics) {
    double highest = metrics.stream().mapToDouble(SvgPlot::highest).max().orElse(0);
    double step = roundUp(highest / TICKS);
    double end = step * TICKS;
    int width = LABEL_WIDTH + PLOT_WIDTH + VALUE_WIDTH;
    int bottom = TOP + metrics.size() * ROW_HEIGHT;
    StringBuilder svg = new StringBuilder();
    append(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\""
        + " font-size=\"13\">", width, bottom + BOTTOM);
    append(svg, "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>");
    append(svg, "<text x=\"8\" y=\"22\" font-size=\"15\" font-weight=\"bold\">%s, %s</text>", escape(title),
        escape(unit));
    for (int i = 0; i <= TICKS; i++) {
      double x = x(i * step, end);
      append(svg, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#ddd\"/>", x, TOP, x, bottom);
      append(svg, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#555\">%s</text>", x, bottom + 18,
          Metric.number(i * step));
    }
    for (int i = 0; i < metrics.size(); i++) {
      row(svg, metrics.get(i), TOP + i * ROW_HEIGHT + ROW_HEIGHT / 2, end);
    }
    return svg.append("</svg>\n").toString();
  }

  private static void row(StringBuilder svg, Metric metric, int y, double end) {
    Statistics statistics = metric.statistics();
    double median = x(statistics.median(), end);
    append(svg, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", LABEL_WIDTH - 12, y + 4,
        escape(metric.name()));
    append(svg, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#9bb8d3\" stroke-width=\"3\"/>",
        x(statistics.min(), end), y, x(statistics.max(), end), y);
    for (double sample : metric.samples()) {
      append(svg, "<circle cx=\"%.1f\" cy=\"%d\" r=\"4\" fill=\"#1f77b4\" fill-opacity=\"0.5\"/>", x(sample, end), y);
    }
    append(svg, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#0b3d66\" stroke-width=\"3\"/>", median,
        y - 9, median, y + 9);
    for (Goal goal : metric.goals()) {
      double x = x(goal.bound(), end);
      append(svg,
          "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#c0392b\" stroke-width=\"2\""
              + " stroke-dasharray=\"4 3\"><title>%s</title></line>",
          x, y - 13, x, y + 13, escape(goal.text()));
    }
    append(svg, "<text x=\"%d\" y=\"%d\">%s</text>", LABEL_WIDTH + PLOT_WIDTH + 14, y + 4,
        Metric.number(statistics.median()));
  }

  private static double highest(Metric metric) {
    double bound = metric.goals().stream().mapToDouble(Goal::bound).max().orElse(0);
    return Math.max(metric.statistics().max(), bound);
  }

  /** The next of 1, 2, 2.5, 5 and 10 times a power of ten. */
  private static double roundUp(double value) {
    if (value <= 0) {
      return 1;
    }
    double power = Math.pow(10, Math.floor(Math.log10(value)));
    for (double factor : new double[]{1, 2, 2.5, 5}) {
      if (value <= factor * power) {
        return factor * power;
      }
    }
    return 10 * power;
  }

  private static double x(double value, double end) {
    return LABEL_WIDTH + value / end * PLOT_WIDTH;
  }

  @FormatMethod
  private static void append(StringBuilder svg, String form, Object... values) {
    svg.append(String.format(Locale.ROOT, form, values)).append('\n');
  }

  private static String escape(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }
}
