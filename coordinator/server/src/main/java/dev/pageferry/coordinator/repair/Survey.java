package dev.pageferry.coordinator.repair;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.inventory.Displaced;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.repair.Surveyed.Arrival;
import dev.pageferry.coordinator.repair.Surveyed.Copy;
import dev.pageferry.coordinator.repair.Surveyed.Hosts;
import dev.pageferry.coordinator.repair.Surveyed.Leases;
import dev.pageferry.proto.agent.v1.DiskLease;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Finds out where VMs are: from the records, from what hosts have said, and by asking them. */
final class Survey {
  private static final Logger log = LoggerFactory.getLogger(Survey.class);

  private final OwnershipLedger ledger;
  private final HostInventory inventory;
  private final AgentClient agents;
  /** Hosts whose heartbeat came since the trouble was found. */
  private final Set<HostId> heard = ConcurrentHashMap.newKeySet();

  Survey(OwnershipLedger ledger, HostInventory inventory, AgentClient agents) {
    this.ledger = ledger;
    this.inventory = inventory;
    this.agents = agents;
  }

  /** A host has said what it has. */
  void heard(HostId host) {
    heard.add(host);
  }

  /** The trouble is over: in the next, nobody was heard yet. */
  void forgetHeard() {
    heard.clear();
  }

  /** Hosts that have not said what they have, and lives of hosts that another took the place of, in order. */
  List<String> silentHosts() {
    return Stream.concat(inventory.list().stream().filter(this::isSilent).map(each -> each.id().value()),
        inventory.displaced().stream().map(Displaced::toString)).sorted().toList();
  }

  private Set<Incarnation> silentIncarnations() {
    return Stream.concat(inventory.list().stream().filter(this::isSilent).map(Host::incarnation),
        inventory.displaced().stream().map(Displaced::incarnation)).collect(Collectors.toSet());
  }

  private boolean isSilent(Host host) {
    return !host.isConfirmedDead() && (!host.isUp() || !heard.contains(host.id()));
  }

  /** From the last heartbeats alone. */
  Surveyed reported() {
    Set<String> all = new HashSet<>();
    ledger.list().forEach(each -> all.add(each.record().getStorageId()));
    inventory.list().forEach(each -> all.add(each.record().getStorageId()));
    return world(new Leases(Map.of(), all), (host, vm) -> Optional.empty());
  }

  /** With what the leases of disks say. */
  Surveyed complete() {
    Map<VmId, Long> leases = new HashMap<>();
    Set<String> asked = new HashSet<>();
    for (Host host : inventory.list()) {
      String storage = host.record().getStorageId();
      if (!host.isUp() || storage.isEmpty() || asked.contains(storage)) {
        continue;
      }
      try {
        for (DiskLease each : agents.listDiskLeases(host.record().getAddress())) {
          leases.merge(new VmId(each.getVmId()), each.getEpoch(), Math::max);
        }
        asked.add(storage);
      } catch (AgentException e) {
        log.warn("host={} does not tell of the leases of disks on storage {}: {}", host.id(), storage, e.getMessage());
      }
    }
    return world(new Leases(leases, asked), this::askFor);
  }

  /** What a host says of a VM that has no row; heartbeats carry no specification. */
  private interface Specifications {
    Optional<VmSpec> of(Host host, VmId vm);
  }

  private Optional<VmSpec> askFor(Host host, VmId vm) {
    try {
      return Optional.of(agents.getVm(host.record().getAddress(), vm.value()).getSpec());
    } catch (AgentException e) {
      log.warn("host={} does not describe VM {}: {}", host.id(), vm, e.getMessage());
      return Optional.empty();
    }
  }

  private Specifications ofRows(Map<VmId, VmRecord> rows, Specifications others) {
    return (host, vm) -> Optional.ofNullable(rows.get(vm)).map(VmRecord::getSpec).or(() -> others.of(host, vm));
  }

  private Surveyed world(Leases leases, Specifications others) {
    Map<VmId, VmRecord> rows = new HashMap<>();
    Map<String, VmId> names = new HashMap<>();
    for (Row each : ledger.list()) {
      rows.put(each.id(), each.record());
      names.put(each.record().getSpec().getName(), each.id());
    }
    Map<VmId, List<Copy>> copies = new HashMap<>();
    Map<VmId, List<Arrival>> arrivals = new HashMap<>();
    Set<VmId> deleted = new HashSet<>();
    for (Host host : inventory.list()) {
      if (!host.isUp()) {
        continue;
      }
      host.vms().forEach((vm, status) -> {
        copies.computeIfAbsent(vm, _ -> new ArrayList<>())
            .add(copy(host, vm, status, ofRows(rows, others).of(host, vm)));
      });
      host.doubts().stream().filter(each -> !host.vms().containsKey(each.vm()))
          .forEach(each -> arrivals.computeIfAbsent(each.vm(), _ -> new ArrayList<>())
              .add(new Arrival(host.id(), host.incarnation(), host.record().getStorageId(), each.operation(),
                  each.epoch().value(), ledger.isCommitted(each.vm(), each.operation()))));
    }
    Stream.concat(copies.keySet().stream(), arrivals.keySet().stream())
        .filter(vm -> !rows.containsKey(vm) && ledger.wasDeleted(vm)).forEach(deleted::add);
    return new Surveyed(rows, new Hosts(copies, arrivals, silentIncarnations()), leases, deleted, names);
  }

  private static Copy copy(Host host, VmId vm, VmStatus status, Optional<VmSpec> spec) {
    return new Copy(host.id(), host.incarnation(), host.record().getStorageId(), status.getEpoch(),
        spec.map(VmSpec::getName).orElse(vm.value()), spec.filter(its -> its.getDisksCount() > 0).isPresent(),
        host.doubts().stream().anyMatch(each -> each.vm().equals(vm)));
  }
}
