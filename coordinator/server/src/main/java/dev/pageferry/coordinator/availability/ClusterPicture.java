package dev.pageferry.coordinator.availability;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.inventory.HostStops;
import dev.pageferry.coordinator.machines.Wishes;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.placement.PlacementHost;
import dev.pageferry.coordinator.placement.PlacementVm;
import dev.pageferry.coordinator.placement.World;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.records.v1.PendingMigration;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Hosts and VMs as heartbeats and rows have them at one moment. No host is asked. */
final class ClusterPicture {
  private static final String NOT_KNOWN = "not known";

  private final World world;
  private final Map<String, VmRecord> records = new HashMap<>();
  private final Map<String, PlacementVm> vms = new LinkedHashMap<>();
  private final Map<String, Host> hosts = new LinkedHashMap<>();

  private ClusterPicture(List<Host> heard, List<Row> rows, HostInventory inventory) {
    heard.forEach(each -> hosts.put(each.id().value(), each));
    for (Row each : rows) {
      PlacementVm vm = vm(each.record());
      records.put(vm.name(), each.record());
      vms.put(vm.name(), vm);
    }
    Map<String, Long> arriving = new HashMap<>();
    rows.forEach(each -> arriving(each)
        .ifPresent(host -> arriving.merge(host, each.record().getSpec().getMemoryBytes(), Math::addExact)));
    world = new World(
        heard.stream()
            .map(each -> new PlacementHost(each.id().value(), trouble(each, inventory), each.record().getStorageId(),
                each.memoryFreeBytes() - arriving.getOrDefault(each.id().value(), 0L), Map.of()))
            .toList(),
        vms.values().stream().filter(each -> !each.host().isEmpty()).toList());
  }

  static ClusterPicture of(HostInventory inventory, OwnershipLedger ledger) {
    return new ClusterPicture(inventory.list(), ledger.list(), inventory);
  }

  World world() {
    return world;
  }

  /** The same world, with what hosts said against VMs. */
  World world(Map<String, Map<String, String>> refusals) {
    return new World(world.hosts().stream().map(each -> new PlacementHost(each.name(), each.trouble(), each.storage(),
        each.memoryFreeBytes(), refusals.getOrDefault(each.name(), Map.of()))).toList(), world.vms());
  }

  /** A VM of a row; one that is in no host's memory has no host. */
  Optional<PlacementVm> vm(String name) {
    return Optional.ofNullable(vms.get(name));
  }

  VmSpec spec(PlacementVm vm) {
    return records.getOrDefault(vm.name(), VmRecord.getDefaultInstance()).getSpec();
  }

  /** Why a VM is never restarted by itself; empty: it is. */
  Optional<String> neverBecause(PlacementVm vm) {
    VmRecord record = records.getOrDefault(vm.name(), VmRecord.getDefaultInstance());
    return RestartRule.neverBecause(vm, record.getSpec().getDisksList(), Wishes.of(record).ha(), world);
  }

  /** Where the agents of hosts that are up are asked, by host. */
  Map<String, String> addresses() {
    Map<String, String> addresses = new LinkedHashMap<>();
    hosts.values().stream().filter(Host::isUp)
        .forEach(each -> addresses.put(each.id().value(), each.record().getAddress()));
    return addresses;
  }

  private PlacementVm vm(VmRecord record) {
    Wishes wishes = Wishes.of(record);
    return new PlacementVm(record.getSpec().getName(), record.getSpec().getMemoryBytes(),
        isInMemory(record) ? record.getOwnerHost() : "", storage(record), wishes.priority(), wishes.prefer(),
        wishes.apartFrom(), record.getPending().getDestinationHost());
  }

  /** Also of a host that is silent: nobody knows that it has ended. Not of one whose agent was followed by another. */
  private boolean isInMemory(VmRecord record) {
    Host owner = hosts.get(record.getOwnerHost());
    boolean isOn = record.getPhase() == VmRecord.Phase.ACTIVE || record.getPhase() == VmRecord.Phase.CREATING;
    return isOn && owner != null && owner.incarnation().value().equals(record.getOwnerIncarnation());
  }

  private String storage(VmRecord record) {
    if (record.getSpec().getDisksCount() == 0 && record.getPhase() != VmRecord.Phase.SAVED) {
      return "";
    }
    if (!record.getStorageId().isEmpty()) {
      return record.getStorageId();
    }
    // Rows of before do not say it: it is what its host has.
    Host owner = hosts.get(record.getOwnerHost());
    String storage = owner == null ? "" : owner.record().getStorageId();
    return storage.isEmpty() ? NOT_KNOWN : storage;
  }

  /** The host that the VM is on its way to, and that has not set memory aside for it as far as it told. */
  private Optional<String> arriving(Row row) {
    PendingMigration pending = row.record().getPending();
    VmId vm = row.id();
    return Optional.of(pending).filter(each -> !each.getDestinationHost().isEmpty())
        .map(each -> hosts.get(new HostId(each.getDestinationHost()).value()))
        .filter(host -> !host.vms().containsKey(vm) && !host.coming().contains(vm)).map(host -> host.id().value());
  }

  private static String trouble(Host host, HostInventory inventory) {
    if (host.isUp()) {
      return inventory.plans().drain(host.id()).isPresent()
          ? "it is drained, and takes no VMs"
          : inventory.stops().quarantinedUntil(host.id()).filter(_ -> !isEverybodyQuarantined(inventory))
              .map(until -> quarantined(host, until)).orElse("");
    }
    return host.isConfirmedDead() ? "it is off: " + host.deathEvidence() : "it is DOWN: no heartbeat";
  }

  private static String quarantined(Host host, Instant until) {
    return "it stopped %d times within an hour, and is quarantined until %s; 'ferry host activate %s' ends that"
        .formatted(HostStops.MOST, until.truncatedTo(ChronoUnit.SECONDS), host.id());
  }

  /** As after a power supply that failed again and again: then it was none of the hosts. */
  private static boolean isEverybodyQuarantined(HostInventory inventory) {
    return inventory.list().stream().filter(Host::isUp)
        .allMatch(each -> inventory.stops().quarantinedUntil(each.id()).isPresent());
  }
}
