package dev.pageferry.simulation;

import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.VmRecord;
import dev.pageferry.simulation.ClusterWorld.VmPlan;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** Whether a world in which all works again has come to rest: every VM runs, or it is known why not, and nothing is left over. */
final class ClusterRest {
  private static final List<String> STEADY = List.of("heartbeat", "storage-lease", "lease-watch", "bound-guests",
      "vcpu");

  private final ClusterWorld world;
  private final Set<String> touched = new HashSet<>();

  ClusterRest(ClusterWorld world) {
    this.world = world;
  }

  /** An operator has asked for something that may leave the VM switched off, or saved. */
  void mayBeOff(String vm) {
    touched.add(vm);
  }

  /** @return what it still waits for; empty: nothing */
  Optional<String> obstacle() throws InterruptedException {
    if (world.coordinator().get() == null) {
      return Optional.of("the coordinator is away");
    }
    if (world.coordinator().services().history().trouble().isPresent()) {
      throw new AssertionError("the records went back: "
          + world.coordinator().services().history().trouble().get().evidence());
    }
    for (VmPlan each : world.setup().vms()) {
      Optional<String> trouble = ofVm(each);
      if (trouble.isPresent()) {
        return Optional.of("VM %s: %s".formatted(each.name(), trouble.get()));
      }
    }
    Set<VmId> inDoubt = world.setup().vms().stream().map(VmPlan::id).filter(this::isOwnerAway)
        .collect(Collectors.toSet());
    for (ClusterHost each : world.hosts()) {
      if (!each.isDead()) {
        String work = each.agent().work(inDoubt);
        List<String> left = each.process().alive().stream().map(SimulatedTask::name)
            .filter(name -> STEADY.stream().noneMatch(steady -> name.contains("/" + steady)))
            .filter(name -> inDoubt.isEmpty()).toList();
        if (!work.isEmpty() || !left.isEmpty()) {
          return Optional.of("%s tasks %s".formatted(work, left));
        }
      }
    }
    return Optional.empty();
  }

  /** What the coordinator says of VMs that wait. */
  String waiting() {
    return world.coordinator().get() == null ? "" : world.coordinator().services().failover().waiting().toString();
  }

  private Optional<String> ofVm(VmPlan plan) throws InterruptedException {
    VmRecord row = world.checks().row(plan.id());
    List<SimulatedGuest> copies = world.checks().copies(plan.id());
    if (row.hasPending()) {
      return Optional.of("its operation %s is pending".formatted(row.getPending().getMigrationId()));
    }
    if (row.hasRestart() && row.getPhase() != VmRecord.Phase.ACTIVE) {
      return Optional.of("it is to run again: " + row.getRestart());
    }
    return switch (row.getPhase()) {
      case ACTIVE -> active(plan, row, copies);
      case STOPPED, SAVED -> {
        boolean mayBe = touched.contains(plan.name()) || !plan.isOn();
        if (!copies.isEmpty()) {
          yield Optional.of("it is %s, and a copy is left on %s".formatted(row.getPhase(),
              copies.getFirst().host().name()));
        }
        yield mayBe ? Optional.empty() : Optional.of("it is %s".formatted(row.getPhase()));
      }
      default -> creating(plan, copies);
    };
  }

  /** Whoever asked for the start was not told what came of it, and a new start does what is to be done. */
  private Optional<String> creating(VmPlan plan, List<SimulatedGuest> copies) throws InterruptedException {
    Optional<Vm> shown = world.operator().ask(services -> services.machines().show(plan.name()));
    boolean isDown = shown.filter(each -> each.getState() == Vm.State.FAILED || each.getState() == Vm.State.STOPPED
        || each.getState() == Vm.State.UNKNOWN && !each.getReason().isEmpty()).isPresent();
    return touched.contains(plan.name()) && isDown && copies.isEmpty()
        ? Optional.empty()
        : Optional.of("it is being created, and %s".formatted(shown.map(Vm::getState)));
  }

  private Optional<String> active(VmPlan plan, VmRecord row, List<SimulatedGuest> copies) throws InterruptedException {
    if (isOwnerAway(plan.id()) && !plan.hasDisk() && copies.stream().noneMatch(SimulatedGuest::runs)) {
      // A copy that was given away stays paused until somebody says what became of the other one.
      Optional<Vm> shown = world.operator().ask(services -> services.machines().show(plan.name()));
      return shown.filter(each -> !each.getReason().isEmpty()).isPresent()
          ? Optional.empty()
          : Optional.of("nobody says why it does not run");
    }
    if (copies.size() != 1) {
      return Optional.of("it has %d copies".formatted(copies.size()));
    }
    SimulatedGuest only = copies.getFirst();
    if (!only.isAtWork()) {
      return Optional.of("its copy on %s does not run".formatted(only.host().name()));
    }
    boolean isItsOwners = only.host().name().equals(row.getOwnerHost()) && world.host(row.getOwnerHost()).agent()
        .guests().find(plan.id()).filter(each -> each.vm() == only && each.epoch().value() == row.getEpoch())
        .isPresent();
    if (!isItsOwners) {
      return Optional.of("its copy on %s is not that of its row: %s epoch %d".formatted(only.host().name(),
          row.getOwnerHost(), row.getEpoch()));
    }
    requireMemory(only);
    return Optional.empty();
  }

  private boolean isOwnerAway(VmId vm) {
    VmRecord row = world.checks().row(vm);
    return row.getPhase() == VmRecord.Phase.ACTIVE && world.hosts().stream().noneMatch(
        each -> !each.isDead() && each.agent().incarnation().equals(row.getOwnerIncarnation()));
  }

  /** Every page is what the steps have written. */
  static void requireMemory(SimulatedGuest guest) {
    long pages = guest.ram().pageCount();
    try (PageStore expected = PageStore.allocate(guest.spec().memoryBytes())) {
      for (long step = 0; step < guest.steps(); step++) {
        expected.putLong(SimulatedGuest.addressOf(step, pages), SimulatedGuest.valueOf(step));
      }
      for (long page = 0; page < pages; page++) {
        if (expected.hash(page) != guest.ram().hash(page)) {
          throw new AssertionError("page %d differs after step %d".formatted(page, guest.steps()));
        }
      }
    } catch (OutOfMemoryException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
