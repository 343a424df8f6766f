package dev.pageferry.coordinator.machines;

import dev.pageferry.common.concurrent.RandomIds;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.disks.Disks;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.LiveHosts;
import dev.pageferry.coordinator.ownership.OwnershipEvent;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.ownership.RowsFrozenException;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.Codec;
import dev.pageferry.proto.cluster.v1.ConsoleOutput;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.RestoreVmUpdate;
import dev.pageferry.proto.cluster.v1.SaveVmUpdate;
import dev.pageferry.proto.cluster.v1.SetVmRequest;
import dev.pageferry.proto.cluster.v1.UseConsoleRequest;
import dev.pageferry.proto.cluster.v1.VerifyVmUpdate;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmDigest;
import dev.pageferry.proto.records.v1.VmRecord;
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

  private final OwnershipLedger ledger;
  private final HostInventory inventory;
  private final AgentClient agents;
  private final MachineStates states;
  private final RandomGenerator random;
  private final BusyVms busy;
  private final SavedMachines saved;
  private final Whereabouts whereabouts;
  private final Eligibility eligibility;
  private final MachineStarts starts;
  private final MachineCreations creations;
  private final MachineContents contents;
  private final PowerDowns powerDowns;
  private final RestartOutlooks outlooks = new RestartOutlooks();

  /** @param moves whether a migration of the VM is followed */
  public Machines(OwnershipLedger ledger, HostInventory inventory, AgentClient agents, Disks disks,
      Predicate<VmId> moves, Scheduler scheduler, RandomGenerator random) {
    this.ledger = ledger;
    this.inventory = inventory;
    this.agents = agents;
    this.random = random;
    this.busy = new BusyVms(ledger::requireChangeable);
    this.states = new MachineStates(inventory, moves, outlooks);
    this.whereabouts = new Whereabouts(inventory, agents);
    this.eligibility = new Eligibility(ledger, inventory, states);
    this.starts = new MachineStarts(ledger, agents, states, eligibility, whereabouts);
    this.creations = new MachineCreations(ledger, agents, disks, eligibility, whereabouts, starts, busy, scheduler,
        random);
    this.contents = new MachineContents(agents);
    this.powerDowns = new PowerDowns(ledger, inventory, states, eligibility, agents, scheduler);
    this.saved = new SavedMachines(ledger, inventory, agents, states, scheduler, random);
  }

  /** Ends what an earlier process of this coordinator left under way, as soon as rows may change. */
  public void recover() throws InterruptedException {
    saved.recover();
  }

  /** As below, under an id of its own. */
  public Vm create(CreateVmRequest request) throws RequestException {
    return create(request, new VmId(RandomIds.uuid(random)));
  }

  /**
   * Records a VM, then builds it on its host; a VM that cannot be built leaves no record.
   *
   * @param id of the new VM; was never that of another
   */
  public Vm create(CreateVmRequest request, VmId id) throws RequestException {
    return creations.create(request, id);
  }

  /**
   * Brings a creation to its end that an earlier process of this coordinator began: waits while the host is at it, and orders it
   * anew where it is not.
   */
  Vm finishCreation(String name, boolean paused) throws RequestException {
    Optional<Vm> started = creations.finish(name, () -> start(name, "", new MachineStarts.Manner(paused, false)));
    return started.isPresent() ? started.get() : show(name);
  }

  /** All VMs, by name, as hosts last told of them in heartbeats and answers: no host is asked, however many VMs there are. */
  public List<Vm> list() {
    return ledger.list().stream().map(row -> states.vm(row, states.lastTold(row.record())))
        .sorted((a, b) -> a.getName().compareTo(b.getName())).toList();
  }

  /** The VM, with its steps as its host says now. */
  public Vm show(String name) throws RequestException {
    return fresh(eligibility.row(name));
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
    return eligibility.lastSeen(row);
  }

  /**
   * Boots a VM that is stopped, or whose host restarted under it; restores one that is saved.
   *
   * @param onHost where to; empty: where it was
   */
  public Vm start(String name, String onHost, boolean forceDisks) throws RequestException {
    return start(name, onHost, new MachineStarts.Manner(false, forceDisks));
  }

  private Vm start(String name, String onHost, MachineStarts.Manner manner) throws RequestException {
    Row row = eligibility.row(name);
    // As its host says now: a heartbeat from before the pause would have it run.
    return switch (fresh(row).getState()) {
      case PAUSED -> resume(name);
      case SAVED -> restore(name, onHost, (done, total) -> {
      }).getVm();
      // Read again: another start may have ended just now, and its VM must not be booted a second time.
      default ->
        busy.exclusively(row.id(), name, () -> starts.start(eligibility.row(name), onHost, manner));
    };
  }

  /**
   * Has a VM run again whose host can have no effects on it any more, or of which a start has failed: boots it, or restores it.
   *
   * @param found the row by which that was found; nothing is done if anything of it has changed since
   * @param heard whether a host is heard again: then it keeps what it has
   */
  public void restart(Row found, String onHost, LiveHosts heard) throws RequestException {
    String name = found.record().getSpec().getName();
    boolean _ = busy.exclusively(found.id(), name, () -> {
      Row now = ledger.find(found.id())
          .filter(each -> each.versioned().revision() == found.versioned().revision())
          .orElseThrow(() -> new RequestException(Kind.REFUSED, "VM %s changed meanwhile", name));
      if (now.record().getPhase() == VmRecord.Phase.SAVED) {
        Host host = eligibility.openHost(onHost);
        Eligibility.requireItsStorage(now, host);
        RestoreVmUpdate _ = saved.restore(now, host, (done, total) -> {
        });
      } else if (now.record().getPhase() == VmRecord.Phase.CREATING && isOwnerHeard(now, heard)) {
        // Whoever ordered it is gone: if that host has it in the end, it is told that it may not run it.
        Vm _ = starts.restart(
            ledger.change(now.id(), new OwnershipEvent.NotBuilt(new OwnershipEpoch(now.record().getEpoch()))), onHost,
            heard);
      } else {
        Vm _ = starts.restart(now, onHost, heard);
      }
      return true;
    });
  }

  private static boolean isOwnerHeard(Row row, LiveHosts heard) {
    return heard.isAlive(new HostId(row.record().getOwnerHost()), new Incarnation(row.record().getOwnerIncarnation()));
  }

  /** What is shown of restarts that are due. */
  public RestartOutlooks outlooks() {
    return outlooks;
  }

  /** Saves the VM's memory to shared storage and takes it off its host. */
  public SaveVmUpdate save(String name, Codec.Name codec, SavedMachines.Progress progress) throws RequestException {
    Row row = eligibility.row(name);
    Host host = eligibility.runningHost(row);
    return busy.exclusively(row.id(), name, () -> saved.save(eligibility.row(name), host, codec, progress));
  }

  /**
   * Brings a saved VM back to life.
   *
   * @param onHost where to; empty: where it was
   */
  public RestoreVmUpdate restore(String name, String onHost, SavedMachines.Progress progress) throws RequestException {
    Row row = eligibility.row(name);
    if (row.record().getPhase() != VmRecord.Phase.SAVED) {
      throw new RequestException(Kind.REFUSED, "VM %s is not saved", name);
    }
    Host host = eligibility.openHost(onHost.isEmpty() ? row.record().getOwnerHost() : onHost);
    return busy.exclusively(row.id(), name, () -> {
      Row now = eligibility.row(name);
      Eligibility.requireItsStorage(now, host);
      // An operator does what was due.
      return saved.restore(now.record().hasRestart() ? ledger.notes().forgetRestart(now.id()) : now, host, progress);
    });
  }

  public Vm pause(String name) throws RequestException {
    Row row = eligibility.row(name);
    Host host = eligibility.runningHost(row);
    VmStatus status = AgentQuestions.change(host, () -> agents.pauseVm(host.record().getAddress(), row.id().value()));
    return states.vm(row, Optional.of(status));
  }

  public Vm resume(String name) throws RequestException {
    Row row = eligibility.row(name);
    Host host = eligibility.runningHost(row);
    VmStatus status = AgentQuestions.change(host, () -> agents.resumeVm(host.record().getAddress(), row.id().value()));
    return states.vm(row, Optional.of(status));
  }

  /** Changes what is wished for the VM when its host stops. */
  public Vm set(SetVmRequest request) throws RequestException {
    Row row = eligibility.row(request.getName());
    Wishes.check(request, inventory);
    try {
      return fresh(ledger.notes().wish(row.id(), before -> Wishes.changed(before, request)));
    } catch (ConflictException e) {
      throw new RequestException(Kind.REFUSED, "%s", String.valueOf(e.getMessage()));
    } catch (RowsFrozenException e) {
      throw new RequestException(Kind.FROZEN, "%s", String.valueOf(e.getMessage()));
    }
  }

  /** As below; the state of a saved VM is kept. */
  public Vm stop(String name) throws RequestException {
    return stop(name, false, false);
  }

  /**
   * Powers the VM off; a guest that has a power button is asked to switch itself off first.
   *
   * @param discardState whether the state of a saved VM may be thrown away for that
   * @param force whether the guest is not asked
   */
  public Vm stop(String name, boolean discardState, boolean force) throws RequestException {
    Row row = eligibility.row(name);
    // Ahead of the exclusive part: who loses patience may stop it by force meanwhile.
    if (!force) {
      powerDowns.powerDown(row);
    }
    return busy.exclusively(row.id(), name, () -> {
      Row now = eligibility.row(name);
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
    Row row = eligibility.row(name);
    busy.exclusively(row.id(), name, () -> {
      Row now = eligibility.row(name);
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

  /** Stops, now and whenever it happens, VMs whose guests switched themselves off; until it is interrupted. */
  public void stopPoweredOff() throws InterruptedException {
    powerDowns.follow(row -> busy.exclusively(row.id(), row.record().getSpec().getName(), () -> {
      Optional<Row> now = ledger.find(row.id()).filter(powerDowns::isPoweredOff);
      if (now.isPresent()) {
        Row _ = powerOff(now.get());
        log.info("vm={} stopped: its guest switched itself off", row.record().getSpec().getName());
      }
      return true;
    }));
  }

  private void requireDown(Row row) throws RequestException {
    VmRecord record = row.record();
    if (record.getPhase() == VmRecord.Phase.SAVED) {
      throw new RequestException(Kind.REFUSED, "%s; start it, or delete it with --force",
          SavedMachines.whatWouldBeLost(record));
    }
    // What cannot be deleted by force either is not said to need it.
    Optional<Host> _ = whereabouts.of(row);
    Vm.State state = eligibility.lastSeen(row).getState();
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

  /** Types on a guest's console, and reads it; also of one that has crashed. */
  public ConsoleOutput useConsole(UseConsoleRequest request) throws RequestException {
    Row row = eligibility.row(request.getName());
    boolean hasCrashed = eligibility.lastSeen(row).getState() == Vm.State.FAILED;
    Host host = hasCrashed ? eligibility.usableHost(row.record().getOwnerHost()) : eligibility.runningHost(row);
    return contents.useConsole(row, host, request);
  }

  public VmDigest digest(String name) throws RequestException {
    Row row = eligibility.row(name);
    return contents.digest(row, eligibility.runningHost(row));
  }

  /** Compares the VM with its replayed twin. */
  public void verify(String name, Consumer<VerifyVmUpdate> updates) throws RequestException {
    Row row = eligibility.row(name);
    contents.verify(row, eligibility.runningHost(row), updates);
  }
}
