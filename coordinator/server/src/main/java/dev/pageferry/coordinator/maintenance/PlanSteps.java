package dev.pageferry.coordinator.maintenance;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.availability.Evacuation;
import dev.pageferry.coordinator.availability.Evacuation.Leaving;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.placement.Placed;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import dev.pageferry.proto.cluster.v1.PlannedMove.State;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What is to be done of a plan now, from rows and heartbeats as they are: nothing is remembered but how long something has been waited for.
 * A drain takes whatever comes to be on its host; other plans only what they began with.
 */
final class PlanSteps {
  /** Of one look: each may need hosts to be asked. */
  private static final int MOST_OBSTACLES = 5;

  private final HostInventory inventory;
  private final OwnershipLedger ledger;
  private final Evacuation evacuation;
  private final PlannedMoves moves;
  private final PlanEnd end;
  private final Stuck stuck;
  private final int atOnce;

  /** @param atOnce how many moves of plans may leave a host, or come to one, at the same time */
  PlanSteps(HostInventory inventory, OwnershipLedger ledger, Evacuation evacuation, PlannedMoves moves,
      Scheduler scheduler, int atOnce) {
    this.inventory = inventory;
    this.ledger = ledger;
    this.evacuation = evacuation;
    this.moves = moves;
    this.stuck = new Stuck(scheduler);
    this.end = new PlanEnd(inventory, stuck, scheduler);
    this.atOnce = atOnce;
  }

  /**
   * Brings a plan up to date, and begins what may be begun.
   *
   * @param hasChanged whether a move of it has ended, or got further, since the last time
   */
  void take(MovePlan.Builder plan, boolean hasChanged) throws InterruptedException {
    if (hasChanged) {
      stuck.clearAll(plan);
    }
    Map<String, Row> rows = rows();
    if (plan.getKind() == MovePlan.Kind.DRAIN) {
      takeUp(plan, rows);
    } else {
      turnBack(plan);
    }
    leaveOut(plan, rows);
    begin(plan, rows);
    end.conclude(plan, rows);
  }

  private Map<String, Row> rows() {
    return ledger.list().stream().collect(Collectors.toMap(each -> each.id().value(), each -> each));
  }

  /**
   * Says where the VMs of a drain would go, in the order in which they would, and begins nothing.
   *
   * @param promised memory that other plans are going to use, by host
   */
  void preview(MovePlan.Builder plan, Map<String, Long> promised) throws InterruptedException {
    Map<String, Row> rows = rows();
    takeUp(plan, rows);
    leaveOut(plan, rows);
    place(plan, waiting(plan, rows), promised);
    List<PlannedMove> ordered = plan.getMovesList().stream().sorted(Heat.order(inventory, rows)).toList();
    plan.clearMoves().addAllMoves(ordered);
  }

  private VmPlace placeOf(Map<String, Row> rows, PlannedMove.Builder move) {
    Row row = rows.get(move.getVmId());
    return row == null ? new VmPlace.Nowhere("it was deleted", false, false) : VmPlace.of(inventory, row);
  }

  /** What is on the host, and is not known to the drain, or was thought to have left. */
  private void takeUp(MovePlan.Builder plan, Map<String, Row> rows) {
    Map<String, PlannedMove.Builder> known = new HashMap<>();
    for (PlannedMove.Builder each : plan.getMovesBuilderList()) {
      known.put(each.getVmId(), each);
      boolean hasEnded = each.getState() == State.WAITING || each.getState() == State.FAILED;
      if (hasEnded && !each.getFrom().equals(plan.getHost())) {
        // It was coming back when the host was drained again, and did not come: it is where it had gone.
        String there = each.getFrom();
        waitAnew(each, plan.getHost(), there, plan.getQuick());
        each.setState(State.MOVED);
      }
    }
    for (Row each : rows.values()) {
      if (VmPlace.of(inventory, each) instanceof VmPlace.On(String host) && host.equals(plan.getHost())) {
        PlannedMove.Builder move = known.get(each.id().value());
        if (move == null) {
          plan.addMoves(PlannedMove.newBuilder().setVm(each.record().getSpec().getName()).setVmId(each.id().value())
              .setFrom(host).setMemoryBytes(each.record().getSpec().getMemoryBytes()).setQuick(plan.getQuick())
              .setState(State.WAITING));
        } else if (move.getState() == State.MOVED || move.getState() == State.LEFT_OUT) {
          waitAnew(move, host, "", plan.getQuick());
        }
      }
    }
  }

  /** As if it had never been tried; only the ids that were asked for stay used. */
  static void waitAnew(PlannedMove.Builder move, String from, String to, boolean quick) {
    move.setState(State.WAITING).setFrom(from).setTo(to).setQuick(quick).setAttempts(0).clearFallback().clearReason()
        .clearMigrationId().clearSeconds().clearBlackoutSeconds().setDown(false);
  }

  /** Those that were leaving the host when it was activated come back once they have left. */
  private static void turnBack(MovePlan.Builder plan) {
    for (PlannedMove.Builder each : plan.getMovesBuilderList()) {
      boolean isLeaving = plan.getKind() == MovePlan.Kind.FAIL_BACK && each.getFrom().equals(plan.getHost());
      if (isLeaving && each.getState() == State.MOVED && !plan.getNoFailBack()) {
        waitAnew(each, each.getTo(), plan.getHost(), plan.getQuick());
      } else if (isLeaving && each.getState() == State.WAITING) {
        each.setState(State.LEFT_OUT).setReason("it did not leave");
      }
      if (plan.getCancelled() && each.getState() == State.WAITING) {
        each.setState(State.FAILED).setReason("the plan was cancelled");
      } else if (plan.getNoFailBack() && each.getState() == State.WAITING) {
        each.setState(State.LEFT_OUT).setReason("the host was activated without it");
      }
    }
  }

  private void leaveOut(MovePlan.Builder plan, Map<String, Row> rows) {
    for (PlannedMove.Builder each : plan.getMovesBuilderList()) {
      if (each.getState() != State.WAITING && each.getState() != State.FAILED) {
        continue;
      }
      switch (placeOf(rows, each)) {
        case VmPlace.Nowhere(String reason, boolean isLost, boolean isSaved) -> {
          // A VM that was left saved by one of this plan's own moves is down, too.
          boolean isDown = isLost || isSaved && (each.getAttempts() > 0 || each.getDown());
          each.setState(isDown ? State.FAILED : State.LEFT_OUT).setDown(isDown)
              .setReason(isDown ? "it is down: " + reason : reason);
        }
        case VmPlace.On(String host) when !host.equals(each.getFrom()) -> isElsewhere(each, host);
        case VmPlace.Busy(String host, String _) when !host.equals(each.getFrom()) -> isElsewhere(each, host);
        case VmPlace.On _,VmPlace.Busy _ -> {
          // It is where it is to leave.
        }
      }
    }
  }

  private static void isElsewhere(PlannedMove.Builder move, String host) {
    move.setState(State.LEFT_OUT).setDown(false).setReason("it is on host " + host);
  }

  private void begin(MovePlan.Builder plan, Map<String, Row> rows) throws InterruptedException {
    List<PlannedMove.Builder> ready = new ArrayList<>();
    for (PlannedMove.Builder each : waiting(plan, rows)) {
      switch (placeOf(rows, each)) {
        case VmPlace.Busy(String _, String reason) -> each.setReason(reason);
        case VmPlace.On(String host) when isDown(host) -> cannot(plan, each, down(host));
        case VmPlace.On _ when moves.isDue(plan, each) -> ready.add(each);
        case VmPlace.On _,VmPlace.Nowhere _ -> {
          // Its time comes.
        }
      }
    }
    ready.removeIf(each -> moving(plan, PlannedMove::getFrom, each.getFrom()) >= atOnce);
    if (ready.isEmpty()) {
      return;
    }
    if (plan.getKind() == MovePlan.Kind.DRAIN) {
      place(plan, ready, Map.of());
    } else {
      ready.forEach(each -> each.setFallback(fallback(plan, each.getFrom(), each.getTo())));
    }
    int obstacles = 0;
    for (PlannedMove.Builder each : ready) {
      if (obstacles < MOST_OBSTACLES && isItsTurn(plan, each)) {
        Optional<String> obstacle = obstacle(plan, each);
        obstacles += obstacle.isPresent() ? 1 : 0;
        obstacle.ifPresentOrElse(why -> cannot(plan, each, why), () -> begin(plan, each));
      }
    }
  }

  private void begin(MovePlan.Builder plan, PlannedMove.Builder move) {
    // Hosts were asked meanwhile, which takes its time.
    boolean isStillThere = ledger.find(new VmId(move.getVmId())).map(row -> VmPlace.of(inventory, row))
        .filter(place -> place instanceof VmPlace.On(String host) && host.equals(move.getFrom())).isPresent();
    if (!isStillThere) {
      return;
    }
    if (moves.begin(plan, move)) {
      stuck.clear(MoveKey.of(plan, move));
    } else {
      cannot(plan, move, move.getReason());
    }
  }

  private boolean isDown(String host) {
    return inventory.find(new HostId(host)).filter(Host::isUp).isEmpty();
  }

  private static String down(String host) {
    return "host %s is DOWN: no heartbeat".formatted(host);
  }

  /** Those that wait, the coldest first: what writes much is moved when little else is under way. */
  private List<PlannedMove.Builder> waiting(MovePlan.Builder plan, Map<String, Row> rows) {
    return plan.getMovesBuilderList().stream().filter(each -> each.getState() == State.WAITING)
        .sorted(Heat.order(inventory, rows)).toList();
  }

  private void place(MovePlan.Builder plan, List<PlannedMove.Builder> ready, Map<String, Long> promised)
      throws InterruptedException {
    String storage = storageOf(plan.getHost());
    Map<String, Placed> placed = evacuation.from(plan.getHost(), ready.stream()
        .map(each -> new Leaving(each.getVm(), each.getQuick() ? storage : "",
            each.getAttempts() > 0 ? each.getTo() : ""))
        .toList(), promised).stream().collect(Collectors.toMap(each -> each.vm().name(), each -> each));
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

  String fallback(MovePlan.Builder plan, String from, String to) {
    String storage = storageOf(from);
    return plan.getQuick() || to.isEmpty() || storage.isEmpty() || !storage.equals(storageOf(to))
        ? ""
        : "through a file on the storage that both hosts have, paused meanwhile";
  }

  private String storageOf(String host) {
    return inventory.find(new HostId(host)).map(each -> each.record().getStorageId()).orElse("");
  }

  private boolean isItsTurn(MovePlan.Builder plan, PlannedMove.Builder move) {
    if (moving(plan, PlannedMove::getFrom, move.getFrom()) >= atOnce) {
      return false;
    }
    boolean isTaken = !move.getTo().isEmpty() && moving(plan, PlannedMove::getTo, move.getTo()) >= atOnce;
    if (isTaken) {
      // What it waits for is no obstacle.
      stuck.clear(MoveKey.of(plan, move));
    }
    return !isTaken;
  }

  private Optional<String> obstacle(MovePlan.Builder plan, PlannedMove.Builder move) throws InterruptedException {
    return plan.getKind() == MovePlan.Kind.DRAIN
        ? Optional.of(move.getReason()).filter(_ -> move.getTo().isEmpty())
        : evacuation.obstacle(move.getVm(), move.getTo());
  }

  /** Not just now; that is not waited for without end. */
  private void cannot(MovePlan.Builder plan, PlannedMove.Builder move, String why) {
    move.setReason(why);
    if (stuck.isForTooLong(MoveKey.of(plan, move))) {
      move.setState(State.FAILED);
    }
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

  /** Forgets what was noted for other plans than these. */
  void retain(Set<String> plansThatAre) {
    stuck.retain(plansThatAre);
    moves.retain(plansThatAre);
  }
}
