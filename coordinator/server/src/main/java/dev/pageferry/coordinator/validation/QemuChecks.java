package dev.pageferry.coordinator.validation;

import dev.pageferry.coordinator.validation.ClusterLook.HostLook;
import dev.pageferry.proto.agent.v1.QemuFacts;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Whether a machine of QEMU finds on every host what it has on another. */
final class QemuChecks {
  private static final String THERE = "qemu-there";
  private static final String VERSIONS = "qemu-versions";
  private static final String TYPES = "qemu-machine-types";
  private static final String MODELS = "qemu-cpu-models";
  private static final String ACCELERATORS = "qemu-accelerators";
  private static final int NAMED = 3;

  private QemuChecks() {
  }

  static void look(ClusterLook cluster, Findings findings) {
    Findings.Category qemu = findings.of("qemu");
    List<HostLook> with = cluster.answered().stream().filter(each -> !facts(each).getVersion().isEmpty()).toList();
    if (with.isEmpty()) {
      qemu.skip(THERE, List.of(), "no host has QEMU: only built-in guests run here");
      return;
    }
    for (HostLook each : cluster.answered()) {
      if (facts(each).getVersion().isEmpty()) {
        qemu.warn(THERE, List.of(each.name()), facts(each).getTrouble(),
            "machines of QEMU cannot move there: install qemu-system-x86 8.2.2 or newer, or name it with --qemu");
      }
    }
    qemu.passUnlessFound(THERE, "every host has it");
    differ(with, VERSIONS, QemuFacts::getVersion, "QEMU %s",
        "machines move between versions while both have their type; "
            + "bring all hosts to one version",
        qemu);
    differ(with, ACCELERATORS, QemuFacts::getAccel, "'--accel auto' becomes %s",
        "a VM keeps the accelerator that it was created with, and cannot move to a host without it", qemu);
    missing(with, TYPES, "machine type", each -> facts(each).getMachineTypesList(),
        "create VMs with a type that all hosts have: ", qemu);
    missing(with, MODELS, "CPU model", each -> facts(each).getCpuModelsList(),
        "create VMs with a model that all hosts have, such as ", qemu);
  }

  private static QemuFacts facts(HostLook host) {
    return host.facts().orElseThrow().getQemu();
  }

  private static void differ(List<HostLook> hosts, String check, Function<QemuFacts, String> what, String sentence,
      String cure, Findings.Category qemu) {
    Map<String, Long> counts = new TreeMap<>(hosts.stream().collect(Collectors.groupingBy(
        each -> what.apply(facts(each)), Collectors.counting())));
    String most = Collections.max(counts.entrySet(), Map.Entry.comparingByValue()).getKey();
    for (HostLook each : hosts) {
      String own = what.apply(facts(each));
      if (!own.equals(most)) {
        qemu.warn(check, List.of(each.name()), "%s; on most hosts: %s".formatted(sentence.formatted(own), most), cure);
      }
    }
    qemu.passUnlessFound(check, "%s on every host".formatted(sentence.formatted(most)));
  }

  private static void missing(List<HostLook> hosts, String check, String what, Function<HostLook, List<String>> having,
      String cure, Findings.Category qemu) {
    Set<String> all = new TreeSet<>();
    hosts.forEach(each -> all.addAll(having.apply(each)));
    TreeSet<String> common = new TreeSet<>(all);
    hosts.forEach(each -> common.retainAll(Set.copyOf(having.apply(each))));
    for (HostLook each : hosts) {
      List<String> lacking = new ArrayList<>(all);
      lacking.removeAll(Set.copyOf(having.apply(each)));
      if (!lacking.isEmpty()) {
        String named = String.join(", ", lacking.reversed().subList(0, Math.min(NAMED, lacking.size())));
        qemu.warn(check, List.of(each.name()),
            "%d %s%s of other hosts %s not there, such as %s".formatted(lacking.size(),
                what, lacking.size() == 1 ? "" : "s", lacking.size() == 1 ? "is" : "are", named),
            common.isEmpty() ? "they have none in common" : cure + common.last());
      }
    }
    qemu.passUnlessFound(check, "all hosts have the same %ss (%d)".formatted(what, all.size()));
  }
}
