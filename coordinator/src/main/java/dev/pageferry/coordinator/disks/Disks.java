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
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.Disk;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** What operators do with disks. The coordinator has no storage of its own: any host that has it does the work. */
public final class Disks {
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
      case UNRECOGNIZED -> throw new RequestException(Kind.INVALID, "unknown disk format %d", request.getFormatValue());
    };
    return disk(onAnyHost(address -> () -> agents.createDisk(address,
        dev.pageferry.proto.agent.v1.CreateDiskRequest.newBuilder().setName(request.getName()).setFormat(format)
            .setSizeBytes(request.getSizeBytes()).build())));
  }

  public List<Disk> list() throws RequestException {
    List<Disk> disks = new ArrayList<>();
    for (dev.pageferry.proto.agent.v1.Disk each : onAnyHost(address -> () -> agents.listDisks(address))) {
      disks.add(disk(each));
    }
    return disks;
  }

  public Disk show(String name) throws RequestException {
    checkName(name);
    return disk(onAnyHost(address -> () -> agents.getDisk(address, name)));
  }

  /** Deletes a disk that no VM has. */
  public void delete(String name) throws RequestException {
    checkName(name);
    Optional<String> owner = owner(name);
    if (owner.isPresent()) {
      throw new RequestException(Kind.REFUSED, "disk %s is VM %s's; delete that VM first", name, owner.get());
    }
    onAnyHost(address -> () -> {
      agents.deleteDisk(address, name);
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
      var disk = ask(host, () -> agents.getDisk(host.record().getAddress(), each));
      // By the name that the host gives it: a path may be called in several ways.
      Optional<String> owner = owner(disk.getName());
      if (owner.isPresent()) {
        throw new RequestException(Kind.REFUSED, "disk %s is VM %s's; a disk has one VM", each, owner.get());
      }
      found.add(disk);
    }
    return found;
  }

  private Disk disk(dev.pageferry.proto.agent.v1.Disk found) {
    return Disk.newBuilder().setName(found.getName()).setFormat(Disk.Format.valueOf(found.getFormat().name()))
        .setSizeBytes(found.getSizeBytes()).setVm(owner(found.getName()).orElse("")).build();
  }

  private Optional<String> owner(String disk) {
    return ledger.list().stream().map(Row::record).map(each -> each.getSpec())
        .filter(spec -> spec.getDisksList().stream().anyMatch(each -> each.getName().equals(disk)))
        .map(VmSpec::getName).findFirst();
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

  private <T> T onAnyHost(Function<String, Question<T>> question) throws RequestException {
    List<Host> hosts = inventory.list().stream().filter(each -> each.isUp() && !each.record().getStorageId().isEmpty())
        .toList();
    if (hosts.isEmpty()) {
      throw new RequestException(Kind.REFUSED, "no host that is up has shared storage; start agents with --storage");
    }
    if (hosts.stream().map(each -> each.record().getStorageId()).distinct().count() > 1) {
      throw new RequestException(Kind.REFUSED,
          "hosts have different storage, so that a disk's name does not say which: %s",
          String.join(", ", hosts.stream().map(each -> each.id() + "=" + each.record().getStorageId()).toList()));
    }
    Host host = hosts.getFirst();
    return ask(host, question.apply(host.record().getAddress()));
  }

  private static <T> T ask(Host host, Question<T> question) throws RequestException {
    try {
      return question.answer();
    } catch (AgentException e) {
      Kind kind = switch (e.kind()) {
        case UNREACHABLE, REFUSED -> Kind.REFUSED;
        case NOT_FOUND -> Kind.NOT_FOUND;
        case INVALID -> Kind.INVALID;
        case EXISTS -> Kind.EXISTS;
        case FAILED -> Kind.FAILED;
      };
      throw new RequestException(kind, "host %s: %s", host.id(), e.getMessage());
    }
  }
}
