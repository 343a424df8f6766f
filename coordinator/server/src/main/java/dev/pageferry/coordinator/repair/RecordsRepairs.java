package dev.pageferry.coordinator.repair;

import dev.pageferry.common.concurrent.Mutex;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.history.RecordsHistory;
import dev.pageferry.coordinator.history.RecordsHistory.Proofs;
import dev.pageferry.coordinator.history.Trouble;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipEvent;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.repair.RepairPlan.Step;
import dev.pageferry.coordinator.repair.Surveyed.Copy;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedHost;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.RecordsRepair;
import dev.pageferry.proto.cluster.v1.RecordsTrouble;
import dev.pageferry.proto.cluster.v1.RepairRecordsResponse;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An operator's way out of records that went back in time: rows are put right from what hosts report. The state ends when
 * every VM that a host reports has a row that agrees, no host of the records is silent, and an operator has had rows put
 * right: never by itself.
 */
public final class RecordsRepairs {
  private static final Logger log = LoggerFactory.getLogger(RecordsRepairs.class);

  private final RecordsHistory history;
  private final OwnershipLedger ledger;
  private final HostInventory inventory;
  private final AgentClient agents;
  private final Survey survey;
  private final Scheduler scheduler;
  private final Mutex repairing;
  private volatile boolean operatorHasRepaired;
  /** Set while a task looks whether all is right: one at a time, however many hosts beat. */
  private final AtomicBoolean ending = new AtomicBoolean();

  public RecordsRepairs(RecordsHistory history, OwnershipLedger ledger, HostInventory inventory, AgentClient agents,
      Scheduler scheduler) {
    this.history = history;
    this.ledger = ledger;
    this.inventory = inventory;
    this.agents = agents;
    this.survey = new Survey(ledger, inventory, agents);
    this.scheduler = scheduler;
    this.repairing = scheduler.newMutex();
  }

  /** A host has said what it has. */
  public void heartbeatCame(HostId host) throws InterruptedException {
    if (history.trouble().isEmpty()) {
      return;
    }
    survey.heard(host);
    boolean mayEnd = operatorHasRepaired && survey.silentHosts().isEmpty()
        && RepairPlan.of(survey.reported()).isEmpty();
    if (mayEnd && ending.compareAndSet(false, true)) {
      boolean started = false;
      try {
        // In the background: agents are asked, and the heartbeat waits for its answer.
        Task _ = scheduler.start("records-repair", this::tryToEnd);
        started = true;
      } finally {
        if (!started) {
          ending.set(false);
        }
      }
    }
  }

  private void tryToEnd() {
    try {
      boolean ended = repairing.alone(this::endIfRight);
    } catch (InterruptedException e) {
      scheduler.current().interrupt();
    } finally {
      ending.set(false);
    }
  }

  /** What operators are told while records are not right. */
  public Optional<RecordsTrouble> trouble() {
    return history.trouble().map(this::trouble);
  }

  private RecordsTrouble trouble(Trouble known) {
    Set<String> disagreeing = new TreeSet<>();
    for (Step each : RepairPlan.of(survey.reported())) {
      switch (each) {
        case Step.Claim claim -> disagreeing.add(claim.copy().name());
        case Step.ClaimInDoubt claim -> disagreeing.add(claim.before().getSpec().getName());
        case Step.DeletedSince gone -> disagreeing.add(gone.before().getSpec().getName());
        case Step.Refused refused -> disagreeing.add(refused.name());
        // Nobody reports it: it is not in the way.
        case Step.Nowhere _ -> {
        }
      }
    }
    return RecordsTrouble.newBuilder().addAllEvidence(known.evidence()).setSinceMillis(known.sinceMillis())
        .addAllVms(disagreeing).addAllSilentHosts(survey.silentHosts()).build();
  }

  /** Puts rows right, or says what it would do. */
  public RepairRecordsResponse repair(boolean dryRun) throws RequestException, InterruptedException {
    if (history.trouble().isEmpty()) {
      // They may have become right by themselves since: that is what was wanted.
      return RepairRecordsResponse.getDefaultInstance();
    }
    return repairing.alone(() -> {
      RepairRecordsResponse.Builder response = RepairRecordsResponse.newBuilder();
      for (Step each : RepairPlan.of(survey.complete())) {
        response.addRepairs(dryRun ? described(each) : performed(each));
      }
      if (!dryRun) {
        operatorHasRepaired = true;
        boolean ended = endIfRight();
      }
      trouble().ifPresent(response::setRecords);
      return response.build();
    });
  }

  /** Makes one host's copy the VM. */
  public VmRecord claim(String name, String hostName) throws RequestException, InterruptedException {
    if (history.trouble().isEmpty()) {
      throw new RequestException(Kind.REFUSED,
          "the records are right: a VM is claimed only after they went back in time");
    }
    Host host = RequestedHost.find(inventory, hostName);
    return repairing.alone(() -> {
      Surveyed world = survey.complete();
      for (Map.Entry<VmId, List<Copy>> each : world.hosts().copies().entrySet()) {
        Optional<Copy> copy = each.getValue().stream().filter(its -> its.host().equals(host.id()))
            .filter(its -> its.name().equals(name) || each.getKey().value().equals(name)).findFirst();
        if (copy.isPresent()) {
          return claimed(world, each.getKey(), copy.get());
        }
      }
      throw new RequestException(Kind.NOT_FOUND, "host %s reports no VM %s", hostName, name);
    });
  }

  private VmRecord claimed(Surveyed world, VmId vm, Copy copy) throws RequestException, InterruptedException {
    if (world.deleted().contains(vm)) {
      throw new RequestException(Kind.REFUSED, "VM %s was deleted; its copies are destroyed once the records are right",
          copy.name());
    }
    for (Step each : RepairPlan.of(world)) {
      if (each instanceof Step.DeletedSince gone && gone.before().getSpec().getName().equals(copy.name())) {
        RecordsRepair _ = performed(gone);
      }
    }
    if (world.row(vm).filter(copy::isOfRow).isEmpty()) {
      RecordsRepair done = performed(RepairPlan.claim(world, vm, copy));
      if (!done.getRefusal().isEmpty()) {
        throw new RequestException(Kind.REFUSED, "VM %s: %s", copy.name(), done.getRefusal());
      }
    }
    destroyOthers(world, vm, copy);
    operatorHasRepaired = true;
    boolean ended = endIfRight();
    return ledger.find(vm).map(Row::record)
        .orElseThrow(() -> new RequestException(Kind.FAILED, "VM %s was deleted meanwhile", copy.name()));
  }

  /** Nobody else would: by its epoch each of them is as good as the one that was claimed. */
  private void destroyOthers(Surveyed world, VmId vm, Copy claimed) throws RequestException {
    for (Copy each : world.copiesOf(vm)) {
      if (each.epoch() != claimed.epoch() || each.host().equals(claimed.host())) {
        continue;
      }
      Host host = RequestedHost.find(inventory, each.host().value());
      try {
        log.warn("vm={} audit=records-repair host={} destroys its copy of epoch {}: host {}'s was claimed", vm,
            each.host(),
            each.epoch(), claimed.host());
        agents.destroyVm(host.record().getAddress(), vm.value(), each.epoch());
      } catch (AgentException e) {
        if (e.kind() != AgentException.Kind.NOT_FOUND) {
          throw new RequestException(Kind.IN_DOUBT,
              "VM %s is host %s's, and host %s has not destroyed its copy: %s; repeat this", claimed.name(),
              claimed.host(), each.host(), e.getMessage());
        }
      }
    }
  }

  /** Alone: nothing is left to be done, and nobody is left to be heard. */
  private boolean endIfRight() throws InterruptedException {
    // Before hosts are asked: what one of them proves meanwhile is not dealt with.
    Optional<Proofs> proofs = history.proofs();
    if (proofs.isEmpty() || !survey.silentHosts().isEmpty() || !RepairPlan.of(survey.complete()).isEmpty()) {
      return false;
    }
    inventory.noteHeard();
    if (!history.end(proofs.get())) {
      return false;
    }
    operatorHasRepaired = false;
    survey.forgetHeard();
    return true;
  }

  private RecordsRepair performed(Step step) {
    try {
      switch (step) {
        case Step.Claim claim -> perform(claim);
        case Step.ClaimInDoubt claim -> ledger.overrule(claim.vm(), claim.event());
        case Step.DeletedSince gone -> forget(gone);
        case Step.Nowhere nowhere -> ledger.overrule(nowhere.vm(), nowhere.event());
        case Step.Refused _ -> {
        }
      }
      log.info("vm={} audit=records-repair {}", step.vm(), described(step));
      return described(step);
    } catch (ConflictException | AgentException e) {
      return described(step).toBuilder().setRefusal(String.valueOf(e.getMessage())).build();
    }
  }

  private void forget(Step.DeletedSince gone) throws ConflictException {
    // Whatever was pending of it.
    ledger.overrule(gone.vm(), new OwnershipEvent.FoundNowhere(new OwnershipEpoch(gone.before().getEpoch())));
    ledger.overrule(gone.vm(), new OwnershipEvent.Delete());
  }

  private void perform(Step.Claim claim) throws ConflictException, AgentException {
    Copy copy = claim.copy();
    if (claim.before().isPresent()) {
      ledger.overrule(claim.vm(),
          new OwnershipEvent.Claim(copy.host(), copy.incarnation(), storage(copy), new OwnershipEpoch(copy.epoch())));
      return;
    }
    Host host = inventory.find(copy.host()).orElseThrow();
    VmStatus status = agents.getVm(host.record().getAddress(), claim.vm().value());
    boolean added = ledger.adopt(VmRecord.newBuilder().setSpec(status.getSpec()).setPhase(VmRecord.Phase.ACTIVE)
        .setOwnerHost(copy.host().value()).setOwnerIncarnation(copy.incarnation().value()).setEpoch(copy.epoch())
        .setStorageId(storage(copy)).build());
    if (!added) {
      throw new AgentException(AgentException.Kind.EXISTS, "another VM of the records has its name or id by now");
    }
  }

  private static String storage(Copy copy) {
    return copy.hasDisks() ? copy.storage() : "";
  }

  private static RecordsRepair described(Step step) {
    RecordsRepair.Builder repair = RecordsRepair.newBuilder().setVmId(step.vm().value());
    return switch (step) {
      case Step.Claim claim -> repair.setVm(claim.copy().name()).setBefore(claim.before().map(
          RecordsRepairs::described).orElse("no row"))
          .setAfter("on host %s, epoch %d".formatted(claim.copy().host(), claim.copy().epoch())).build();
      case Step.ClaimInDoubt claim -> repair.setVm(claim.before().getSpec().getName())
          .setBefore(described(claim.before()))
          .setAfter("on host %s, epoch %d, which keeps it in doubt".formatted(claim.arrival().host(),
              claim.arrival().epoch()))
          .build();
      case Step.DeletedSince gone -> repair.setVm(gone.before().getSpec().getName())
          .setBefore(described(gone.before()))
          .setAfter("deleted: host %s has a newer VM of that name".formatted(gone.byHost())).build();
      case Step.Nowhere nowhere -> repair.setVm(nowhere.before().getSpec().getName())
          .setBefore(described(nowhere.before()))
          .setAfter("%s, epoch %d: no host has it".formatted(nowhere.leavesItSaved() ? "saved" : "stopped",
              nowhere.epoch()))
          .build();
      case Step.Refused refused -> repair.setVm(refused.name())
          .setBefore(refused.before().map(RecordsRepairs::described).orElse("no row")).setRefusal(refused.reason())
          .build();
    };
  }

  private static String described(VmRecord row) {
    String pending = row.hasPending() ? ", being moved or saved" : "";
    return switch (row.getPhase()) {
      case ACTIVE -> "on host %s, epoch %d%s".formatted(row.getOwnerHost(), row.getEpoch(), pending);
      case CREATING -> "being created on host %s, epoch %d".formatted(row.getOwnerHost(), row.getEpoch());
      case SAVED -> "saved, epoch %d%s".formatted(row.getEpoch(), pending);
      case STOPPED, PHASE_UNSPECIFIED, UNRECOGNIZED -> "stopped, epoch %d".formatted(row.getEpoch());
    };
  }
}
