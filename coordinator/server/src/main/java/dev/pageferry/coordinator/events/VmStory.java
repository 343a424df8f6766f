package dev.pageferry.coordinator.events;

import dev.pageferry.coordinator.availability.Failover;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.proto.cluster.v1.Event;
import dev.pageferry.proto.cluster.v1.Event.Kind;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** What happens to VMs: how their rows are now, beside how they were; and which wait for a restart. */
final class VmStory {
  private final OwnershipLedger ledger;
  private final Failover failover;
  private Map<String, VmRecord> before;
  /** Starts that have failed, of VMs that wait. */
  private Map<String, Integer> waiting = new HashMap<>();

  VmStory(OwnershipLedger ledger, Failover failover) {
    this.ledger = ledger;
    this.failover = failover;
    this.before = now();
  }

  int count() {
    return before.size();
  }

  private Map<String, VmRecord> now() {
    return ledger.list().stream().collect(Collectors.toMap(each -> each.id().value(), Row::record, (a, _) -> a,
        TreeMap::new));
  }

  List<Event.Builder> look() {
    List<Event.Builder> seen = new ArrayList<>();
    waits(seen);
    Map<String, VmRecord> now = now();
    now.forEach((id, is) -> compare(before.get(id), is, seen));
    before.forEach((id, was) -> {
      if (!now.containsKey(id)) {
        String name = was.getSpec().getName();
        seen.add(event(Kind.VM_DELETED, name, "", "VM %s was deleted".formatted(name)));
      }
    });
    before = now;
    return seen;
  }

  private void waits(List<Event.Builder> seen) {
    Map<String, Integer> now = new HashMap<>();
    for (Failover.Waiting each : failover.waiting()) {
      now.put(each.vm(), each.attempts());
      Integer was = waiting.get(each.vm());
      if (was == null) {
        seen.add(event(Kind.VM_WAITS, each.vm(), each.host(),
            "VM %s does not run any more, as far as is known: %s".formatted(each.vm(), each.reason())));
      } else if (each.attempts() > was) {
        seen.add(event(Kind.VM_RESTART_FAILED, each.vm(), each.host(),
            "VM %s could not be restarted: %s".formatted(each.vm(), each.reason())));
      }
    }
    waiting = now;
  }

  private static void compare(@Nullable VmRecord was, VmRecord is, List<Event.Builder> seen) {
    String name = is.getSpec().getName();
    String host = is.getOwnerHost();
    if (was == null) {
      seen.add(event(Kind.VM_CREATED, name, host, "VM %s was created on host %s".formatted(name, host)));
    }
    boolean isAsBefore = was != null && was.getPhase() == is.getPhase() && was.getEpoch() == is.getEpoch();
    if (isAsBefore) {
      return;
    }
    switch (is.getPhase()) {
      case ACTIVE -> seen.add(runs(was, is, name, host));
      case STOPPED -> {
        if (was != null) {
          seen.add(event(Kind.VM_STOPPED, name, host, "VM %s is stopped".formatted(name)));
        }
      }
      case SAVED -> seen.add(event(Kind.VM_SAVED, name, host, "VM %s is saved".formatted(name)));
      case CREATING, PHASE_UNSPECIFIED, UNRECOGNIZED -> {
        // What comes of it is told.
      }
    }
  }

  private static Event.Builder runs(@Nullable VmRecord was, VmRecord is, String name, String host) {
    long epoch = is.getEpoch();
    if (was != null && was.hasRestart()) {
      return event(Kind.VM_RESTARTED, name, host,
          "VM %s runs again, on host %s under epoch %d: %s".formatted(name, host,
              epoch, was.getRestart().getEvidence()))
          .setFromHost(was.getRestart().getFromHost());
    }
    if (was != null && was.getPhase() == VmRecord.Phase.ACTIVE && !was.getOwnerHost().equals(host)) {
      return event(Kind.VM_MOVED, name, host, "VM %s is on host %s under epoch %d; it was on host %s".formatted(name,
          host, epoch, was.getOwnerHost())).setFromHost(was.getOwnerHost());
    }
    boolean isTakenOver = was != null && was.getPhase() == VmRecord.Phase.ACTIVE
        && !was.getOwnerIncarnation().equals(is.getOwnerIncarnation());
    return isTakenOver
        ? event(Kind.VM_TAKEN_OVER, name, host,
            "VM %s goes on under the next agent of host %s, epoch %d".formatted(name,
                host, epoch))
        : event(Kind.VM_STARTED, name, host, "VM %s runs on host %s under epoch %d".formatted(name, host, epoch));
  }

  private static Event.Builder event(Kind kind, String vm, String host, String text) {
    return Event.newBuilder().setKind(kind).setVm(vm).setHost(host).setText(text);
  }
}
