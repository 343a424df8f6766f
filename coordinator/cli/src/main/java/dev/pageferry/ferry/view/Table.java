package dev.pageferry.ferry.view;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Aligned columns under upper-case headers. Columns whose cells are all numbers are flush right.
 */
public final class Table {
  private static final String GAP = "  ";
  private static final Set<String> PAINTED = Set.of("STATE", "RESULT");

  private final List<String> headers;
  /** How many columns there are without those that only a wide table shows. */
  private final int narrow;
  private final List<List<String>> rows = new ArrayList<>();

  public Table(String... headers) {
    this(List.of(headers), List.of());
  }

  /** @param wide headers of the last columns, which only a wide table shows */
  public Table(List<String> headers, List<String> wide) {
    this.headers = Stream.concat(headers.stream(), wide.stream()).toList();
    this.narrow = headers.size();
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

  /** The table, each line ended. Cells of the columns STATE and RESULT are painted. */
  public String text(Palette palette) {
    return text(palette, false);
  }

  /** The same with all columns, or without those of wide tables. */
  public String text(Palette palette, boolean wide) {
    int[] widths = new int[wide ? headers.size() : narrow];
    boolean[] numeric = new boolean[widths.length];
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
      String painted = PAINTED.contains(headers.get(i)) ? palette.paint(cell) : cell;
      line.append(i == 0 ? "" : GAP).append(numeric[i] ? padding + painted : painted + padding);
    }
    text.append(line.toString().stripTrailing()).append('\n');
  }
}
