package dev.pageferry.chaos;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/** What a Linux guest has shown on its console: it writes each count to its disk before. For one thread at a time. */
final class CountLedger {
  private static final Pattern COUNT = Pattern.compile("(?m)^count (\\d+)\\s*$");
  private static final Pattern RECORD = Pattern.compile("record (\\d+) ");
  private static final int NAMED = 5;

  private final String vm;
  private final Set<Long> shown = new TreeSet<>();

  CountLedger(String vm) {
    this.vm = vm;
  }

  void console(String text) {
    COUNT.matcher(text).results().forEach(each -> shown.add(Long.parseLong(each.group(1))));
  }

  long shown() {
    return shown.size();
  }

  /** @param disk all its bytes */
  List<String> problems(byte[] disk) {
    Set<Long> records = RECORD.matcher(new String(disk, StandardCharsets.ISO_8859_1)).results()
        .map(each -> Long.valueOf(each.group(1))).collect(Collectors.toSet());
    List<String> found = new ArrayList<>();
    long newest = shown.stream().mapToLong(Long::longValue).max().orElse(0);
    List<Long> missing = LongStream.rangeClosed(1, newest).filter(each -> !records.contains(each)).boxed().toList();
    if (!missing.isEmpty()) {
      found.add("%s: %d records of the %d up to the last count that it showed are not on its disk: %s...".formatted(vm,
          missing.size(), newest, missing.subList(0, Math.min(NAMED, missing.size()))));
    }
    return found;
  }
}
