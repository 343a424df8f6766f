package dev.pageferry.coordinator.migration;

import com.google.protobuf.ByteString;
import dev.pageferry.common.concurrent.Backoff;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Decision;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Outcome;
import dev.pageferry.proto.agent.v1.GetIncomingResponse;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.agent.v1.PrepareIncomingRequest;
import dev.pageferry.proto.agent.v1.StartOutgoingRequest;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.VmRecord;
import dev.pageferry.proto.report.v1.MigrationStage;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows one migration to its end, on a thread of its own: commands both agents, listens to the source, and where the
 * source falls silent finds the outcome in the ownership row.
 */
final class MigrationRun {
  private static final Logger log = LoggerFactory.getLogger(MigrationRun.class);
  private static final int TOKEN_BYTES = 32;
  private static final Duration TOKEN_VALID_FOR = Duration.ofMinutes(2);
  private static final Duration CHECK = Duration.ofSeconds(1);
  private static final Duration SILENCE = Duration.ofSeconds(15);

  private final MigrationId migration;
  private final VmId vm;
  private final HostId source;
  private final Incarnation sourceIncarnation;
  private final HostId destination;
  private final Incarnation destinationIncarnation;
  private final MigrationDocument document;
  private final OwnershipLedger ledger;
  private final HostInventory inventory;
  private final AgentClient agents;
  private final Scheduler scheduler;
  /** For waits, and for tokens, which nobody may guess. */
  private final RandomGenerator random;
  private final long acceptedMillis;
  private @Nullable Double secondsBeforeSource;
  /** When the source last said that it had not paused the guest yet; a blackout cannot have begun before. */
  private volatile @Nullable Long lastUnpausedNanos;
  private volatile @Nullable OutgoingStatus last;
  private @Nullable String lastTrouble;
  /** On the inventory's clock. */
  private volatile long lastHeardNanos;

  MigrationRun(MigrationId migration, VmId vm, HostId source, Incarnation sourceIncarnation, HostId destination,
      Incarnation destinationIncarnation, MigrationDocument document, OwnershipLedger ledger, HostInventory inventory,
      AgentClient agents, Scheduler scheduler, RandomGenerator random) {
    this.migration = migration;
    this.vm = vm;
    this.source = source;
    this.sourceIncarnation = sourceIncarnation;
    this.destination = destination;
    this.destinationIncarnation = destinationIncarnation;
    this.document = document;
    this.ledger = ledger;
    this.inventory = inventory;
    this.agents = agents;
    this.scheduler = scheduler;
    this.random = random;
    this.acceptedMillis = document.now().getAcceptedAtMillis();
    this.lastHeardNanos = inventory.nanos();
  }

  /** Commands the agents, then follows the migration to its end. */
  void start(VmSpec spec, long epoch, MigrationOrder wanted) throws InterruptedException {
    byte[] token = new byte[TOKEN_BYTES];
    random.nextBytes(token);
    try {
      agents.prepareIncoming(host(destination).record().getAddress(),
          PrepareIncomingRequest.newBuilder().setMigrationId(migration.value())
              .setSpec(spec).setSourceHost(source.value()).setEpoch(epoch).setToken(ByteString.copyFrom(token))
              .setExpiresInMillis(TOKEN_VALID_FOR.toMillis())
              .setDestinationIncarnation(destinationIncarnation.value())
              .setQuick(wanted.quick().isPresent()).setSharedNothing(wanted.sharedNothing()).build());
    } catch (AgentException e) {
      FailureCode code = e.kind() == AgentException.Kind.UNREACHABLE
          ? FailureCode.DESTINATION_UNREACHABLE
          : FailureCode.DESTINATION_REFUSED;
      abort(code, "host %s: %s".formatted(destination, e.getMessage()));
      return;
    }
    try {
      secondsBeforeSource = secondsSinceAccepted();
      StartOutgoingRequest.Builder order = StartOutgoingRequest.newBuilder().setMigrationId(migration.value())
          .setVmId(vm.value()).setEpoch(epoch).setDestinationHost(destination.value())
          .setDestinationAddress(host(destination).record().getMigrationAddress())
          .setToken(ByteString.copyFrom(token)).setOptions(wanted.options())
          .setSharedNothing(wanted.sharedNothing());
      wanted.quick().ifPresent(order::setQuick);
      agents.startOutgoing(host(source).record().getAddress(), order.build());
    } catch (AgentException e) {
      if (e.kind() != AgentException.Kind.UNREACHABLE) {
        abort(FailureCode.INTERNAL, "host %s: %s".formatted(source, e.getMessage()));
        return;
      }
      // It may have started all the same: whoever follows will see.
    }
    follow();
  }

  /** Follows a migration that was started, by this process or by the one before it. */
  void follow() throws InterruptedException {
    Backoff backoff = Backoff.withinCluster(random);
    while (!MigrationDocument.isFinal(document.now())) {
      OutgoingStatus before = last;
      try {
        AgentException silence = listenUnlessLost();
        if (silence != null && !MigrationDocument.isFinal(document.now()) && concludeWithoutSource(silence)) {
          return;
        }
      } catch (RuntimeException | Error e) {
        // To give up would leave the VM's row pending, and the VM locked, for good.
        troubled(e);
      }
      if (!Objects.equals(last, before)) {
        backoff.reset();
      }
      if (!MigrationDocument.isFinal(document.now())) {
        scheduler.sleep(backoff.next());
      }
    }
  }

  /** Listens to the source for as long as it speaks, or until the VM is known to have died with its destination. */
  private @Nullable AgentException listenUnlessLost() throws InterruptedException {
    Promise<AgentException> silence = scheduler.newPromise();
    Task listener = scheduler.start("listen-" + migration, () -> {
      try {
        listen().ifPresent(silence::complete);
      } catch (RuntimeException | Error e) {
        silence.fail(e);
      }
    });
    try {
      while (listener.isAlive() && !concludeIfDestinationLost()) {
        if (isSourceSilent()) {
          // Its connection may stay open for long: a process that is frozen closes nothing.
          silence.complete(new AgentException(AgentException.Kind.UNREACHABLE, "it fell silent"));
          break;
        }
        boolean _ = listener.join(CHECK);
      }
    } finally {
      listener.interrupt();
      // What it heard last is written down before anybody else looks.
      boolean _ = listener.join(CHECK);
    }
    if (silence.failure().isPresent()) {
      throw new IllegalStateException("what the source said could not be taken in", silence.failure().get());
    }
    return silence.now().orElse(null);
  }

  /** No heartbeat, and nothing heard of the migration itself: one of them alone may be late. */
  private boolean isSourceSilent() {
    return inventory.isLost(source, sourceIncarnation)
        && inventory.silenceSince(lastHeardNanos).compareTo(SILENCE) > 0;
  }

  /** A source that still waits for its destination's word cannot know that the destination died with the VM. */
  private boolean concludeIfDestinationLost() throws InterruptedException {
    if (!inventory.isLost(destination, destinationIncarnation) && !document.now().hasFailure()) {
      return false;
    }
    Optional<MigrationRecord> record = ledger.migration(migration);
    return record.isPresent() && record.get().getDecision() == MigrationRecord.Decision.COMMITTED
        && concludeCommitted(record.get().getDecidedEpoch());
  }

  /** @return why the source was not heard to the end */
  private Optional<AgentException> listen() {
    try {
      agents.watchOutgoing(host(source).record().getAddress(), migration.value(), this::heard);
      return Optional.empty();
    } catch (AgentException e) {
      return Optional.of(e);
    }
  }

  private void heard(OutgoingStatus status) {
    try {
      take(status);
    } catch (InterruptedException e) {
      // Whoever listens anew hears the newest state again.
      Thread.currentThread().interrupt();
    }
  }

  private void take(OutgoingStatus status) throws InterruptedException {
    lastHeardNanos = inventory.nanos();
    last = status;
    MigrationStage.Name stage = status.getReport().getStage();
    if (stage == MigrationStage.Name.SETUP || stage == MigrationStage.Name.PRE_COPY) {
      lastUnpausedNanos = scheduler.nanos();
    }
    switch (status.getState()) {
      case RUNNING, IN_DOUBT -> document.update(before -> timed(MigrationDocument.merged(before, status)));
      case COMPLETED, HANDED_OVER -> complete(status);
      case ROLLED_BACK, CANCELLED, DISOWNED -> rolledBack(status);
      case STATE_UNSPECIFIED, UNRECOGNIZED ->
        log.warn("migration={} source reports an unknown state {}", migration, status.getStateValue());
    }
  }

  /** Adds what only the coordinator knows: the time from the operator's request until the source began. */
  private Migration timed(Migration merged) {
    double before = secondsBeforeSource == null ? 0 : secondsBeforeSource;
    double total = last == null ? secondsSinceAccepted() : before + last.getReport().getTotalSeconds();
    return merged.toBuilder().setTotalSeconds(total).setSetupSeconds(before + merged.getSetupSeconds()).build();
  }

  private void complete(OutgoingStatus status) throws InterruptedException {
    document.update(before -> timed(MigrationDocument.merged(before, status)).toBuilder()
        .setState(Migration.State.COMPLETED).clearProgress().clearFailure()
        .build());
  }

  private void rolledBack(OutgoingStatus status) throws InterruptedException {
    // The source asks for no commit any more; the row must not wait for it.
    ledger.resolve(vm, migration);
    Migration.State state = status.getState() == OutgoingStatus.State.CANCELLED
        ? Migration.State.CANCELLED
        : Migration.State.FAILED;
    document.update(before -> MigrationDocument.failed(timed(MigrationDocument.merged(before, status)), state,
        status.getReport().getFailure().getCode(), status.getReport().getFailure().getMessage()));
  }

  /** Returns once that is known: where the records do not change now it would be called something else later. */
  private void abort(FailureCode code, String message) throws InterruptedException {
    Backoff backoff = Backoff.withinCluster(random);
    while (true) {
      try {
        ledger.resolve(vm, migration);
        document
            .update(before -> MigrationDocument.failed(
                before.toBuilder().setTotalSeconds(secondsSinceAccepted()).build(), Migration.State.FAILED, code.name(),
                message));
        return;
      } catch (RuntimeException | Error e) {
        troubled(e);
        scheduler.sleep(backoff.next());
      }
    }
  }

  /** Records that cannot be written now, a heap that is full: said once. */
  private void troubled(Throwable trouble) {
    if (!trouble.toString().equals(lastTrouble)) {
      lastTrouble = trouble.toString();
      log.error("migration={} cannot be followed now, tried again: {}", migration, lastTrouble);
    }
  }

  /** @return whether the migration has ended */
  private boolean concludeWithoutSource(AgentException silence) throws InterruptedException {
    boolean sourceGone = inventory.isLost(source, sourceIncarnation) || silence.kind() == AgentException.Kind.NOT_FOUND;
    if (!sourceGone && !isDecided()) {
      return false;
    }
    if (!sourceGone && silence.kind() != AgentException.Kind.UNREACHABLE) {
      return false;
    }
    Decision decision = ledger.resolve(vm, migration, (host, incarnation) -> !sourceGone);
    if (ledger.find(vm).filter(row -> row.record().getPhase() == VmRecord.Phase.SAVED).isPresent()) {
      document.update(before -> MigrationDocument.failed(
          before.toBuilder().setTotalSeconds(secondsSinceAccepted()).build(), Migration.State.FAILED,
          FailureCode.SAVED.name(),
          "host %s was lost when the VM's state was whole on shared storage; start the VM, with --host"
              .formatted(source)));
      return true;
    }
    if (decision.outcome() == Outcome.TAKEN_BACK) {
      document.update(before -> MigrationDocument.failed(before, Migration.State.FAILED,
          FailureCode.DISKS_UNAVAILABLE.name(),
          "host %s could not open the VM's disks and gave the VM back to host %s".formatted(destination, source)));
      return true;
    }
    if (decision.outcome() != Outcome.COMMITTED) {
      abort(FailureCode.SOURCE_LOST,
          "host %s was lost before the commit (%s); the VM stays its own, on no other host".formatted(source,
              silence.getMessage()));
      return true;
    }
    return concludeCommitted(decision.epoch());
  }

  private boolean isDecided() {
    return ledger.migration(migration).map(record -> switch (record.getDecision()) {
      case COMMITTED, ABORTED, TAKEN_BACK -> true;
      case PENDING, DECISION_UNSPECIFIED, UNRECOGNIZED -> false;
    }).orElse(true);
  }

  /** The VM belongs to the destination: it is done once it runs there. */
  private boolean concludeCommitted(long epoch) throws InterruptedException {
    DestinationLife there = new DestinationLife(inventory, ledger, destination, destinationIncarnation, vm);
    if (there.hasLostTheVm()) {
      document.update(
          before -> MigrationDocument.failed(before, Migration.State.FAILED, FailureCode.LOST_AFTER_COMMIT.name(),
              "host %s stopped after the commit, and the VM, its own by then, was lost there; see 'ferry vm show'"
                  .formatted(destination)));
      return true;
    }
    if (isRunningAtDestination(epoch)) {
      Long unpaused = lastUnpausedNanos;
      double bound = unpaused == null ? secondsSinceAccepted() : (scheduler.nanos() - unpaused) / 1e9;
      document.update(before -> {
        Migration.Builder done = before.toBuilder().setState(Migration.State.COMPLETED).clearProgress().clearFailure()
            .setTotalSeconds(secondsSinceAccepted());
        return before.hasBlackoutSeconds() ? done.build() : done.setBlackoutBoundSeconds(bound).build();
      });
      return true;
    }
    boolean silent = there.isSilent();
    if (silent && !document.now().hasFailure()) {
      // It may be frozen or cut off, and come back running the VM: only its next incarnation would say that the VM is down.
      document.update(
          before -> MigrationDocument.failed(before, Migration.State.IN_DOUBT, FailureCode.DESTINATION_LOST.name(),
              "host %s fell silent after the commit; the VM is its own, and runs when it comes back"
                  .formatted(destination)));
    } else if (!silent && document.now().hasFailure()) {
      document.update(before -> before.toBuilder().clearFailure().build());
    }
    return false;
  }

  private boolean isRunningAtDestination(long epoch) {
    Optional<Host> host = inventory.find(destination);
    if (host.isEmpty()) {
      return false;
    }
    VmStatus there = host.get().vms().get(vm);
    if (there != null && there.getEpoch() >= epoch && !host.get().coming().contains(vm)) {
      return true;
    }
    try {
      return agents.incomingState(host.get().record().getAddress(),
          migration.value()) == GetIncomingResponse.State.RUNNING;
    } catch (AgentException e) {
      return false;
    }
  }

  private Host host(HostId id) {
    return inventory.find(id)
        .orElseThrow(() -> new IllegalStateException("host %s is not known any more".formatted(id)));
  }

  private double secondsSinceAccepted() {
    return Math.max(0, scheduler.wallMillis() - acceptedMillis) / 1e3;
  }
}
