package dev.pageferry.coordinator.events;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.coordinator.availability.Failover;
import dev.pageferry.coordinator.fencing.Fences;
import dev.pageferry.coordinator.history.RecordsHistory;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.proto.cluster.v1.Event;
import dev.pageferry.proto.cluster.v1.Event.Kind;
import dev.pageferry.proto.cluster.v1.FenceAttempt;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sees what happens, by looking again and again, and writes it down. What begins and ends between two looks may be told as one, and what
 * happened between the last look of one process and the start of the next is not told: nothing depends on it.
 */
public final class EventObserver {
  private static final Logger log = LoggerFactory.getLogger(EventObserver.class);
  private static final Duration LOOK = Duration.ofMillis(500);

  private final EventLog events;
  private final RecordsHistory history;
  private final Failover failover;
  private final Scheduler scheduler;
  private final HostStory hosts;
  private final VmStory vms;
  private final WorkStory work;
  private boolean wasArmed;
  private boolean wasInTrouble;

  public EventObserver(EventLog events, HostInventory inventory, OwnershipLedger ledger, MigrationSupervisor migrations,
      RecordsHistory history, Failover failover, Scheduler scheduler) {
    this.events = events;
    this.history = history;
    this.failover = failover;
    this.scheduler = scheduler;
    this.hosts = new HostStory(inventory);
    this.vms = new VmStory(ledger, failover);
    this.work = new WorkStory(migrations, inventory.plans());
    this.wasArmed = failover.settings().isArmed();
  }

  /** Looks again and again, until it is interrupted. */
  public void follow() throws InterruptedException {
    note(List.of(Event.newBuilder().setKind(Kind.COORDINATOR_STARTED)
        .setText("the coordinator started, with %d VMs on record".formatted(vms.count()))));
    while (true) {
      scheduler.sleep(LOOK);
      try {
        look();
      } catch (RuntimeException e) {
        log.error("what happened meanwhile is not noted", e);
      }
    }
  }

  private void note(List<Event.Builder> seen) {
    try {
      events.add(seen);
    } catch (RuntimeException e) {
      log.error("{} events are not noted", seen.size(), e);
    }
  }

  /** Once. */
  void look() {
    List<Event.Builder> seen = new ArrayList<>(hosts.look());
    seen.addAll(settings());
    failover.fences().news().forEach(each -> seen.add(fenced(each)));
    seen.addAll(work.look());
    seen.addAll(vms.look());
    note(seen);
  }

  private static Event.Builder fenced(Fences.News news) {
    return Event.newBuilder().setHost(news.host()).setKind(switch (news.state()) {
      case RUNNING -> Kind.HOST_FENCE_BEGUN;
      case SWITCHED_OFF -> Kind.HOST_FENCED;
      case FAILED, HEARD_AGAIN, STATE_UNSPECIFIED, UNRECOGNIZED -> Kind.HOST_FENCE_FAILED;
    }).setText(news.state() == FenceAttempt.State.SWITCHED_OFF
        ? news.text()
        : "host %s: %s".formatted(news.host(), news.text()));
  }

  private List<Event.Builder> settings() {
    List<Event.Builder> seen = new ArrayList<>();
    boolean isArmed = failover.settings().isArmed();
    if (isArmed != wasArmed) {
      seen.add(isArmed
          ? Event.newBuilder().setKind(Kind.HA_ARMED).setText("VMs are restarted by themselves again")
          : Event.newBuilder().setKind(Kind.HA_DISARMED).setText("VMs are not restarted by themselves any more"));
    }
    wasArmed = isArmed;
    boolean isInTrouble = history.isInTrouble();
    if (isInTrouble != wasInTrouble) {
      seen.add(isInTrouble
          ? Event.newBuilder().setKind(Kind.RECORDS_WENT_BACK)
              .setText("the records went back in time: no row changes until they are put right")
          : Event.newBuilder().setKind(Kind.RECORDS_PUT_RIGHT).setText("the records are put right: rows change again"));
    }
    wasInTrouble = isInTrouble;
    return seen;
  }
}
