package dev.pageferry.coordinator.validation;

import dev.pageferry.coordinator.validation.ClusterLook.HostLook;
import java.util.List;

/** Whether there are hosts to move VMs between. */
final class HostChecks {
  private static final String TWO = "two-hosts";
  private static final String ANSWER = "hosts-answer";

  private HostChecks() {
  }

  static void look(ClusterLook cluster, Findings findings) {
    Findings.Category hosts = findings.of("hosts");
    long up = cluster.hosts().stream().filter(HostLook::isUp).count();
    if (up < 2) {
      hosts.fail(TWO, List.of(), "%d host%s up; VMs move between two".formatted(up, up == 1 ? " is" : "s are"),
          "install an agent on a second machine, and 'ferry host admit' it");
    } else {
      hosts.pass(TWO, "%d hosts are up".formatted(up));
    }
    for (HostLook each : cluster.hosts()) {
      if (!each.isUp()) {
        hosts.fail(ANSWER, List.of(each.name()), "no heartbeat from it",
            "start its agent, and look at its log; a host that is gone for good: 'ferry host delete %s'".formatted(
                each.name()));
      } else if (each.isOlder()) {
        hosts.skip(ANSWER, List.of(each.name()), "its agent (%s) is too old for validation".formatted(
            each.version()));
      } else if (each.facts().isEmpty()) {
        hosts.fail(ANSWER, List.of(each.name()),
            "its heartbeats arrive, but it does not answer the coordinator: " + each.trouble(),
            "the coordinator must reach the agent's --listen address: look at firewalls, and at the agent's log");
      }
    }
    hosts.passUnlessFound(ANSWER, "all answer the coordinator, and the coordinator hears them");
  }
}
