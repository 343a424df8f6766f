package dev.pageferry.coordinator.machines;

import dev.pageferry.common.concurrent.Backoff;
import dev.pageferry.common.concurrent.RandomIds;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.migration.StateFiles;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
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
import dev.pageferry.proto.agent.v1.RestoreVmRequest;
import dev.pageferry.proto.agent.v1.SaveVmRequest;
import dev.pageferry.proto.agent.v1.SaveVmResult;
import dev.pageferry.proto.cluster.v1.Codec;
import dev.pageferry.proto.cluster.v1.RestoreVmUpdate;
import dev.pageferry.proto.cluster.v1.SaveVmUpdate;
import dev.pageferry.proto.records.v1.PendingMigration;
import dev.pageferry.proto.records.v1.SavedNote;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Saving VMs and bringing them back. Each is an operation that is pending on the VM's row, as a migration is, and which the
 * row decides: the agent that does the work asks for its commit, and whoever finds that agent gone aborts it.
 */
public final class SavedMachines {
  private static final Logger log = LoggerFactory.getLogger(SavedMachines.class);

  /** With the waits between them, some five minutes. */
  private static final int RESOLVE_ATTEMPTS = 400;

  private final OwnershipLedger ledger;
  private final HostInventory inventory;
  private final AgentClient agents;
  private final MachineStates states;
  private final Scheduler scheduler;
  private final RandomGenerator random;
  /** What an earlier process left, as read before anybody could ask for more. */
  private final List<Row> unfinished;

  /** Hears how far it has come. */
  public interface Progress {
    void done(long doneBytes, long totalBytes);
  }

  SavedMachines(OwnershipLedger ledger, HostInventory inventory, AgentClient agents, MachineStates states,
      Scheduler scheduler, RandomGenerator random) {
    this.ledger = ledger;
    this.inventory = inventory;
    this.agents = agents;
    this.states = states;
    this.scheduler = scheduler;
    this.random = random;
    this.unfinished = ledger.list().stream().filter(each -> each.record().hasPending()
        && each.record().getPending().getKind() != PendingMigration.Kind.MOVE).toList();
  }

  /**
   * Aborts what an earlier process of this coordinator had begun. An agent that is still at it hears so when it asks for
   * the commit, and puts everything back.
   */
  void recover() throws InterruptedException {
    List<Row> left = new ArrayList<>(unfinished);
    Backoff backoff = Backoff.withinCluster(random);
    // One that cannot be decided does not hold up the others.
    for (left.removeIf(this::aborted); !left.isEmpty(); left.removeIf(this::aborted)) {
      scheduler.sleep(backoff.next());
    }
  }

  /** @return false if that cannot be written down now */
  private boolean aborted(Row row) {
    return aborted(row, new MigrationId(row.record().getPending().getMigrationId()));
  }

  private boolean aborted(Row row, MigrationId operation) {
    try {
      Decision decision = ledger.resolve(row.id(), operation);
      log.info("vm={} operation={} was left undecided: {}", row.record().getSpec().getName(), operation,
          decision.outcome());
      return true;
    } catch (RuntimeException | Error e) {
      log.debug("vm={} operation={} is not decided yet: {}", row.record().getSpec().getName(), operation,
          e.toString());
      return false;
    }
  }

  SaveVmUpdate save(Row row, Host host, Codec.Name codec, Progress progress)
      throws RequestException, ConflictException {
    if (host.record().getStorageId().isEmpty()) {
      throw new RequestException(Kind.REFUSED, "host %s has no shared storage; start its agent with --storage",
          host.id());
    }
    String name = row.record().getSpec().getName();
    MigrationId operation = new MigrationId(RandomIds.uuid(random));
    SaveVmRequest request = SaveVmRequest.newBuilder().setVmId(row.id().value()).setEpoch(row.record().getEpoch())
        .setOperationId(operation.value()).setCodec(Codecs.of(codec)).build();
    String file = StateFiles.name(row.id(), operation);
    ledger.begin(row, new OwnershipEvent.BeginSave(operation, host.record().getStorageId(), file));
    log.info("vm={} operation={} is to be saved on host={}", name, operation, host.id());
    SaveVmResult result = SaveVmResult.getDefaultInstance();
    Decision decision;
    Optional<AgentException> failure = Optional.empty();
    try {
      result = agents.saveVm(host.record().getAddress(), request,
          done -> progress.done(done.getDoneBytes(), done.getTotalBytes()));
    } catch (AgentException e) {
      failure = Optional.of(e);
    } finally {
      // Whatever the agent said last, or could not say: the row knows, and this ends the doubt.
      decision = resolve(row, operation);
    }
    if (decision.outcome() != Outcome.COMMITTED) {
      throw failedSave(host, failure, name);
    }
    long steps = result.getSteps();
    Row saved = noted(row, file, steps);
    log.info("vm={} saved at step {}, {} bytes", name, steps, result.getFileBytes());
    return SaveVmUpdate.newBuilder().setVm(states.vm(saved, states.lastReported(saved.record())))
        .setFileBytes(result.getFileBytes()).setSeconds(result.getSeconds())
        .setDoneBytes(row.record().getSpec().getMemoryBytes())
        .setTotalBytes(row.record().getSpec().getMemoryBytes()).build();
  }

  /** It is saved, whether this can be written down or not. */
  private Row noted(Row row, String file, long steps) {
    try {
      ledger.change(row.id(), new OwnershipEvent.CountSteps(file, steps));
      return ledger.notes().rememberSave(row.id(),
          SavedNote.newBuilder().setFile(file).setAtMillis(scheduler.wallMillis()).setSteps(steps).build());
    } catch (ConflictException | RuntimeException e) {
      log.warn("vm={} how far it was saved is not written down: {}", row.id(), e.toString());
      return ledger.find(row.id()).orElse(row);
    }
  }

  RestoreVmUpdate restore(Row row, Host host, Progress progress) throws RequestException, ConflictException {
    if (row.record().getPhase() != VmRecord.Phase.SAVED) {
      throw new RequestException(Kind.REFUSED, "VM %s is not saved any more", row.record().getSpec().getName());
    }
    MigrationId operation = new MigrationId(RandomIds.uuid(random));
    long epoch = Math.addExact(row.record().getEpoch(), 1);
    RestoreVmRequest request = RestoreVmRequest.newBuilder().setSpec(row.record().getSpec()).setEpoch(epoch)
        .setOperationId(operation.value()).setFile(row.record().getSavedState()).build();
    ledger.begin(row, new OwnershipEvent.BeginRestore(operation, host.id(), host.incarnation()));
    log.info("vm={} operation={} is to be restored on host={}", row.record().getSpec().getName(), operation, host.id());
    Optional<dev.pageferry.proto.agent.v1.RestoreVmUpdate> result = Optional.empty();
    Optional<AgentException> failure = Optional.empty();
    Decision decision;
    try {
      result = Optional.of(agents.restoreVm(host.record().getAddress(), request,
          done -> progress.done(done.getDoneBytes(), done.getTotalBytes())));
    } catch (AgentException e) {
      failure = Optional.of(e);
    } finally {
      decision = resolve(row, operation);
    }
    if (decision.outcome() != Outcome.COMMITTED) {
      throw failed(host, failure, "VM %s stays saved".formatted(row.record().getSpec().getName()));
    }
    if (failure.filter(each -> each.kind() == AgentException.Kind.UNREACHABLE).isPresent()) {
      throw new RequestException(Kind.IN_DOUBT,
          "VM %s is host %s's, which stopped answering before it said that the VM runs",
          row.record().getSpec().getName(), host.id());
    }
    Row restored = ledger.find(row.id()).orElseThrow(() -> new RequestException(Kind.FAILED,
        "VM %s was deleted meanwhile", row.record().getSpec().getName()));
    return RestoreVmUpdate.newBuilder()
        .setVm(states.vm(restored, result.map(dev.pageferry.proto.agent.v1.RestoreVmUpdate::getResult)))
        .setSeconds(result.map(dev.pageferry.proto.agent.v1.RestoreVmUpdate::getSeconds).orElse(0.0)).build();
  }

  /** One who would throw a saved VM's state away hears what that is. */
  static String whatWouldBeLost(VmRecord record) {
    boolean known = record.hasSavedNote() && record.getSavedNote().getFile().equals(record.getSavedState());
    String when = known
        ? " at step %d, on %s".formatted(record.getSavedNote().getSteps(),
            Instant.ofEpochMilli(record.getSavedNote().getAtMillis()).truncatedTo(ChronoUnit.SECONDS))
        : "";
    return "VM %s was saved%s, and its state, file %s, would be thrown away".formatted(record.getSpec().getName(), when,
        record.getSavedState());
  }

  /** To give up would leave the VM's row pending, and the VM locked, until this process is started again. */
  private Decision resolve(Row row, MigrationId operation) {
    Backoff backoff = Backoff.withinCluster(random);
    for (int attempt = 1;; attempt++) {
      try {
        return ledger.resolve(row.id(), operation);
      } catch (RuntimeException e) {
        if (attempt == RESOLVE_ATTEMPTS) {
          // Whoever asked waits no longer.
          scheduler.start("decide-" + operation, () -> keepAborting(row, operation));
          throw e;
        }
        log.error("vm={} operation={} cannot be decided now, tried again: {}", row.record().getSpec().getName(),
            operation, e.toString());
        pause(backoff.next());
      }
    }
  }

  private void keepAborting(Row row, MigrationId operation) {
    Backoff backoff = Backoff.withinCluster(random);
    try {
      while (!aborted(row, operation)) {
        scheduler.sleep(backoff.next());
      }
    } catch (InterruptedException e) {
      scheduler.current().interrupt();
    }
  }

  /** A host that fell silent while it saved the VM may have died, and the VM with it. */
  private RequestException failedSave(Host host, Optional<AgentException> failure, String name) {
    if (!inventory.isCurrent(host.id(), host.incarnation())) {
      return new RequestException(Kind.LOST, "host %s restarted while it saved VM %s; the VM was not saved and is down",
          host.id(), name);
    }
    if (failure.filter(each -> each.kind() == AgentException.Kind.UNREACHABLE).isPresent()) {
      return new RequestException(Kind.IN_DOUBT,
          "host %s stopped answering while it saved VM %s; the VM was not saved, and whether it still runs is not known yet",
          host.id(), name);
    }
    return failed(host, failure, "VM %s was not saved".formatted(name));
  }

  /** Goes on when it is interrupted, too: there is somebody to be told of the decision. */
  private void pause(Duration duration) {
    try {
      scheduler.sleep(duration);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static RequestException failed(Host host, Optional<AgentException> failure, String consequence) {
    String reason = failure.map(AgentException::getMessage).orElse("the coordinator aborted it");
    return new RequestException(Kind.FAILED, "host %s: %s; %s", host.id(), reason, consequence);
  }

  /**
   * Deletes a file that no row names any more; one that stays behind is of no use to anybody.
   *
   * @param file empty: all of a VM that is deleted
   */
  void discard(Row row, String file) {
    Optional<Host> host = inventory.find(new HostId(row.record().getOwnerHost())).filter(Host::isUp)
        .or(() -> inventory.list().stream().filter(each -> each.isUp() && !each.record().getStorageId().isEmpty())
            .findFirst());
    try {
      if (host.isPresent()) {
        agents.discardSavedStates(host.get().record().getAddress(), row.id().value(), file);
      }
    } catch (AgentException e) {
      log.warn("vm={} its saved state was not deleted: {}", row.record().getSpec().getName(), e.getMessage());
    }
  }
}
