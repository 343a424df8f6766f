package dev.pageferry.agent.incarnation;

import dev.pageferry.common.identity.Incarnation;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a lock file says of the agent that locked it last: a line for each thing, in this order.
 *
 * <pre>
 * pageferry-agent 1
 * incarnation=ID
 * boot=BOOT-ID       of the kernel
 * file=DEVICE:INODE  the lock file's own, so that a copy of it says nothing
 * pid=PID
 * ended=ID,ID        incarnations that were over before, newest first
 * end
 * </pre>
 */
record LockRecord(Incarnation incarnation, String bootId, String file, long pid, List<Incarnation> ended) {
  private static final String FIRST_LINE = "pageferry-agent 1";
  /** A file whose writing was cut short lacks it. */
  private static final String LAST_LINE = "end";

  LockRecord {
    ended = List.copyOf(ended);
  }

  String text() {
    return String.join("\n", FIRST_LINE, "incarnation=" + incarnation, "boot=" + bootId, "file=" + file, "pid=" + pid,
        "ended=" + String.join(",", ended.stream().map(Incarnation::value).toList()), LAST_LINE, "");
  }

  /** Empty where the text is none of this form, whole. */
  static Optional<LockRecord> parse(String text) {
    List<String> lines = text.lines().toList();
    if (lines.size() < 2 || !lines.getFirst().equals(FIRST_LINE) || !lines.getLast().equals(LAST_LINE)) {
      return Optional.empty();
    }
    Map<String, String> values = new HashMap<>();
    for (String line : lines.subList(1, lines.size() - 1)) {
      int equals = line.indexOf('=');
      if (equals < 0) {
        return Optional.empty();
      }
      values.put(line.substring(0, equals), line.substring(equals + 1));
    }
    try {
      List<Incarnation> ended = new ArrayList<>();
      for (String each : values.getOrDefault("ended", "").split(",", -1)) {
        if (!each.isEmpty()) {
          ended.add(new Incarnation(each));
        }
      }
      return Optional.of(new LockRecord(new Incarnation(values.getOrDefault("incarnation", "")),
          values.getOrDefault("boot", ""), values.getOrDefault("file", ""),
          Long.parseLong(values.getOrDefault("pid", "")), ended));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }
}
