package dev.pageferry.ferry.view;

import java.util.ArrayList;
import java.util.List;

/**
 * Aligned columns under upper-case headers. Columns whose cells are all numbers are flush right.
 */
public final class Table {
  private static final String GAP = "  ";

  private final List<String> headers;
  private final List<List<String>> rows = new ArrayList<>();

  public Table(String... headers) {
    this.headers = List.of(headers);
  }

  public Table row(Object... cells) {
    if (cells.length != headers.size()) {
      throw new IllegalArgumentException("%d cells under %d headers".formatted(cells.length, headers.size()));
    }
    List<String> row = new ArrayList<>();
    for (Object cell : cells) {
      String text = cell.toString();
      row.add(text.isEmpty() ? "-" : text);
    }
    rows.add(row);
    return this;
  }

  /** The table, each line ended. Cells of the column STATE are painted. */
  public String text(Palette palette) {
    int[] widths = new int[headers.size()];
    boolean[] numeric = new boolean[headers.size()];
    for (int i = 0; i < widths.length; i++) {
      int column = i;
      widths[i] = Math.max(headers.get(i).length(),
          rows.stream().mapToInt(row -> row.get(column).length()).max().orElse(0));
      numeric[i] = !rows.isEmpty() && rows.stream().allMatch(row -> row.get(column).matches("[0-9]+"));
    }
    StringBuilder text = new StringBuilder();
    appendLine(text, headers, widths, numeric, new Palette(false));
    for (List<String> row : rows) {
      appendLine(text, row, widths, numeric, palette);
    }
    return text.toString();
  }

  private void appendLine(StringBuilder text, List<String> cells, int[] widths, boolean[] numeric, Palette palette) {
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < widths.length; i++) {
      String cell = cells.get(i);
      // Padding is counted before painting, because colors take no room on the screen.
      String padding = " ".repeat(widths[i] - cell.length());
      String painted = headers.get(i).equals("STATE") ? palette.paint(cell) : cell;
      line.append(i == 0 ? "" : GAP).append(numeric[i] ? padding + painted : painted + padding);
    }
    text.append(line.toString().stripTrailing()).append('\n');
  }
}
