package dev.pageferry.coordinator.machines;

import dev.pageferry.common.concurrent.Backoff;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.Names;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.disks.Disks;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.agent.v1.QemuMachine;
import dev.pageferry.proto.agent.v1.ResolveSpecResponse;
import dev.pageferry.proto.agent.v1.UefiFirmware;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Making new VMs. */
final class MachineCreations {
  private static final Logger log = LoggerFactory.getLogger(MachineCreations.class);
  /** With a version, so that it is the same machine wherever it goes. */
  private static final String DEFAULT_MACHINE = "pc-i440fx-10.0";
  private static final String DEFAULT_CPU = "qemu64";
  private static final String AUTO = "auto";
  private static final OwnershipEpoch FIRST = new OwnershipEpoch(1);

  /** How long a creation that was begun before is waited for. */
  private static final Duration FINISHING = Duration.ofMinutes(5);

  private final OwnershipLedger ledger;
  private final AgentClient agents;
  private final Disks disks;
  private final Eligibility eligibility;
  private final Whereabouts whereabouts;
  private final MachineStarts starts;
  private final BusyVms busy;
  private final Scheduler scheduler;
  private final RandomGenerator random;
  /** Held from the look whether addresses are free until they are taken. */
  private final Object naming = new Object();

  MachineCreations(OwnershipLedger ledger, AgentClient agents, Disks disks, Eligibility eligibility,
      Whereabouts whereabouts, MachineStarts starts, BusyVms busy, Scheduler scheduler,
      RandomGenerator random) {
    this.ledger = ledger;
    this.agents = agents;
    this.disks = disks;
    this.eligibility = eligibility;
    this.whereabouts = whereabouts;
    this.starts = starts;
    this.busy = busy;
    this.scheduler = scheduler;
    this.random = random;
  }

  /**
   * Records a VM, then builds it on its host; a VM that cannot be built leaves no record.
   *
   * @param id of the new VM; was never that of another
   */
  Vm create(CreateVmRequest request, VmId id) throws RequestException {
    Host host = eligibility.openHost(request.getHost());
    ResolveSpecResponse resolved = resolve(host, withDisks(host, spec(request, id), request));
    VmSpec spec = resolved.getSpec();
    Eligibility.requireRoom(host, spec, "choose another host or less memory");
    return busy.exclusively(id, spec.getName(), () -> {
      record(resolved, host);
      try {
        return starts.boot(spec, host, FIRST, new MachineStarts.Manner(request.getPaused(), false));
      } catch (RequestException e) {
        starts.requireUnbuilt(ledger.find(id).orElseThrow(() -> e), host, e);
        forget(id, host);
        throw e;
      }
    });
  }

  /** Its CD-ROMs are disks, too, after the others. */
  private VmSpec withDisks(Host host, VmSpec spec, CreateVmRequest request) throws RequestException {
    List<String> names = new ArrayList<>(request.getDisksList());
    names.addAll(request.getQemu().getCdromsList());
    List<Disk> found = disks.forNewVm(host, names);
    VmSpec.Builder with = spec.toBuilder().addAllDisks(found);
    if (spec.hasQemu()) {
      // As the host names them: a path may be called in several ways.
      with.getQemuBuilder().addAllCdroms(
          found.subList(request.getDisksCount(), found.size()).stream().map(Disk::getName).toList());
    }
    return with.build();
  }

  /** What is left to the host it chooses before anything is recorded, as the row has what the VM will always be. */
  private ResolveSpecResponse resolve(Host host, VmSpec spec) throws RequestException {
    return spec.hasQemu()
        ? withDevices(AgentQuestions.ask(host, () -> agents.resolveSpec(host.record().getAddress(), spec)), spec)
        : ResolveSpecResponse.newBuilder().setSpec(spec).build();
  }

  private static ResolveSpecResponse withDevices(ResolveSpecResponse said, VmSpec asked) {
    return said.toBuilder().setSpec(Disks.withDevices(said.getSpec(), asked)).build();
  }

  /** The row first: what is not recorded is not built. */
  private void record(ResolveSpecResponse resolved, Host host) throws RequestException {
    VmSpec spec = resolved.getSpec();
    VmRecord record = VmRecord.newBuilder().setSpec(spec).setPhase(VmRecord.Phase.CREATING)
        .setOwnerHost(host.id().value()).setOwnerIncarnation(host.incarnation().value()).setEpoch(FIRST.value())
        .setStorageId(MachineStarts.storageOf(host, spec)).setCreatedAtMillis(scheduler.wallMillis())
        .setAccelReason(resolved.getAccelReason()).build();
    synchronized (naming) {
      RequestedCards.requireFree(ledger, spec.getNicsList());
      // Again: another VM may have been recorded since, under another name of a device.
      disks.requireFree(spec.getDisksList(), host.record().getStorageId());
      if (!ledger.add(record)) {
        throw new RequestException(Kind.EXISTS, "VM %s exists already; choose another name", spec.getName());
      }
    }
  }

  /** An agent whose answer was lost may have built the VM all the same. */
  private void forget(VmId unbuilt, Host host) throws ConflictException {
    try {
      whereabouts.destroyIfThere(host, unbuilt, FIRST.value());
    } catch (RequestException e) {
      log.warn("vm={} host={} may have built it; kept as stopped, so that it is destroyed there: {}", unbuilt,
          host.id(), e.getMessage());
      return;
    }
    ledger.remove(unbuilt);
  }

  private static VmSpec spec(CreateVmRequest request, VmId id) throws RequestException {
    try {
      VmSpec.Builder spec = VmSpec.newBuilder().setId(id.value())
          .setName(Names.check("VM name", request.getName()))
          .setMemoryBytes(request.getMemoryBytes()).setVcpus(request.getVcpus()).setProgram(request.getProgram())
          .putAllProgramArgs(request.getProgramArgsMap());
      if (request.hasMemoryImage()) {
        spec.setMemoryImage(request.getMemoryImage());
      }
      if (request.hasQemu()) {
        spec.setQemu(qemu(request));
      }
      return spec.addAllNics(RequestedCards.parse(request.getNicsList())).build();
    } catch (IllegalArgumentException e) {
      throw new RequestException(Kind.INVALID, "%s", String.valueOf(e.getMessage()));
    }
  }

  private static QemuMachine qemu(CreateVmRequest request) {
    if (!request.getProgram().isEmpty() || request.hasMemoryImage()) {
      throw new IllegalArgumentException("a machine of QEMU has no program and no memory image");
    }
    var asked = request.getQemu();
    QemuMachine.Builder machine = QemuMachine.newBuilder()
        .setMachine(asked.getMachine().isEmpty() ? DEFAULT_MACHINE : asked.getMachine())
        .setCpu(asked.getCpu().isEmpty() ? DEFAULT_CPU : asked.getCpu()).setKernel(asked.getKernel())
        .setAppend(asked.getAppend()).setAccel(asked.getAccel().isEmpty() ? AUTO : asked.getAccel())
        .addAllArguments(asked.getArgumentsList());
    if (asked.hasInitrd()) {
      machine.setInitrd(asked.getInitrd());
    }
    switch (asked.getFirmware()) {
      case "", "bios" -> {
      }
      // Which it is, its host says.
      case "uefi" -> machine.setUefi(UefiFirmware.getDefaultInstance());
      default -> throw new IllegalArgumentException("firmware '%s' is not bios or uefi".formatted(asked.getFirmware()));
    }
    return machine.build();
  }

  /** What ends a creation by starting the VM. */
  interface Start {
    Vm start() throws RequestException;
  }

  /**
   * Waits for the end of a creation that an earlier process of this coordinator began, while a host is at it, and starts the
   * VM where none is.
   *
   * @return empty if the creation ended without this
   */
  Optional<Vm> finish(String name, Start start) throws RequestException {
    Backoff backoff = Backoff.withinCluster(random);
    Deadline end = Deadline.after(FINISHING, scheduler);
    while (!end.hasPassed()) {
      Row row = eligibility.row(name);
      if (row.record().getPhase() != VmRecord.Phase.CREATING) {
        return Optional.empty();
      }
      if (!isBeingBuilt(row)) {
        try {
          return Optional.of(start.start());
        } catch (RequestException e) {
          boolean isStillBegun = e.kind() == Kind.REFUSED && whereabouts.of(row).isPresent()
              && eligibility.row(name).record().getPhase() == VmRecord.Phase.CREATING;
          if (!isStillBegun) {
            throw e;
          }
        }
      }
      sleep(backoff.next());
    }
    throw new RequestException(Kind.IN_DOUBT, "VM %s is being created still", name);
  }

  private void sleep(Duration duration) throws RequestException {
    try {
      scheduler.sleep(duration);
    } catch (InterruptedException e) {
      scheduler.current().interrupt();
      throw new RequestException(Kind.IN_DOUBT, "this coordinator is shutting down");
    }
  }

  private boolean isBeingBuilt(Row row) throws RequestException {
    Optional<Host> host = whereabouts.of(row);
    if (host.isEmpty()) {
      return false;
    }
    try {
      agents.getVm(host.get().record().getAddress(), row.id().value());
      return true;
    } catch (AgentException e) {
      return false;
    }
  }
}
