package dev.pageferry.chaos;

import dev.pageferry.journal.JournalReader.Journal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What was seen of one VM's journals, read again and again from outside while hosts come and go: each is whole whenever it is
 * read, and none of its records is ever gone again. For one thread at a time.
 */
final class JournalLedger {
  private final String vm;
  private final Map<Long, Journal> newest = new HashMap<>();
  private final List<String> problems = new ArrayList<>();
  private long looks;

  JournalLedger(String vm) {
    this.vm = vm;
  }

  /** Whether what was read gives rise to a problem; what was being written while it was read is read again first. */
  boolean isDoubtful(List<Journal> journals, long acknowledgedSteps) {
    return !problemsOf(journals, acknowledgedSteps).isEmpty();
  }

  /** @param acknowledgedSteps since its boot, as the cluster told before the journals were read; 0: not known */
  void read(List<Journal> journals, long acknowledgedSteps) {
    looks++;
    problems.addAll(problemsOf(journals, acknowledgedSteps));
    for (Journal each : journals) {
      newest.put(each.firstSlot(), each);
    }
  }

  private List<String> problemsOf(List<Journal> journals, long acknowledgedSteps) {
    List<String> found = new ArrayList<>();
    Map<Long, Journal> now = new HashMap<>();
    for (Journal each : journals) {
      now.put(each.firstSlot(), each);
      each.problems().forEach(problem -> found.add("%s: %s".formatted(vm, problem)));
    }
    newest.forEach((slot, before) -> {
      Journal after = now.get(slot);
      if (after == null) {
        found.add("%s: the journal at slot %d, with %d records, is gone".formatted(vm, slot, before.last()));
        return;
      }
      if (after.last() < before.last()) {
        found.add("%s: record %d of the journal at slot %d was there, and now the last one is %d".formatted(vm,
            before.last(), slot, after.last()));
      }
      if (after.lastEpoch() < before.lastEpoch()) {
        found.add("%s: the journal at slot %d was written under epoch %d, and then under %d".formatted(vm, slot,
            before.lastEpoch(), after.lastEpoch()));
      }
    });
    long steps = journals.stream().mapToLong(Journal::stepsSinceBoot).sum();
    if (steps < acknowledgedSteps) {
      found.add("%s: %d steps were acknowledged since its boot, and %d are on the disk".formatted(vm, acknowledgedSteps,
          steps));
    }
    return found;
  }

  long looks() {
    return looks;
  }

  /** Records that were on the disk at the last look. */
  long records() {
    return newest.values().stream().mapToLong(Journal::last).sum();
  }

  List<String> problems() {
    return List.copyOf(problems);
  }
}
