package dev.pageferry.coordinator.migration;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.machines.Eligibility;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.VmDestination;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Where a VM could be moved right now, and why not elsewhere: what a move asks first, without one. */
final class Destinations {
  /** An operator waits for it. */
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final HostInventory inventory;
  private final AgentClient agents;
  private final Eligibility eligibility;
  private final MovePrerequisites prerequisites;
  private final Scheduler scheduler;

  Destinations(HostInventory inventory, AgentClient agents, Eligibility eligibility, MovePrerequisites prerequisites,
      Scheduler scheduler) {
    this.inventory = inventory;
    this.agents = agents;
    this.eligibility = eligibility;
    this.prerequisites = prerequisites;
    this.scheduler = scheduler;
  }

  /** All hosts but its own; none where it cannot be moved anywhere, as it is down or being moved. */
  List<VmDestination> of(Row row) throws InterruptedException {
    if (!isMovable(row)) {
      return List.of();
    }
    Map<String, String> refusals = new ConcurrentHashMap<>();
    Map<String, Task> questions = new LinkedHashMap<>();
    List<Host> others = inventory.list().stream()
        .filter(host -> !host.id().value().equals(row.record().getOwnerHost())).toList();
    for (Host host : others) {
      String id = host.id().value();
      try {
        prerequisites.check(row, host, RequestedMove.of(MigrateLiveRequest.newBuilder()
            .setName(row.record().getSpec().getName()).setTo(id).build()));
      } catch (RequestException e) {
        refusals.put(id, String.valueOf(e.getMessage()));
        continue;
      }
      if (row.record().getSpec().hasQemu()) {
        questions.put(id, scheduler.start("check-" + id, () -> ask(host, row, refusals)));
      }
    }
    await(questions, refusals);
    return others.stream().map(host -> destination(host.id().value(), refusals)).toList();
  }

  private boolean isMovable(Row row) {
    try {
      eligibility.requireInMemory(row, "");
      return !row.record().hasPending();
    } catch (RequestException e) {
      return false;
    }
  }

  private void ask(Host host, Row row, Map<String, String> refusals) {
    try {
      agents.checkArrival(host.record().getAddress(), row.record().getSpec());
    } catch (AgentException | RuntimeException e) {
      // Whatever goes wrong, it has not said yes.
      refusals.put(host.id().value(), "host %s: %s".formatted(host.id(), e.getMessage()));
    }
  }

  private void await(Map<String, Task> questions, Map<String, String> refusals) throws InterruptedException {
    Deadline end = Deadline.after(PATIENCE, scheduler);
    List<Task> late = new ArrayList<>();
    try {
      for (Map.Entry<String, Task> each : questions.entrySet()) {
        if (!each.getValue().join(Duration.ofNanos(end.remainingNanos()))) {
          late.add(each.getValue());
          refusals.putIfAbsent(each.getKey(), "host %s: its agent does not answer".formatted(each.getKey()));
        }
      }
    } finally {
      late.forEach(Task::interrupt);
    }
  }

  private static VmDestination destination(String host, Map<String, String> refusals) {
    String reason = refusals.getOrDefault(host, "");
    return VmDestination.newBuilder().setHost(host).setEligible(reason.isEmpty()).setReason(reason).build();
  }
}
