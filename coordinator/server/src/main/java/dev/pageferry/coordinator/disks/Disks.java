package dev.pageferry.coordinator.disks;

import dev.pageferry.common.identity.Names;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedHost;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What operators do with disks. The coordinator has no storage of its own: any host that has it does the work. */
public final class Disks {
  private static final Set<Migration.State> UNFINISHED = Set.of(Migration.State.QUEUED, Migration.State.RUNNING,
      Migration.State.IN_DOUBT);

  private final OwnershipLedger ledger;
  private final HostInventory inventory;
  private final AgentClient agents;

  public Disks(OwnershipLedger ledger, HostInventory inventory, AgentClient agents) {
    this.ledger = ledger;
    this.inventory = inventory;
    this.agents = agents;
  }

  /** Makes a disk of zeros. */
  public Disk create(CreateDiskRequest request) throws RequestException {
    checkName(request.getName());
    var format = switch (request.getFormat()) {
      case VHD, FORMAT_UNSPECIFIED -> dev.pageferry.proto.agent.v1.Disk.Format.VHD;
      case RAW -> dev.pageferry.proto.agent.v1.Disk.Format.RAW;
      case QCOW2 -> dev.pageferry.proto.agent.v1.Disk.Format.QCOW2;
      case UNRECOGNIZED -> throw new RequestException(Kind.INVALID, "unknown disk format %d", request.getFormatValue());
    };
    Host host = hostFor(request.getHost());
    return disk(host, ask(host, () -> agents.createDisk(host.record().getAddress(),
        dev.pageferry.proto.agent.v1.CreateDiskRequest.newBuilder().setName(request.getName()).setFormat(format)
            .setSizeBytes(request.getSizeBytes()).build())));
  }

  /** @param hostName whose storage is meant; empty: all storage */
  public List<Disk> list(String hostName) throws RequestException {
    List<Disk> disks = new ArrayList<>();
    for (Host host : hostName.isEmpty() ? oneOfEachStorage() : List.of(hostFor(hostName))) {
      for (dev.pageferry.proto.agent.v1.Disk each : ask(host, () -> agents.listDisks(host.record().getAddress()))) {
        disks.add(disk(host, each));
      }
    }
    return disks;
  }

  /** @param hostName whose storage is meant; empty: the only one there is */
  public Disk show(String name, String hostName) throws RequestException {
    checkName(name);
    Host host = hostFor(hostName);
    return disk(host, ask(host, () -> agents.getDisk(host.record().getAddress(), name)));
  }

  public boolean exists(String name, String hostName) throws RequestException {
    try {
      return show(name, hostName).getName().equals(name);
    } catch (RequestException e) {
      if (e.kind() == Kind.NOT_FOUND) {
        return false;
      }
      throw e;
    }
  }

  /** Deletes a disk that no VM has. */
  public void delete(String name, String hostName) throws RequestException {
    // Rows that went back in time may not know of the VM that has it.
    ledger.requireChangeable();
    checkName(name);
    Host host = hostFor(hostName);
    Optional<VmRecord> owner = owner(dev.pageferry.proto.agent.v1.Disk.newBuilder().setName(name).build(),
        host.record().getStorageId());
    if (owner.isPresent()) {
      throw new RequestException(Kind.REFUSED, "disk %s is VM %s's; delete that VM first", name,
          owner.get().getSpec().getName());
    }
    ask(host, () -> {
      agents.deleteDisk(host.record().getAddress(), name);
      return true;
    });
  }

  /**
   * The disks of a new VM, as its host sees them.
   *
   * @throws RequestException if there is no such disk there, or a VM has it
   */
  public List<dev.pageferry.proto.agent.v1.Disk> forNewVm(Host host, List<String> names) throws RequestException {
    List<dev.pageferry.proto.agent.v1.Disk> found = new ArrayList<>();
    for (String each : names) {
      // As the host names it: a path may be called in several ways.
      var disk = ask(host, () -> agents.getDisk(host.record().getAddress(), each));
      Optional<dev.pageferry.proto.agent.v1.Disk> twice = found.stream().filter(other -> areOne(other, disk))
          .findFirst();
      if (twice.isPresent()) {
        throw new RequestException(Kind.INVALID, "disk %s is asked for twice: %s is the same one", each,
            twice.get().getName());
      }
      requireFree(disk, host.record().getStorageId());
      found.add(disk);
    }
    return found;
  }

  /**
   * Refuses disks that a VM has by now.
   *
   * @param storage of the host that found them
   */
  public void requireFree(List<dev.pageferry.proto.agent.v1.Disk> found, String storage) throws RequestException {
    for (var each : found) {
      requireFree(each, storage);
    }
  }

  private void requireFree(dev.pageferry.proto.agent.v1.Disk disk, String storage) throws RequestException {
    Optional<VmRecord> owner = owner(disk, storage);
    if (owner.isPresent()) {
      String its = owner.get().getSpec().getDisksList().stream().filter(other -> areOne(other, disk)).findFirst()
          .map(dev.pageferry.proto.agent.v1.Disk::getName).orElse(disk.getName());
      throw new RequestException(Kind.REFUSED, "disk %s is VM %s's%s; a disk has one VM", disk.getName(),
          owner.get().getSpec().getName(), its.equals(disk.getName()) ? "" : ", which has it as " + its);
    }
  }

  /** A VM's specification as its host says it, with what hosts do not repeat: which devices its disks are. */
  public static VmSpec withDevices(VmSpec said, VmSpec recorded) {
    VmSpec.Builder spec = said.toBuilder();
    for (var each : spec.getDisksBuilderList()) {
      recorded.getDisksList().stream().filter(other -> other.getName().equals(each.getName())).findFirst()
          .ifPresent(other -> each.setDevice(other.getDevice()));
    }
    return spec.build();
  }

  private Disk disk(Host host, dev.pageferry.proto.agent.v1.Disk found) {
    String storage = host.record().getStorageId();
    return Disk.newBuilder().setName(found.getName()).setFormat(Disk.Format.valueOf(found.getFormat().name()))
        .setSizeBytes(found.hasGuestSizeBytes() ? found.getGuestSizeBytes() : found.getSizeBytes())
        .setVm(owner(found, storage).map(each -> each.getSpec().getName()).orElse(""))
        .addAllHosts(hostsWithStorage().stream().filter(each -> each.record().getStorageId().equals(storage))
            .map(each -> each.id().value()).sorted().toList())
        .build();
  }

  /**
   * The VM that has a disk. A name alone does not say which disk it is: another storage may have one of that name. While a
   * VM's disks are on their way, those on both storages are its. What is passed through by its path is on no storage, and a
   * device is one whatever its path.
   */
  private Optional<VmRecord> owner(dev.pageferry.proto.agent.v1.Disk disk, String storage) {
    List<MigrationRecord> moving = ledger.migrations().stream()
        .filter(each -> !each.getDestinationStorage().isEmpty() && UNFINISHED.contains(each.getDocument().getState()))
        .toList();
    return ledger.list().stream().map(Row::record)
        .filter(each -> each.getSpec().getDisksList().stream().anyMatch(its -> areOne(its, disk)))
        .filter(each -> isPath(disk) || each.getStorageId().isEmpty() || storagesOf(each, moving).contains(storage))
        .findFirst();
  }

  /** Whether two are one disk: by name, or, of devices that are passed through, by what they are. */
  private static boolean areOne(dev.pageferry.proto.agent.v1.Disk one, dev.pageferry.proto.agent.v1.Disk other) {
    return one.getName().equals(other.getName()) || !device(one).isEmpty() && device(one).equals(device(other));
  }

  /**
   * What tells a device from all others anywhere; empty where nothing does. An inode tells files apart in their own file
   * system only, and copies of a VHD may have one id.
   */
  private static String device(dev.pageferry.proto.agent.v1.Disk disk) {
    if (!isPath(disk) || disk.getIdentity().startsWith("inode-")) {
      return "";
    }
    // Agents of the version before say no more than the identity.
    return disk.getDevice().isEmpty() ? disk.getIdentity() : disk.getDevice();
  }

  private static boolean isPath(dev.pageferry.proto.agent.v1.Disk disk) {
    return disk.getName().startsWith("/");
  }

  private static Set<String> storagesOf(VmRecord vm, List<MigrationRecord> moving) {
    Set<String> storages = new HashSet<>(Set.of(vm.getStorageId()));
    for (MigrationRecord each : moving) {
      if (each.getVmId().equals(vm.getSpec().getId())) {
        storages.add(each.getSourceStorage());
        storages.add(each.getDestinationStorage());
      }
    }
    return storages;
  }

  private static void checkName(String name) throws RequestException {
    try {
      Names.check("disk name", name);
    } catch (IllegalArgumentException e) {
      throw new RequestException(Kind.INVALID, "%s", String.valueOf(e.getMessage()));
    }
  }

  /** A question to an agent. */
  private interface Question<T> {
    T answer() throws AgentException;
  }

  private List<Host> hostsWithStorage() {
    return inventory.list().stream().filter(each -> each.isUp() && !each.record().getStorageId().isEmpty()).toList();
  }

  private List<Host> oneOfEachStorage() throws RequestException {
    Map<String, Host> found = new LinkedHashMap<>();
    hostsWithStorage().forEach(each -> found.putIfAbsent(each.record().getStorageId(), each));
    if (found.isEmpty()) {
      throw new RequestException(Kind.REFUSED, "no host that is up has shared storage; start agents with --storage");
    }
    return List.copyOf(found.values());
  }

  private Host hostFor(String name) throws RequestException {
    if (!name.isEmpty()) {
      Host host = RequestedHost.find(inventory, name);
      if (!host.isUp() || host.record().getStorageId().isEmpty()) {
        throw new RequestException(Kind.REFUSED, "host %s %s; name another one", name,
            host.isUp() ? "has no shared storage" : "is DOWN");
      }
      return host;
    }
    List<Host> ofEach = oneOfEachStorage();
    if (ofEach.size() > 1) {
      throw new RequestException(Kind.REFUSED,
          "hosts have different storage, so that a disk's name does not say which: %s; name one with --host",
          String.join(", ", hostsWithStorage().stream().map(host -> host.id() + "=" + host.record().getStorageId())
              .toList()));
    }
    return ofEach.getFirst();
  }

  private static <T> T ask(Host host, Question<T> question) throws RequestException {
    try {
      return question.answer();
    } catch (AgentException e) {
      Kind kind = switch (e.kind()) {
        // Whether it made or deleted a disk before it fell silent is not known.
        case UNREACHABLE -> Kind.IN_DOUBT;
        case REFUSED, OLDER -> Kind.REFUSED;
        case NOT_FOUND -> Kind.NOT_FOUND;
        case INVALID -> Kind.INVALID;
        case EXISTS -> Kind.EXISTS;
        case FAILED -> Kind.FAILED;
      };
      throw new RequestException(kind, "host %s: %s", host.id(), e.getMessage());
    }
  }
}
