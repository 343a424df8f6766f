package dev.pageferry.chaos;

import dev.pageferry.proto.cluster.v1.Vm;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What the cluster told of its VMs, again and again: epochs never go back. Boots are seen, since steps count from them. */
final class RowLedger {
  private final Map<String, Vm> newest = new HashMap<>();
  private final Map<String, Long> mostSteps = new HashMap<>();
  private final Map<String, Long> boots = new HashMap<>();
  private final List<String> problems = new ArrayList<>();
  private long looks;

  synchronized void told(List<Vm> vms) {
    looks++;
    for (Vm now : vms) {
      Vm before = newest.put(now.getName(), now);
      if (before != null && now.getEpoch() < before.getEpoch()) {
        problems.add("%s: its epoch was %d, and then %d".formatted(now.getName(), before.getEpoch(), now.getEpoch()));
      }
      if (now.getState() == Vm.State.RUNNING) {
        Long most = mostSteps.put(now.getName(), now.getSteps());
        if (most != null && now.getSteps() < most) {
          boots.merge(now.getName(), 1L, Long::sum);
        }
      }
    }
  }

  synchronized long boots(String vm) {
    return boots.getOrDefault(vm, 0L);
  }

  synchronized long allBoots() {
    return boots.values().stream().mapToLong(Long::longValue).sum();
  }

  synchronized long looks() {
    return looks;
  }

  synchronized List<String> problems() {
    return List.copyOf(problems);
  }

  /** 0 where it is not known. */
  synchronized long steps(String vm) {
    Vm now = newest.get(vm);
    return now == null || now.getState() != Vm.State.RUNNING ? 0 : now.getSteps();
  }
}
