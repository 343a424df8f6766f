package dev.pageferry.coordinator.maintenance;

import dev.pageferry.common.concurrent.Mutex;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.plans.MovePlans;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedHost;
import dev.pageferry.proto.cluster.v1.BeginRollingRequest;
import dev.pageferry.proto.cluster.v1.NoteRollingRequest;
import dev.pageferry.proto.cluster.v1.Rolling;
import dev.pageferry.proto.cluster.v1.RollingHost;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** How far a rolling drain is: so that it goes on where it stopped, and one runner drives it at a time. */
public final class RollingDrains {
  /** A runner that says nothing for so long has ended. */
  private static final Duration SILENCE = Duration.ofSeconds(60);

  private final HostInventory inventory;
  private final MovePlans plans;
  private final Scheduler scheduler;
  private final Mutex changes;

  public RollingDrains(HostInventory inventory, Scheduler scheduler) {
    this.inventory = inventory;
    this.plans = inventory.plans();
    this.scheduler = scheduler;
    this.changes = scheduler.newMutex();
  }

  /**
   * Begins one, or goes on with the one that stopped.
   *
   * @throws RequestException while another runner has it, or if the one that stopped was another one
   */
  public Rolling begin(BeginRollingRequest request) throws RequestException, InterruptedException {
    return changes.<Rolling, RequestException>alone(() -> {
      requireRunner(request.getRunner());
      for (String each : request.getHostsList()) {
        var _ = RequestedHost.find(inventory, each);
      }
      Optional<Rolling> before = plans.rolling();
      if (before.isPresent()) {
        requireAway(before.get(), request.getRunner());
      }
      Rolling.Builder rolling = before.isEmpty() || request.getAnew() ? begun(request) : goesOn(before.get(), request);
      Rolling next = heard(rolling.setRunner(request.getRunner()));
      plans.putRolling(Optional.of(next));
      return next;
    });
  }

  private Rolling.Builder begun(BeginRollingRequest request) {
    Rolling.Builder rolling = Rolling.newBuilder().setBegunAt(MovePlans.timestamp(scheduler.wallMillis()))
        .setCommand(request.getCommand()).setAll(request.getHostsCount() == 0).setQuick(request.getQuick());
    List<String> hosts = request.getHostsCount() > 0
        ? request.getHostsList().stream().distinct().toList()
        : inventory.list().stream().map(each -> each.id().value()).toList();
    hosts.forEach(each -> rolling.addHosts(RollingHost.newBuilder().setHost(each).setPhase(RollingHost.Phase.AHEAD)));
    return rolling;
  }

  private static Rolling.Builder goesOn(Rolling before, BeginRollingRequest request) throws RequestException {
    List<String> hosts = before.getHostsList().stream().map(RollingHost::getHost).toList();
    boolean isAnother = !before.getCommand().equals(request.getCommand()) || before.getQuick() != request.getQuick()
        || before.getAll() != (request.getHostsCount() == 0)
        || !before.getAll() && !request.getHostsList().stream().distinct().toList().equals(hosts);
    if (isAnother) {
      throw new RequestException(Kind.REFUSED,
          "a rolling drain of %s%s with --then '%s' stopped before its end; repeat that one to go on, or give --anew to discard it",
          before.getAll() ? "all hosts" : String.join(", ", hosts), before.getQuick() ? " (--quick)" : "",
          before.getCommand());
    }
    return before.toBuilder();
  }

  /**
   * Notes how far it is.
   *
   * @throws RequestException if another runner has it by now
   */
  public Rolling note(NoteRollingRequest request) throws RequestException, InterruptedException {
    return changes.<Rolling, RequestException>alone(() -> {
      requireRunner(request.getRunner());
      if (request.getEnd() && plans.rolling().isEmpty()) {
        // Its answer was lost.
        return Rolling.getDefaultInstance();
      }
      Rolling.Builder rolling = plans.rolling().filter(each -> each.getRunner().equals(request.getRunner()))
          .map(Rolling::toBuilder).orElseThrow(() -> new RequestException(Kind.REFUSED,
              "another runner has this rolling drain by now, or has ended it; this one stops"));
      rolling.getHostsBuilderList().stream().filter(each -> each.getHost().equals(request.getHost()))
          .forEach(each -> each.setPhase(request.getPhase()));
      Rolling next = request.getLeft() ? rolling.clearHeardAt().build() : heard(rolling);
      plans.putRolling(request.getEnd() ? Optional.empty() : Optional.of(next));
      return next;
    });
  }

  private Rolling heard(Rolling.Builder rolling) {
    return rolling.setHeardAt(MovePlans.timestamp(scheduler.wallMillis())).build();
  }

  private static void requireRunner(String runner) throws RequestException {
    if (runner.isEmpty() || runner.length() > 100) {
      throw new RequestException(Kind.INVALID, "a rolling drain needs a runner of 1 to 100 characters");
    }
  }

  private void requireAway(Rolling rolling, String runner) throws RequestException {
    long silentMillis = scheduler.wallMillis() - rolling.getHeardAt().getSeconds() * 1000;
    // A clock that went back says nothing.
    boolean isThere = silentMillis >= 0 && silentMillis < SILENCE.toMillis();
    if (!rolling.getRunner().equals(runner) && isThere) {
      throw new RequestException(Kind.REFUSED,
          "another 'ferry host drain --rolling' is running, heard %d s ago; if it was killed, repeat this in %d s",
          silentMillis / 1000, Math.max(1, (SILENCE.toMillis() - silentMillis) / 1000));
    }
  }
}
