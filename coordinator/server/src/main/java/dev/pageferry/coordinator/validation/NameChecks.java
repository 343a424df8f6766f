package dev.pageferry.coordinator.validation;

import dev.pageferry.coordinator.validation.ClusterLook.HostLook;
import dev.pageferry.proto.agent.v1.ResolvedName;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Whether the names in hosts' addresses lead to the same place from everywhere. */
final class NameChecks {
  private static final String RESOLVED = "names-resolved";

  private NameChecks() {
  }

  static void look(ClusterLook cluster, Findings findings) {
    Findings.Category names = findings.of("names");
    Map<String, Map<List<String>, String>> found = new TreeMap<>();
    for (HostLook host : cluster.answered()) {
      for (ResolvedName each : host.facts().orElseThrow().getNamesList()) {
        if (!each.getTrouble().isEmpty()) {
          names.fail(RESOLVED, List.of(host.name()), "it does not find %s: %s".formatted(each.getName(),
              each.getTrouble()),
              "put the name into the DNS or into /etc/hosts there, or give agents numeric addresses");
          continue;
        }
        Map<List<String>, String> places = found.computeIfAbsent(each.getName(), _ -> new LinkedHashMap<>());
        if (!places.isEmpty() && !places.containsKey(each.getAddressesList())) {
          Map.Entry<List<String>, String> first = places.entrySet().iterator().next();
          names.warn(RESOLVED, List.of(host.name()), "%s is %s here, and %s on %s".formatted(each.getName(),
              String.join(", ", each.getAddressesList()), String.join(", ", first.getKey()), first.getValue()),
              "let all hosts ask the same name server");
        }
        places.putIfAbsent(each.getAddressesList(), host.name());
      }
    }
    names.passUnlessFound(RESOLVED, found.isEmpty()
        ? "all addresses are numeric"
        : "every host finds %s at the same addresses".formatted(String.join(", ", found.keySet())));
  }
}
