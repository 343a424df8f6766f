package dev.pageferry.coordinator.maintenance;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.availability.Evacuation;
import dev.pageferry.coordinator.availability.Evacuation.Leaving;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.placement.Placed;
import dev.pageferry.coordinator.plans.MovePlans;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import dev.pageferry.proto.cluster.v1.PlannedMove.State;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What is to be done of a plan now, from rows and heartbeats as they are: nothing is remembered but how long something has been waited for.
 * A drain takes whatever comes to be on its host; other plans only what they began with.
 */
final class PlanSteps {
  /** Where nothing moves for so long, for want of a place or of its host, moves have failed. */
  private static final Duration PATIENCE = Duration.ofMinutes(5);

  private final HostInventory inventory;
  private final OwnershipLedger ledger;
  private final Evacuation evacuation;
  private final PlannedMoves moves;
  private final Scheduler scheduler;
  private final int atOnce;
  /** On the scheduler's clock, by plan and VM. */
  private final Map<String, Long> stuckSince = new ConcurrentHashMap<>();

  /** @param atOnce how many moves of plans may leave a host, or come to one, at the same time */
  PlanSteps(HostInventory inventory, OwnershipLedger ledger, Evacuation evacuation, PlannedMoves moves,
      Scheduler scheduler, int atOnce) {
    this.inventory = inventory;
    this.ledger = ledger;
    this.evacuation = evacuation;
    this.moves = moves;
    this.scheduler = scheduler;
    this.atOnce = atOnce;
  }

  /** Brings a plan up to date, and begins what may be begun. */
  void take(MovePlan.Builder plan) throws InterruptedException {
    moves.follow(plan);
    Map<String, Row> rows = ledger.list().stream().collect(Collectors.toMap(each -> each.id().value(), each -> each));
    if (plan.getKind() == MovePlan.Kind.DRAIN) {
      takeUp(plan, rows);
    } else {
      turnBack(plan);
    }
    leaveOut(plan, rows);
    begin(plan, rows);
    conclude(plan, rows);
  }

  /** Says where the VMs of a drain would go, in the order in which they would, and begins nothing. */
  void preview(MovePlan.Builder plan) throws InterruptedException {
    Map<String, Row> rows = ledger.list().stream().collect(Collectors.toMap(each -> each.id().value(), each -> each));
    takeUp(plan, rows);
    leaveOut(plan, rows);
    place(plan, waiting(plan));
    List<PlannedMove> ordered = plan.getMovesList().stream().sorted(Heat.order(inventory)).toList();
    plan.clearMoves().addAllMoves(ordered);
  }

  private VmPlace placeOf(Map<String, Row> rows, PlannedMove.Builder move) {
    Row row = rows.get(move.getVmId());
    return row == null ? new VmPlace.Nowhere("it was deleted") : VmPlace.of(inventory, row);
  }

  /** What is on the host, and is not known to the drain, or was thought to have left. */
  private void takeUp(MovePlan.Builder plan, Map<String, Row> rows) {
    Map<String, PlannedMove.Builder> known = new HashMap<>();
    plan.getMovesBuilderList().forEach(each -> known.put(each.getVmId(), each));
    for (Row each : rows.values()) {
      if (VmPlace.of(inventory, each) instanceof VmPlace.On(String host) && host.equals(plan.getHost())) {
        PlannedMove.Builder move = known.get(each.id().value());
        if (move == null) {
          plan.addMoves(PlannedMove.newBuilder().setVm(each.record().getSpec().getName()).setVmId(each.id().value())
              .setFrom(host).setMemoryBytes(each.record().getSpec().getMemoryBytes()).setQuick(plan.getQuick())
              .setState(State.WAITING));
        } else if (move.getState() == State.MOVED || move.getState() == State.LEFT_OUT) {
          move.setState(State.WAITING).setAttempts(0).clearReason();
        }
      }
    }
  }

  /** Those that were leaving the host when it was activated come back once they have left. */
  private static void turnBack(MovePlan.Builder plan) {
    for (PlannedMove.Builder each : plan.getMovesBuilderList()) {
      boolean isLeaving = plan.getKind() == MovePlan.Kind.FAIL_BACK && each.getFrom().equals(plan.getHost());
      if (isLeaving && each.getState() == State.MOVED) {
        each.setState(State.WAITING).setFrom(each.getTo()).setTo(plan.getHost()).setAttempts(0).clearReason()
            .setQuick(plan.getQuick()).clearBlackoutSeconds();
      } else if (isLeaving && each.getState() == State.WAITING) {
        each.setState(State.LEFT_OUT).setReason("it did not leave");
      }
    }
  }

  private void leaveOut(MovePlan.Builder plan, Map<String, Row> rows) {
    for (PlannedMove.Builder each : plan.getMovesBuilderList()) {
      if (each.getState() != State.WAITING && each.getState() != State.FAILED) {
        continue;
      }
      String gone = switch (placeOf(rows, each)) {
        case VmPlace.Nowhere(String reason) -> reason;
        case VmPlace.On(String host) when !host.equals(each.getFrom()) -> "it is on host " + host;
        case VmPlace.Busy(String host, String _) when !host.equals(each.getFrom()) -> "it is on host " + host;
        case VmPlace.On _,VmPlace.Busy _ -> "";
      };
      if (!gone.isEmpty()) {
        each.setState(State.LEFT_OUT).setReason(gone);
      }
    }
  }

  private void begin(MovePlan.Builder plan, Map<String, Row> rows) throws InterruptedException {
    List<PlannedMove.Builder> ready = new ArrayList<>();
    for (PlannedMove.Builder each : waiting(plan)) {
      switch (placeOf(rows, each)) {
        case VmPlace.Busy(String _, String reason) -> each.setReason(reason);
        case VmPlace.On _ when moves.isDue(plan, each) -> ready.add(each);
        case VmPlace.On _,VmPlace.Nowhere _ -> {
          // Its time comes.
        }
      }
    }
    ready.removeIf(each -> isDown(each.getFrom()) || moving(plan, PlannedMove::getFrom, each.getFrom()) >= atOnce);
    if (ready.isEmpty()) {
      return;
    }
    if (plan.getKind() == MovePlan.Kind.DRAIN) {
      place(plan, ready);
    } else {
      ready.forEach(each -> each.setFallback(fallback(plan, each.getFrom(), each.getTo())));
    }
    for (PlannedMove.Builder each : ready) {
      if (mayBegin(plan, each)) {
        moves.begin(plan, each);
      }
    }
  }

  private boolean isDown(String host) {
    return inventory.find(new HostId(host)).filter(Host::isUp).isEmpty();
  }

  /** Those that wait, the coldest first: what writes much is moved when little else is under way. */
  private List<PlannedMove.Builder> waiting(MovePlan.Builder plan) {
    return plan.getMovesBuilderList().stream().filter(each -> each.getState() == State.WAITING)
        .sorted(Heat.order(inventory)).toList();
  }

  private void place(MovePlan.Builder plan, List<PlannedMove.Builder> ready) throws InterruptedException {
    String storage = storageOf(plan.getHost());
    Map<String, Placed> placed = evacuation.from(plan.getHost(), ready.stream()
        .map(each -> new Leaving(each.getVm(), each.getQuick() ? storage : "",
            each.getAttempts() > 0 ? each.getTo() : ""))
        .toList()).stream().collect(Collectors.toMap(each -> each.vm().name(), each -> each));
    for (PlannedMove.Builder each : ready) {
      Optional<Placed> found = Optional.ofNullable(placed.get(each.getVm()));
      String to = found.flatMap(Placed::host).orElse("");
      each.setTo(to).setFallback(fallback(plan, plan.getHost(), to));
      if (each.getAttempts() == 0 || to.isEmpty()) {
        // Else why the last attempt failed.
        each.setReason(found.map(Placed::reason).orElse("it is not on record"));
      }
    }
  }

  private String fallback(MovePlan.Builder plan, String from, String to) {
    String storage = storageOf(from);
    return plan.getQuick() || to.isEmpty() || storage.isEmpty() || !storage.equals(storageOf(to))
        ? ""
        : "through a file on the storage that both hosts have, paused meanwhile";
  }

  private String storageOf(String host) {
    return inventory.find(new HostId(host)).map(each -> each.record().getStorageId()).orElse("");
  }

  private boolean mayBegin(MovePlan.Builder plan, PlannedMove.Builder move) {
    if (move.getTo().isEmpty()) {
      stuck(plan, move);
      return false;
    }
    if (isDown(move.getTo())) {
      move.setReason("host %s is DOWN: no heartbeat".formatted(move.getTo()));
      stuck(plan, move);
      return false;
    }
    stuckSince.remove(key(plan, move));
    return moving(plan, PlannedMove::getFrom, move.getFrom()) < atOnce
        && moving(plan, PlannedMove::getTo, move.getTo()) < atOnce;
  }

  /** There is nowhere to go just now; that is not waited for without end. */
  private void stuck(MovePlan.Builder plan, PlannedMove.Builder move) {
    long now = scheduler.nanos();
    long since = stuckSince.computeIfAbsent(key(plan, move), _ -> now);
    if (now - since >= PATIENCE.toNanos()) {
      stuckSince.remove(key(plan, move));
      move.setState(State.FAILED);
    }
  }

  private static String key(MovePlan.Builder plan, PlannedMove.Builder move) {
    return plan.getId() + "/" + move.getVmId();
  }

  /** How many moves of all plans are under way from a host, or to it. */
  private long moving(MovePlan.Builder plan, Function<PlannedMove, String> end, String host) {
    long others = inventory.plans().list().stream().filter(each -> !each.getId().equals(plan.getId()))
        .flatMap(each -> each.getMovesList().stream()).filter(each -> isMoving(each, end, host)).count();
    return others + plan.getMovesList().stream().filter(each -> isMoving(each, end, host)).count();
  }

  private static boolean isMoving(PlannedMove move, Function<PlannedMove, String> end, String host) {
    return move.getState() == State.MOVING && end.apply(move).equals(host);
  }

  private void conclude(MovePlan.Builder plan, Map<String, Row> rows) {
    boolean isOver = plan.getMovesList().stream()
        .noneMatch(each -> each.getState() == State.WAITING || each.getState() == State.MOVING);
    long failed = plan.getMovesList().stream().filter(each -> each.getState() == State.FAILED).count();
    if (!isOver) {
      go(plan, waitsFor(plan));
    } else if (failed > 0) {
      end(plan, MovePlan.State.FAILED, "%d of %d VMs could not be moved".formatted(failed, plan.getMovesCount()));
    } else {
      Optional<String> left = plan.getKind() == MovePlan.Kind.DRAIN ? left(plan.getHost(), rows) : Optional.empty();
      left.ifPresentOrElse(why -> go(plan, why), () -> end(plan, MovePlan.State.COMPLETED, ""));
    }
  }

  private String waitsFor(MovePlan.Builder plan) {
    return !plan.getHost().isEmpty() && isDown(plan.getHost())
        ? "host %s is DOWN: no heartbeat".formatted(plan.getHost())
        : "";
  }

  /** What a host has yet, or is to get, that is none of its moves. */
  private Optional<String> left(String name, Map<String, Row> rows) {
    Optional<String> row = rows.values().stream()
        .filter(each -> VmPlace.concerns(each, VmPlace.of(inventory, each), name))
        .map(each -> "something is under way with VM %s there".formatted(each.record().getSpec().getName())).sorted()
        .findFirst();
    return row.or(() -> inventory.find(new HostId(name)).filter(Host::isUp).flatMap(PlanSteps::holds));
  }

  /** What a host tells of itself: copies that are gone by the rows are gone in its memory a moment later. */
  private static Optional<String> holds(Host host) {
    int copies = host.vms().size() + host.coming().size() + host.doubts().size();
    return copies == 0
        ? Optional.empty()
        : Optional.of("host %s has %d more in its memory".formatted(host.id(), copies));
  }

  private static void go(MovePlan.Builder plan, String reason) {
    plan.setState(MovePlan.State.RUNNING).setReason(reason).clearEndedAt();
  }

  private void end(MovePlan.Builder plan, MovePlan.State state, String reason) {
    if (plan.getState() != state) {
      plan.setState(state).setEndedAt(MovePlans.timestamp(scheduler.wallMillis()));
      moves.forget(plan);
      plan.getMovesBuilderList().forEach(each -> stuckSince.remove(key(plan, each)));
    }
    plan.setReason(reason);
  }
}
