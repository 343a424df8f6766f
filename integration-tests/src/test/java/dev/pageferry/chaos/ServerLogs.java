package dev.pageferry.chaos;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** Finds in a server's log what nobody has foreseen: stack traces, and errors that are not said of such trouble. */
final class ServerLogs {
  private static final Pattern TRACE = Pattern.compile("^\\s+at [\\w.$/<>]+\\(.*");
  private static final Pattern ERROR = Pattern.compile("^\\S+ ERROR .*");
  /** What a server says, and rightly, when its host or its storage is in trouble. */
  private static final List<Pattern> FORESEEN = List.of(
      Pattern.compile("StorageLease: the lease of host \\S+ cannot be renewed; guests stop when it expires"));

  private ServerLogs() {
  }

  static List<String> unforeseen(String server, List<String> log) {
    List<String> found = new ArrayList<>();
    boolean inTrace = false;
    String before = "";
    for (String line : log) {
      boolean isTrace = TRACE.matcher(line).matches();
      if (isTrace && !inTrace) {
        found.add("%s: a stack trace: %s".formatted(server, before));
      }
      inTrace = isTrace;
      if (ERROR.matcher(line).matches() && FORESEEN.stream().noneMatch(each -> each.matcher(line).find())) {
        found.add("%s: %s".formatted(server, line));
      }
      before = line;
    }
    return found.stream().distinct().toList();
  }
}
