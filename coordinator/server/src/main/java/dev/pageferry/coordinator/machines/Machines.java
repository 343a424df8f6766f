package dev.pageferry.coordinator.machines;

import dev.pageferry.common.concurrent.RandomIds;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Names;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.units.ByteSize;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.disks.Disks;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipEvent;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Decision;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Outcome;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedHost;
import dev.pageferry.proto.agent.v1.CreateVmRequest;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.Codec;
import dev.pageferry.proto.cluster.v1.RestoreVmUpdate;
import dev.pageferry.proto.cluster.v1.SaveVmUpdate;
import dev.pageferry.proto.cluster.v1.VerifyVmUpdate;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmDigest;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What operators do with VMs, migration apart. Calls block their thread. */
public final class Machines {
  private static final Logger log = LoggerFactory.getLogger(Machines.class);

  /** How long a creation that was begun before is waited for: five minutes. */
  private static final int FINISHING_LOOKS = 600;
  private static final Duration FINISHING_LOOK = Duration.ofMillis(500);

  private final OwnershipLedger ledger;
  private final HostInventory inventory;
  private final AgentClient agents;
  private final Disks disks;
  private final MachineStates states;
  private final RandomGenerator random;
  private final BusyVms busy;
  /** Held from the look whether addresses are free until they are taken. */
  private final Object naming = new Object();
  private final SavedMachines saved;
  private final Whereabouts whereabouts;
  private final Scheduler scheduler;
  private final MachineContents contents;

  /** @param moves whether a migration of the VM is followed */
  public Machines(OwnershipLedger ledger, HostInventory inventory, AgentClient agents, Disks disks,
      Predicate<VmId> moves, Scheduler scheduler, RandomGenerator random) {
    this.disks = disks;
    this.ledger = ledger;
    this.inventory = inventory;
    this.agents = agents;
    this.random = random;
    this.busy = new BusyVms(ledger::requireChangeable);
    this.states = new MachineStates(inventory, moves);
    this.whereabouts = new Whereabouts(inventory, agents);
    this.scheduler = scheduler;
    this.contents = new MachineContents(agents);
    this.saved = new SavedMachines(ledger, inventory, agents, states, scheduler, random);
  }

  /** Ends what an earlier process of this coordinator left under way, as soon as rows may change. */
  public void recover() throws InterruptedException {
    saved.recover();
  }

  /** As below, under an id of its own. */
  public Vm create(dev.pageferry.proto.cluster.v1.CreateVmRequest request) throws RequestException {
    return create(request, new VmId(RandomIds.uuid(random)));
  }

  /**
   * Records a VM, then builds it on its host; a VM that cannot be built leaves no record.
   *
   * @param id of the new VM; was never that of another
   */
  public Vm create(dev.pageferry.proto.cluster.v1.CreateVmRequest request, VmId id) throws RequestException {
    Host host = usableHost(request.getHost());
    VmSpec spec = spec(request, id).toBuilder().addAllDisks(disks.forNewVm(host, request.getDisksList())).build();
    if (spec.getMemoryBytes() > host.memoryFreeBytes()) {
      throw new RequestException(Kind.REFUSED,
          "host %s has %s free for guests, VM %s needs %s; choose another host or less memory",
          host.id(), ByteSize.format(host.memoryFreeBytes()), spec.getName(), ByteSize.format(spec.getMemoryBytes()));
    }
    VmRecord record = VmRecord.newBuilder().setSpec(spec).setPhase(VmRecord.Phase.CREATING)
        .setOwnerHost(host.id().value())
        .setOwnerIncarnation(host.incarnation().value()).setEpoch(1).setStorageId(storageOf(host, spec)).build();
    return busy.exclusively(id, spec.getName(), () -> {
      synchronized (naming) {
        RequestedCards.requireFree(ledger, spec.getNicsList());
        // Again: another VM may have been recorded since, under another name of a device.
        disks.requireFree(spec.getDisksList(), host.record().getStorageId());
        if (!ledger.add(record)) {
          throw new RequestException(Kind.EXISTS, "VM %s exists already; choose another name", spec.getName());
        }
      }
      try {
        return boot(id, host, spec, 1, request.getPaused(), false);
      } catch (RequestException e) {
        requireUnbuilt(ledger.find(id).orElseThrow(() -> e), host, e);
        forget(id, host);
        throw e;
      }
    });
  }

  private Vm boot(VmId id, Host host, VmSpec spec, long epoch, boolean paused, boolean forceDisks)
      throws RequestException, ConflictException {
    VmStatus status = AgentQuestions.ask(host, () -> agents.createVm(host.record().getAddress(),
        CreateVmRequest.newBuilder().setSpec(spec).setEpoch(epoch).setPaused(paused).setForceDisks(forceDisks)
            .build()));
    // What the agent asked itself before the first step; for agents of the version before, which do not ask.
    Decision started = ledger.started(id,
        new OwnershipEvent.Started(host.id(), host.incarnation(), new OwnershipEpoch(epoch)));
    if (started.outcome() != Outcome.COMMITTED) {
      throw new RequestException(Kind.FAILED, "VM %s was stopped or deleted while it was being created",
          spec.getName());
    }
    Row row = ledger.describe(id, known -> Disks.withDevices(status.getSpec(), known));
    log.info("vm={} id={} host={} epoch={} booted", spec.getName(), id, host.id(), epoch);
    return states.vm(row, Optional.of(status));
  }

  /**
   * Sees to it that a VM which could not be built is stopped, unless it did its first step all the same: then it may have been
   * moved since, and is not to be touched.
   *
   * @throws RequestException if it did
   */
  private void requireUnbuilt(Row building, Host host, RequestException cause) throws RequestException {
    VmRecord record = building.record();
    try {
      ledger.change(building.id(), new OwnershipEvent.NotBuilt(new OwnershipEpoch(record.getEpoch())));
    } catch (ConflictException e) {
      boolean isActive = ledger.find(building.id()).filter(it -> it.record().getPhase() == VmRecord.Phase.ACTIVE)
          .isPresent();
      throw isActive
          ? new RequestException(Kind.IN_DOUBT, "VM %s was started, and host %s did not say to the end how: %s",
              record.getSpec().getName(), host.id(), cause.getMessage())
          : cause;
    }
  }

  /** An agent whose answer was lost may have built the VM all the same. */
  private void forget(VmId unbuilt, Host host) throws ConflictException {
    try {
      whereabouts.destroyIfThere(host, unbuilt, 1);
    } catch (RequestException e) {
      log.warn("vm={} host={} may have built it; kept as stopped, so that it is destroyed there: {}", unbuilt,
          host.id(), e.getMessage());
      return;
    }
    ledger.remove(unbuilt);
  }

  private static VmSpec spec(dev.pageferry.proto.cluster.v1.CreateVmRequest request, VmId id)
      throws RequestException {
    try {
      VmSpec.Builder spec = VmSpec.newBuilder().setId(id.value())
          .setName(Names.check("VM name", request.getName()))
          .setMemoryBytes(request.getMemoryBytes()).setVcpus(request.getVcpus()).setProgram(request.getProgram())
          .putAllProgramArgs(request.getProgramArgsMap());
      if (request.hasMemoryImage()) {
        spec.setMemoryImage(request.getMemoryImage());
      }
      return spec.addAllNics(RequestedCards.parse(request.getNicsList())).build();
    } catch (IllegalArgumentException e) {
      throw new RequestException(Kind.INVALID, "%s", String.valueOf(e.getMessage()));
    }
  }

  /**
   * Brings a creation to its end that an earlier process of this coordinator began: waits while the host is at it, and orders it
   * anew where it is not.
   */
  Vm finishCreation(String name, boolean paused) throws RequestException {
    for (int i = 0; i < FINISHING_LOOKS; i++) {
      Row row = row(name);
      if (row.record().getPhase() != VmRecord.Phase.CREATING) {
        return fresh(row);
      }
      if (!isBeingBuilt(row)) {
        try {
          return start(name, "", false, paused);
        } catch (RequestException e) {
          boolean isStillBegun = e.kind() == Kind.REFUSED && whereabouts.of(row).isPresent()
              && row(name).record().getPhase() == VmRecord.Phase.CREATING;
          if (!isStillBegun) {
            throw e;
          }
        }
      }
      sleepALittle();
    }
    throw new RequestException(Kind.IN_DOUBT, "VM %s is being created still", name);
  }

  private void sleepALittle() throws RequestException {
    try {
      scheduler.sleep(FINISHING_LOOK);
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

  /** All VMs, by name, as hosts last told of them in heartbeats and answers: no host is asked, however many VMs there are. */
  public List<Vm> list() {
    return ledger.list().stream().map(row -> states.vm(row, states.lastTold(row.record())))
        .sorted((a, b) -> a.getName().compareTo(b.getName())).toList();
  }

  /** The VM, with its steps as its host says now. */
  public Vm show(String name) throws RequestException {
    return fresh(row(name));
  }

  private Vm fresh(Row row) {
    Optional<Host> owner = inventory.find(new HostId(row.record().getOwnerHost())).filter(Host::isUp);
    if (owner.isPresent() && row.record().getPhase() == VmRecord.Phase.ACTIVE) {
      try {
        VmStatus fresh = agents.getVm(owner.get().record().getAddress(), row.id().value());
        return states.vm(row, Optional.of(fresh));
      } catch (AgentException e) {
        log.debug("vm={} host={} gives no status: {}", row.record().getSpec().getName(), owner.get().id(),
            e.getMessage());
      }
    }
    return states.vm(row, states.lastReported(row.record()));
  }

  /**
   * Boots a VM that is stopped, or whose host restarted under it; restores one that is saved.
   *
   * @param onHost where to; empty: where it was
   */
  public Vm start(String name, String onHost, boolean forceDisks) throws RequestException {
    return start(name, onHost, forceDisks, false);
  }

  /** @param paused whether one that is booted waits for an operator before its first step */
  Vm start(String name, String onHost, boolean forceDisks, boolean paused) throws RequestException {
    Row row = row(name);
    Vm.State state = states.vm(row, states.lastReported(row.record())).getState();
    if (state == Vm.State.PAUSED) {
      return resume(name);
    }
    if (state == Vm.State.SAVED) {
      return restore(name, onHost, (done, total) -> {
      }).getVm();
    }
    return busy.exclusively(row.id(), name, () -> {
      // Read again: another start may have ended just now, and its VM must not be booted a second time.
      Row now = row(name);
      Host host = startable(now, onHost);
      // Refused where the host that had it is merely silent: it may run it still.
      whereabouts.destroy(now);
      Row next = ledger.change(row.id(),
          new OwnershipEvent.Boot(host.id(), host.incarnation(), storageOf(host, now.record().getSpec())));
      long epoch = next.record().getEpoch();
      try {
        whereabouts.destroyIfThere(host, row.id(), epoch - 1);
        return boot(row.id(), host, next.record().getSpec(), epoch, paused, forceDisks);
      } catch (RequestException e) {
        requireUnbuilt(next, host, e);
        throw e;
      }
    });
  }

  /** @return where to boot the VM */
  private Host startable(Row row, String onHost) throws RequestException {
    Vm vm = states.vm(row, states.lastReported(row.record()));
    if (vm.getState() == Vm.State.UNKNOWN) {
      throw new RequestException(Kind.REFUSED,
          "VM %s is UNKNOWN and may still run on host %s: host %s is DOWN, no heartbeat; see that its agent runs, or, if it is off, 'ferry host confirm-dead %s'",
          vm.getName(), vm.getHost(), vm.getHost(), vm.getHost());
    }
    if (vm.getState() != Vm.State.STOPPED && vm.getState() != Vm.State.FAILED) {
      throw new RequestException(Kind.REFUSED, "VM %s is %s; only a stopped or failed VM can be started", vm.getName(),
          vm.getState());
    }
    if (!onHost.isEmpty() && !onHost.equals(vm.getHost()) && vm.getState() == Vm.State.FAILED
        && whereabouts.of(row).isPresent()) {
      throw new RequestException(Kind.REFUSED,
          "VM %s is FAILED and may still run on host %s; only a stopped or saved VM can be started elsewhere",
          vm.getName(), vm.getHost());
    }
    Host host = usableHost(onHost.isEmpty() ? vm.getHost() : onHost);
    boolean sameIncarnation = host.incarnation().value().equals(row.record().getOwnerIncarnation());
    if (row.record().getPhase() == VmRecord.Phase.ACTIVE && sameIncarnation) {
      requireAbsent(row, host);
    }
    requireItsStorage(row, host);
    return host;
  }

  /** Heartbeats did not name it. That may have changed since, so it is asked for by name. */
  private void requireAbsent(Row row, Host host) throws RequestException {
    try {
      agents.getVm(host.record().getAddress(), row.id().value());
    } catch (AgentException e) {
      if (e.kind() == AgentException.Kind.NOT_FOUND) {
        return;
      }
      throw AgentQuestions.translated(host, e);
    }
    throw new RequestException(Kind.REFUSED, "VM %s is on host %s after all; try again",
        row.record().getSpec().getName(), host.id());
  }

  /** What the VM is or was on, where it has disks. */
  private static String storageOf(Host host, VmSpec spec) {
    return spec.getDisksCount() > 0 ? host.record().getStorageId() : "";
  }

  /** Elsewhere there may be an older copy of its disks, which looks like them. */
  private static void requireItsStorage(Row row, Host host) throws RequestException {
    String storage = row.record().getStorageId();
    boolean needed = row.record().getSpec().getDisksCount() > 0 || row.record().getPhase() == VmRecord.Phase.SAVED;
    if (needed && !storage.isEmpty() && !storage.equals(host.record().getStorageId())) {
      throw new RequestException(Kind.REFUSED,
          "what VM %s has on storage is on %s, and host %s has %s; name a host that reaches it",
          row.record().getSpec().getName(), storage, host.id(),
          host.record().getStorageId().isEmpty() ? "none" : host.record().getStorageId());
    }
  }

  /** Saves the VM's memory to shared storage and takes it off its host. */
  public SaveVmUpdate save(String name, Codec.Name codec, SavedMachines.Progress progress) throws RequestException {
    Row row = row(name);
    Host host = runningHost(row);
    return busy.exclusively(row.id(), name, () -> saved.save(row(name), host, codec, progress));
  }

  /**
   * Brings a saved VM back to life.
   *
   * @param onHost where to; empty: where it was
   */
  public RestoreVmUpdate restore(String name, String onHost, SavedMachines.Progress progress) throws RequestException {
    Row row = row(name);
    if (row.record().getPhase() != VmRecord.Phase.SAVED) {
      throw new RequestException(Kind.REFUSED, "VM %s is not saved", name);
    }
    Host host = usableHost(onHost.isEmpty() ? row.record().getOwnerHost() : onHost);
    return busy.exclusively(row.id(), name, () -> {
      Row now = row(name);
      requireItsStorage(now, host);
      return saved.restore(now, host, progress);
    });
  }

  public Vm pause(String name) throws RequestException {
    Row row = row(name);
    Host host = runningHost(row);
    VmStatus status = AgentQuestions.change(host, () -> agents.pauseVm(host.record().getAddress(), row.id().value()));
    return states.vm(row, Optional.of(status));
  }

  public Vm resume(String name) throws RequestException {
    Row row = row(name);
    Host host = runningHost(row);
    VmStatus status = AgentQuestions.change(host, () -> agents.resumeVm(host.record().getAddress(), row.id().value()));
    return states.vm(row, Optional.of(status));
  }

  /** As below; the state of a saved VM is kept. */
  public Vm stop(String name) throws RequestException {
    return stop(name, false);
  }

  /**
   * Powers the VM off.
   *
   * @param discardState whether the state of a saved VM may be thrown away for that
   */
  public Vm stop(String name, boolean discardState) throws RequestException {
    Row row = row(name);
    return busy.exclusively(row.id(), name, () -> {
      Row now = row(name);
      if (!discardState && now.record().getPhase() == VmRecord.Phase.SAVED) {
        throw new RequestException(Kind.REFUSED, "%s; start it, or give --discard-state if you do not need that state",
            SavedMachines.whatWouldBeLost(now.record()));
      }
      Row stopped = powerOff(now);
      return states.vm(stopped, Optional.empty());
    });
  }

  /**
   * Stops the VM and forgets it.
   *
   * @param force also one that is not down
   */
  public void delete(String name, boolean force) throws RequestException {
    Row row = row(name);
    busy.exclusively(row.id(), name, () -> {
      Row now = row(name);
      if (!force) {
        requireDown(now);
      }
      Row stopped = powerOff(now);
      ledger.remove(row.id());
      saved.discard(stopped, "");
      return true;
    });
    log.info("vm={} id={} deleted", name, row.id());
  }

  private void requireDown(Row row) throws RequestException {
    VmRecord record = row.record();
    if (record.getPhase() == VmRecord.Phase.SAVED) {
      throw new RequestException(Kind.REFUSED, "%s; start it, or delete it with --force",
          SavedMachines.whatWouldBeLost(record));
    }
    // What cannot be deleted by force either is not said to need it.
    Optional<Host> unused = whereabouts.of(row);
    Vm.State state = states.vm(row, states.lastReported(row.record())).getState();
    if (state != Vm.State.STOPPED && state != Vm.State.FAILED) {
      throw new RequestException(Kind.REFUSED,
          "VM %s is %s, and what it does would be lost; stop it first, or delete it with --force",
          record.getSpec().getName(), state);
    }
  }

  private Row powerOff(Row row) throws RequestException, ConflictException {
    boolean wasSaved = row.record().getPhase() == VmRecord.Phase.SAVED;
    String file = row.record().getSavedState();
    if (!wasSaved) {
      whereabouts.of(row);
    }
    // The row first: a VM that it calls stopped is destroyed even if this coordinator dies in between.
    Row stopped = ledger.change(row.id(), new OwnershipEvent.PowerOff());
    if (wasSaved) {
      saved.discard(stopped, file);
    } else {
      destroyStopped(stopped);
    }
    return stopped;
  }

  private void destroyStopped(Row stopped) throws RequestException {
    try {
      whereabouts.destroy(stopped);
    } catch (RequestException e) {
      throw new RequestException(Kind.IN_DOUBT,
          "VM %s is stopped in the records, and ends on its host as soon as that is heard: %s",
          stopped.record().getSpec().getName(), e.getMessage());
    }
  }

  public VmDigest digest(String name) throws RequestException {
    Row row = row(name);
    return contents.digest(row, runningHost(row));
  }

  /** Compares the VM with its replayed twin. */
  public void verify(String name, Consumer<VerifyVmUpdate> updates) throws RequestException {
    Row row = row(name);
    contents.verify(row, runningHost(row), updates);
  }

  private Row row(String name) throws RequestException {
    return ledger.findByName(name)
        .orElseThrow(() -> new RequestException(Kind.NOT_FOUND, "VM %s does not exist; see 'ferry vm list'", name));
  }

  private Host usableHost(String name) throws RequestException {
    Host host = RequestedHost.find(inventory, name);
    if (!host.isUp()) {
      throw new RequestException(Kind.REFUSED, "host %s is DOWN: no heartbeat; see that its agent runs", name);
    }
    return host;
  }

  private Host runningHost(Row row) throws RequestException {
    Vm vm = states.vm(row, states.lastReported(row.record()));
    if (vm.getState() == Vm.State.UNKNOWN) {
      throw new RequestException(Kind.REFUSED, "VM %s is UNKNOWN: %s; try again when it is back", vm.getName(),
          vm.getReason());
    }
    if (vm.getState() == Vm.State.STOPPED || vm.getState() == Vm.State.FAILED || vm.getState() == Vm.State.SAVED) {
      throw new RequestException(Kind.REFUSED, "VM %s is %s; start it first", vm.getName(), vm.getState());
    }
    return usableHost(vm.getHost());
  }
}
