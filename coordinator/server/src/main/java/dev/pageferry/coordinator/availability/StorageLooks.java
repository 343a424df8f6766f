package dev.pageferry.coordinator.availability;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.agents.HostInspector;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.proto.agent.v1.HostSigns;
import dev.pageferry.proto.agent.v1.HostSigns.Verdict;
import dev.pageferry.proto.agent.v1.LookAtHostRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/** What hosts tell of another one that is silent, from the storage that they share with it. */
final class StorageLooks {
  /** Longer than a question may take. */
  private static final Duration PATIENCE = Duration.ofSeconds(4);

  private final HostInspector inspector;
  private final Scheduler scheduler;

  StorageLooks(HostInspector inspector, Scheduler scheduler) {
    this.inspector = inspector;
    this.scheduler = scheduler;
  }

  /**
   * What is known from storage.
   *
   * @param reason for people
   * @param kept VMs whose machines are kept for the host's next agent
   * @param within when it can be said that it is gone, unless it is seen to live; empty: nobody knows
   */
  record Sign(Verdict verdict, String reason, Set<String> kept, Optional<Duration> within) {
  }

  /**
   * Asks all that are heard and share its storage, so that each that may get a VM of it has begun to wait its lease out.
   *
   * @param machines of QEMU among its VMs, by their ids
   * @param hosts that are heard
   */
  Sign look(Host silent, Incarnation incarnation, Set<String> machines, List<Host> hosts) throws InterruptedException {
    List<Host> lookers = hosts.stream().filter(each -> !each.id().equals(silent.id())
        && each.record().getStorageId().equals(silent.record().getStorageId())).toList();
    LookAtHostRequest request = LookAtHostRequest.newBuilder().setHost(silent.id().value())
        .setIncarnation(incarnation.value()).addAllVmIds(machines).build();
    Map<String, HostSigns> answers = new ConcurrentHashMap<>();
    List<Task> tasks = new ArrayList<>();
    for (Host each : lookers) {
      tasks.add(scheduler.start("look-" + each.id(), () -> ask(each, request, answers)));
    }
    for (Task each : tasks) {
      boolean _ = each.join(PATIENCE);
    }
    return judge(silent, new TreeMap<>(answers));
  }

  private void ask(Host looker, LookAtHostRequest request, Map<String, HostSigns> answers) {
    HostSigns answer;
    try {
      answer = inspector.lookAtHost(looker.record().getAddress(), request);
    } catch (AgentException | RuntimeException e) {
      answer = HostSigns.newBuilder().setReason(String.valueOf(e.getMessage())).build();
    }
    answers.put(looker.id().value(), answer);
  }

  /** Where one sees it live nothing else counts: then locks do not hold between all hosts. */
  private static Sign judge(Host silent, Map<String, HostSigns> answers) {
    Set<String> kept = answers.values().stream().flatMap(each -> each.getKeptList().stream())
        .collect(Collectors.toSet());
    for (Verdict each : List.of(Verdict.LIVES, Verdict.GONE, Verdict.WAITING, Verdict.VERDICT_UNSPECIFIED)) {
      for (Map.Entry<String, HostSigns> answer : answers.entrySet()) {
        if (answer.getValue().getVerdict() == each) {
          return new Sign(each,
              "as host %s sees on the storage: %s".formatted(answer.getKey(), answer.getValue().getReason()), kept,
              Optional.of(answer.getValue().getWaitMillis()).filter(it -> it > 0).map(Duration::ofMillis));
        }
      }
    }
    return new Sign(Verdict.VERDICT_UNSPECIFIED,
        "no other host that is heard has its storage %s".formatted(silent.record().getStorageId()), kept,
        Optional.empty());
  }
}
