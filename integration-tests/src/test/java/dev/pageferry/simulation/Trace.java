package dev.pageferry.simulation;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/** What happened, as lines: their hash tells whether two runs went the same way, the last ones how a run came to its end. */
final class Trace {
  private static final long FNV_OFFSET = 0xcbf29ce484222325L;
  private static final long FNV_PRIME = 0x100000001b3L;
  private static final boolean PRINTS = Boolean.getBoolean("pageferry.simulation.print");
  private static final int REMEMBERED = 400;

  private final Deque<Line> last = new ArrayDeque<>();
  private long hash = FNV_OFFSET;
  private long count;

  /** Formatted only when somebody wants to see it. */
  private record Line(long nanos, String who, String what) {
    @Override
    public String toString() {
      return "%d.%06d %s: %s".formatted(nanos / 1_000_000_000, nanos / 1000 % 1_000_000, who, what);
    }
  }

  void line(long nanos, String who, String what) {
    Line line = new Line(nanos, who, what);
    add(nanos);
    add(who);
    add(what);
    count++;
    if (PRINTS) {
      System.out.println(line);
    }
    if (last.size() == REMEMBERED) {
      last.removeFirst();
    }
    last.addLast(line);
  }

  private void add(long value) {
    hash = (hash ^ value) * FNV_PRIME;
  }

  private void add(String text) {
    // A string's hash is a function of its characters alone.
    add(text.hashCode());
  }

  long hash() {
    return hash;
  }

  long count() {
    return count;
  }

  List<String> last() {
    return last.stream().map(Line::toString).toList();
  }
}
