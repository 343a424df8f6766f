package dev.pageferry.chaos;

import dev.pageferry.proto.cluster.v1.ActivateHostRequest;
import dev.pageferry.proto.cluster.v1.CancelMigrationRequest;
import dev.pageferry.proto.cluster.v1.DrainHostRequest;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.StopVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.LabCluster;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/** Does an operator's work, and looks after VMs that wait for one. What is refused in trouble is told, and is no fault. */
final class Operator {
  private static final Duration GLANCE = Duration.ofSeconds(5);
  private static final Set<Vm.State> TO_BE_STARTED = Set.of(Vm.State.FAILED, Vm.State.STOPPED, Vm.State.SAVED);

  private final LabCluster cluster;
  private final Story story;
  /** VMs that are down because the operator wants it. */
  private final Set<String> resting = ConcurrentHashMap.newKeySet();
  private final Set<String> drained = ConcurrentHashMap.newKeySet();
  /** Those of them that should not be drained any more, and could not be activated yet. */
  private final Set<String> toActivate = ConcurrentHashMap.newKeySet();

  Operator(LabCluster cluster, Story story) {
    this.cluster = cluster;
    this.story = story;
  }

  void carryOut(Work work) throws InterruptedException {
    story.tell("work     " + work.told());
    try {
      switch (work.kind()) {
        case LIVE -> {
          Migration _ = cluster.migrate(work.vm(), work.host());
        }
        case QUICK -> {
          Migration _ = cluster.migrateQuickly(work.vm(), work.host());
        }
        case CANCELLED -> {
          Migration begun = cluster.migrate(work.vm(), work.host());
          Thread.sleep(work.millis());
          Migration _ = cluster.api().cancelMigration(CancelMigrationRequest.newBuilder().setId(begun.getId()).build());
        }
        case SAVE_AND_START -> rest(work, () -> cluster.save(work.vm()));
        case STOP_AND_START -> rest(work,
            () -> cluster.api().stopVm(StopVmRequest.newBuilder().setName(work.vm()).setForce(true).build()));
        case DRAIN_AND_ACTIVATE -> drain(work);
      }
      story.count("work done " + work.kind());
    } catch (StatusRuntimeException | NoSuchElementException e) {
      story.count("work refused " + work.kind());
      story.tell("refused  %s: %s".formatted(work.told(), e.getMessage()));
    }
  }

  private interface Call {
    Vm make();
  }

  private void rest(Work work, Call putDown) throws InterruptedException {
    if (!resting.add(work.vm())) {
      throw new NoSuchElementException("it is down already");
    }
    try {
      Vm _ = putDown.make();
      Thread.sleep(work.millis());
      Vm _ = cluster.startVm(work.vm(), work.host());
    } finally {
      resting.remove(work.vm());
    }
  }

  private void drain(Work work) throws InterruptedException {
    // One at a time: three hosts have no room for two that are empty.
    synchronized (drained) {
      if (!drained.isEmpty()) {
        throw new NoSuchElementException("another host is drained");
      }
      drained.add(work.host());
    }
    try {
      MovePlan _ = cluster.maintenance().drainHost(DrainHostRequest.newBuilder().setHost(work.host()).build());
      Thread.sleep(work.millis());
    } finally {
      activate(work.host());
    }
  }

  private void activate(String host) {
    try {
      MovePlan _ = cluster.maintenance().activateHost(ActivateHostRequest.newBuilder().setHost(host).build());
      toActivate.remove(host);
      drained.remove(host);
    } catch (StatusRuntimeException e) {
      toActivate.add(host);
      story.tell("refused  %s is activated: %s".formatted(host, e.getMessage()));
    }
  }

  /** One that was killed too often: nobody here would wait for two hours. */
  private void takeBack(String host) {
    story.count("quarantines ended");
    story.tell("activate %s, which is quarantined".formatted(host));
    activate(host);
  }

  /**
   * Does what states and reasons tell an operator to do.
   *
   * @param evenResting also what was wished to be so: VMs that are down, a host that is drained
   */
  void tend(boolean evenResting) {
    try {
      Set.copyOf(evenResting ? drained : toActivate).forEach(this::activate);
      LabMachines.HOSTS.stream().filter(each -> cluster.host(each).hasQuarantinedUntil()).forEach(this::takeBack);
      for (Vm each : cluster.vms(GLANCE)) {
        if (each.getReason().contains("ferry vm resume")) {
          cluster.resume(each.getName());
        } else if (TO_BE_STARTED.contains(each.getState()) && (evenResting || !resting.contains(each.getName()))) {
          start(each);
        }
      }
    } catch (StatusRuntimeException e) {
      // The coordinator is in trouble itself; it is looked again soon.
    }
  }

  private void start(Vm vm) {
    try {
      Vm _ = cluster.startVm(vm.getName(), vm.getState() == Vm.State.FAILED ? "" : hostThatIsUp(vm.getHost()));
      story.count("starts by hand");
      story.tell("started  %s, which was %s".formatted(vm.getName(), vm.getState()));
    } catch (StatusRuntimeException e) {
      story.count("starts by hand refused");
      story.tell("refused  %s is started: %s".formatted(vm.getName(), e.getMessage()));
    }
  }

  private String hostThatIsUp(String firstChoice) {
    return Stream.concat(Stream.of(firstChoice), LabMachines.HOSTS.stream())
        .filter(each -> !each.isEmpty() && cluster.host(each).getState() == Host.State.UP).findFirst().orElse("");
  }
}
