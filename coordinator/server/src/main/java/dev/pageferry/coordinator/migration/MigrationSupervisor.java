package dev.pageferry.coordinator.migration;

import dev.pageferry.common.concurrent.Mutex;
import dev.pageferry.common.concurrent.RandomIds;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.machines.Eligibility;
import dev.pageferry.coordinator.machines.MachineStates;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.ownership.RowsFrozenException;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedHost;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.MigrateQuickRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.VmDestination;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.report.v1.MigrationStage;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** All migrations: starts them, follows them, remembers them. The destination is the host that the operator names, always. */
public final class MigrationSupervisor implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(MigrationSupervisor.class);
  private static final int MAX_HISTORY = 1000;
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(2);

  private final OwnershipLedger ledger;
  private final HostInventory inventory;
  private final AgentClient agents;
  private final Eligibility eligibility;
  private final MovePrerequisites prerequisites;
  private final Consumer<Migration> meters;
  private final ConcurrentMap<MigrationId, MigrationDocument> documents = new ConcurrentHashMap<>();
  /** The VMs of the migrations that are followed right now. */
  private final ConcurrentMap<MigrationId, VmId> moving = new ConcurrentHashMap<>();
  private final Set<Task> tasks = ConcurrentHashMap.newKeySet();
  private final Scheduler scheduler;
  private final RandomGenerator random;
  /** What an earlier process left, as read before anybody could ask for more. */
  private final List<MigrationRecord> unfinished;
  /** Makes a repeated request with the same id find the first one. */
  private final Mutex requests;

  /**
   * @param meters hears of every migration that ended
   * @param random of ids and tokens, which nobody may guess
   */
  public MigrationSupervisor(OwnershipLedger ledger, HostInventory inventory, AgentClient agents,
      Consumer<Migration> meters, Scheduler scheduler, RandomGenerator random) {
    this.ledger = ledger;
    this.inventory = inventory;
    this.agents = agents;
    this.eligibility = new Eligibility(ledger, inventory, new MachineStates(inventory, this::isMoving));
    this.prerequisites = new MovePrerequisites(inventory, eligibility);
    this.meters = meters;
    this.scheduler = scheduler;
    this.random = random;
    this.requests = scheduler.newMutex();
    List<MigrationRecord> known = ledger.migrations();
    known.forEach(each -> documents.put(new MigrationId(each.getDocument().getId()),
        newDocument(each.getDocument())));
    unfinished = known.stream().filter(each -> !MigrationDocument.isFinal(each.getDocument())).toList();
  }

  /** Takes up the migrations that an earlier process of this coordinator left unfinished. */
  public void recover() {
    for (MigrationRecord record : unfinished) {
      MigrationId id = new MigrationId(record.getDocument().getId());
      MigrationDocument document = Objects.requireNonNull(documents.get(id));
      log.info("migration={} vm={} taken up again", id, record.getDocument().getVm());
      MigrationRun run = newRun(id, record, document);
      launch(id, new VmId(record.getVmId()), document, run, run::follow);
    }
  }

  /** Accepts a live migration, or refuses it before anything has started. */
  public Migration start(MigrateLiveRequest request) throws RequestException {
    return accept(RequestedMove.of(request));
  }

  /** Accepts a quick migration, or refuses it before anything has started. */
  public Migration start(MigrateQuickRequest request) throws RequestException {
    return accept(RequestedMove.of(request));
  }

  private Migration accept(RequestedMove move) throws RequestException {
    try {
      return requests.<Migration, RequestException>alone(() -> beginOnce(move));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new RequestException(Kind.FAILED, "this coordinator is shutting down; try again");
    }
  }

  private Migration beginOnce(RequestedMove move) throws RequestException {
    if (move.requestId().isPresent()) {
      for (MigrationRecord each : ledger.migrations()) {
        if (each.hasRequestId() && each.getRequestId().equals(move.requestId().get())) {
          return document(new MigrationId(each.getDocument().getId())).now();
        }
      }
    }
    return begin(move);
  }

  private Migration begin(RequestedMove move) throws RequestException {
    Row row = eligibility.row(move.vm());
    Host destination = RequestedHost.find(inventory, move.to());
    prerequisites.check(row, destination, move);
    MigrationId id = new MigrationId(RandomIds.uuid(random));
    Migration initial = Migration.newBuilder().setId(id.value()).setVm(move.vm()).setKind(move.kind())
        .setSource(row.record().getOwnerHost()).setDestination(destination.id().value())
        .setState(Migration.State.RUNNING)
        .setStage(MigrationStage.Name.SETUP).setAcceptedAtMillis(scheduler.wallMillis()).build();
    MigrationRecord.Builder record = MigrationRecord.newBuilder().setVmId(row.id().value())
        .setSourceIncarnation(row.record().getOwnerIncarnation())
        .setDestinationIncarnation(destination.incarnation().value())
        .setDocument(initial);
    move.requestId().ifPresent(record::setRequestId);
    if (move.order().sharedNothing()) {
      record.setDestinationStorage(destination.record().getStorageId());
    }
    try {
      ledger.begin(row, id, record.build(), destination.id());
    } catch (ConflictException e) {
      throw new RequestException(Kind.REFUSED, "%s", String.valueOf(e.getMessage()));
    } catch (RowsFrozenException e) {
      throw new RequestException(Kind.FROZEN, "%s", String.valueOf(e.getMessage()));
    }
    log.info("migration={} vm={} {} {} -> {} accepted", id, move.vm(), move.kind(), initial.getSource(),
        initial.getDestination());
    MigrationDocument document = newDocument(initial);
    documents.put(id, document);
    MigrationRun run = newRun(id, record.build(), document);
    launch(id, row.id(), document, run,
        () -> run.start(row.record().getSpec(), row.record().getEpoch(), move.order()));
    return initial;
  }

  private MigrationDocument newDocument(Migration known) {
    return new MigrationDocument(known, scheduler.newMutex(),
        ended -> ledger.updateMigration(new MigrationId(ended.getId()),
            record -> record.toBuilder().setDocument(ended).build()));
  }

  private MigrationRun newRun(MigrationId id, MigrationRecord record, MigrationDocument document) {
    Migration known = record.getDocument();
    return new MigrationRun(id, new VmId(record.getVmId()), new HostId(known.getSource()),
        new Incarnation(record.getSourceIncarnation()),
        new HostId(known.getDestination()), new Incarnation(record.getDestinationIncarnation()), document, ledger,
        inventory, agents, scheduler, random);
  }

  /** Something that blocks until a migration has ended. */
  private interface Drive {
    void toEnd() throws InterruptedException;
  }

  /** Whether a migration of the VM is followed: its destination may own it already and not report it yet. */
  public boolean isMoving(VmId vm) {
    return moving.containsValue(vm);
  }

  /** How many migrations are followed right now. */
  public int underWay() {
    return moving.size();
  }

  private void launch(MigrationId id, VmId vm, MigrationDocument document, MigrationRun run, Drive drive) {
    moving.put(id, vm);
    tasks.removeIf(each -> !each.isAlive());
    tasks.add(scheduler.start("migration-" + id, () -> {
      try {
        try {
          drive.toEnd();
        } catch (RuntimeException | Error e) {
          log.error("migration={} did not begin well", id, e);
          run.follow();
        }
        meters.accept(document.now());
        forgetOldest();
      } catch (InterruptedException e) {
        log.info("migration={} left to the next process of this coordinator", id);
      } catch (RuntimeException | Error e) {
        log.error("migration={} supervision ended", id, e);
      } finally {
        moving.remove(id);
      }
    }));
  }

  private void forgetOldest() {
    List<Migration> ended = list().stream().filter(MigrationDocument::isFinal).toList();
    for (int i = 0; i < ended.size() - MAX_HISTORY; i++) {
      MigrationId id = new MigrationId(ended.get(i).getId());
      documents.remove(id);
      ledger.forgetDocument(id);
    }
  }

  /** Where a VM could be moved right now, and why not elsewhere; its other hosts are asked. */
  public List<VmDestination> destinations(String vm) throws RequestException {
    try {
      return new Destinations(inventory, agents, eligibility, prerequisites, scheduler).of(eligibility.row(vm));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new RequestException(Kind.FAILED, "this coordinator is shutting down; try again");
    }
  }

  /** All that are remembered, oldest first. */
  public List<Migration> list() {
    return documents.values().stream().map(MigrationDocument::now)
        .sorted(Comparator.comparingLong(Migration::getAcceptedAtMillis)
            .thenComparing(Migration::getId))
        .toList();
  }

  public Migration show(String id) throws RequestException {
    return document(find(id)).now();
  }

  /** Calls back now and at every change; the caller stops at a final one, or ends the watch. */
  public Watch watch(String id, Consumer<Migration> follower) throws RequestException {
    MigrationDocument document = document(find(id));
    document.follow(follower);
    return () -> document.unfollow(follower);
  }

  /** Somebody who is told of a migration's changes. */
  public interface Watch {
    void end();
  }

  /** Whether a migration's document changes no more. */
  public static boolean isFinal(Migration migration) {
    return MigrationDocument.isFinal(migration);
  }

  /** Whether a migration has ended, or will not change before a host that fell silent comes back. */
  public static boolean isSettledForNow(Migration migration) {
    return MigrationDocument.isSettledForNow(migration);
  }

  /** Asks for a migration's end. */
  public Migration cancel(String id) throws RequestException {
    MigrationId migration = find(id);
    Migration now = document(migration).now();
    if (MigrationDocument.isFinal(now)) {
      throw new RequestException(Kind.REFUSED, "migration %s has ended (%s)", now.getId(), now.getState());
    }
    Host source = RequestedHost.find(inventory, now.getSource());
    try {
      if (!agents.cancelOutgoing(source.record().getAddress(), migration.value())) {
        throw new RequestException(Kind.REFUSED, "migration %s is past its commit and goes on", now.getId());
      }
    } catch (AgentException e) {
      throw new RequestException(Kind.REFUSED, "host %s: %s; try again", source.id(), e.getMessage());
    }
    return document(migration).now();
  }

  private MigrationId find(String beginning) throws RequestException {
    List<MigrationId> matching = documents.keySet().stream().filter(each -> each.value().startsWith(beginning))
        .toList();
    if (beginning.isEmpty() || matching.isEmpty()) {
      throw new RequestException(Kind.NOT_FOUND, "migration %s is not known; see 'ferry migration list'",
          beginning.isEmpty() ? "''" : beginning);
    }
    if (matching.size() > 1) {
      throw new RequestException(Kind.INVALID, "migration %s is ambiguous: %d ids match", beginning,
          matching.size());
    }
    return matching.getFirst();
  }

  private MigrationDocument document(MigrationId id) throws RequestException {
    MigrationDocument document = documents.get(id);
    if (document == null) {
      throw new RequestException(Kind.NOT_FOUND, "migration %s is not known; see 'ferry migration list'", id);
    }
    return document;
  }

  /** Stops following; the migrations go on, and the next process takes them up. */
  @Override
  public void close() throws InterruptedException {
    List<Task> following = List.copyOf(tasks);
    following.forEach(Task::interrupt);
    // Whoever closes the records next must not do it under their hands.
    Deadline deadline = Deadline.after(CLOSE_TIMEOUT, scheduler);
    for (Task each : following) {
      boolean _ = each.join(Duration.ofNanos(deadline.remainingNanos()));
    }
  }
}
