package dev.pageferry.coordinator.events;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.availability.Failover;
import dev.pageferry.coordinator.fakes.Reports;
import dev.pageferry.coordinator.fakes.SiteFixture;
import dev.pageferry.coordinator.fakes.StorageSigns;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.cluster.v1.Event;
import dev.pageferry.proto.cluster.v1.Event.Kind;
import dev.pageferry.proto.cluster.v1.Migration;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is told of what happens, on records and hosts that are played. */
class EventObserverTest extends SiteFixture {
  private EventLog events;
  private Failover failover;
  private EventObserver observer;

  @BeforeEach
  void observe() {
    site.heartbeat("a", "b");
    failover = site.failover(new StorageSigns());
    events = new EventLog(site.store(), Scheduler.SYSTEM);
    observer = newObserver();
  }

  private EventObserver newObserver() {
    return new EventObserver(events, site.inventory(), site.ledger(), site.migrations(), site.history(), failover,
        Scheduler.SYSTEM);
  }

  /** Looks, and gives what was told since. */
  private List<String> told() {
    long before = events.last();
    observer.look();
    return events.newest(1000, "").stream().filter(each -> each.getNumber() > before)
        .map(each -> each.getKind() + ": " + each.getText()).toList();
  }

  @Test
  void aVmIsFollowedFromItsFirstStepToItsEnd() throws Exception {
    assertThat(told()).isEmpty();
    site.createVm("db", "a");
    assertThat(told()).containsExactly("VM_CREATED: VM db was created on host a",
        "VM_STARTED: VM db runs on host a under epoch 1");
    Migration failed = site.migrate("db", "b");
    assertThat(told()).containsExactly("MIGRATION_BEGUN: VM db is being moved live from host a to host b");
    site.agent("a").say(Reports.ended(OutgoingStatus.State.ROLLED_BACK, "STALLED", "rounds do not shrink"));
    Migration _ = site.ended(failed);
    assertThat(told()).containsExactly("MIGRATION_FAILED: VM db was not moved: STALLED: rounds do not shrink");
    var _ = site.machines().stop("db");
    assertThat(told()).containsExactly("VM_STOPPED: VM db is stopped");
    site.machines().delete("db", false);
    assertThat(told()).containsExactly("VM_DELETED: VM db was deleted");
    assertThat(told()).as("nothing is told twice").isEmpty();
  }

  @Test
  void hostsAreToldOfAsTheyComeAndGo() {
    site.register("c");
    assertThat(told()).containsExactly("HOST_JOINED: host c joined, at c:7410", "HOST_UP: host c is UP");
    site.timeOutAllBut("a", "b");
    assertThat(told()).containsExactly("HOST_DOWN: host c is DOWN: no heartbeat");
    assertThat(site.inventory().forget(new HostId("c"))).isTrue();
    assertThat(told()).containsExactly("HOST_DELETED: host c was deleted");
    site.register("b");
    assertThat(told()).containsExactly("HOST_RESTARTED: host b: its agent was started again (test)");
  }

  @Test
  void plansAndSettingsAreToldOf() throws Exception {
    var _ = site.maintenance().drain("a", false, false);
    assertThat(told()).containsExactly("PLAN_BEGUN: the drain of host a has begun: 0 VMs");
    failover.settings().arm(false);
    assertThat(told()).containsExactly("HA_DISARMED: VMs are not restarted by themselves any more");
    failover.settings().arm(true);
    assertThat(told()).containsExactly("HA_ARMED: VMs are restarted by themselves again");
  }

  @Test
  void theNewestAreKeptOverARestartAndOlderOnesAreForgotten() throws Exception {
    events.add(IntStream.range(0, 10_010)
        .mapToObj(i -> Event.newBuilder().setKind(Kind.VM_STARTED).setVm("vm-" + i % 2).setText("n" + i)).toList());
    events.add(List.of(Event.newBuilder().setKind(Kind.HOST_UP).setHost("a").setText("last")));
    EventLog again = new EventLog(site.store(), Scheduler.SYSTEM);
    assertThat(again.newest(20_000, "")).hasSize(10_000).last().extracting(Event::getText).isEqualTo("last");
    assertThat(again.newest(2, "vm-1")).extracting(Event::getText).containsExactly("n10007", "n10009");
    assertThat(again.next(10_009, 5, "", Duration.ZERO)).extracting(Event::getNumber).containsExactly(10_010L, 10_011L);
    assertThat(again.next(1_000_000, 1, "", Duration.ZERO)).as("a number of records that went back").hasSize(1);
  }

  @Test
  void whoWaitsHearsOfTheNextOne() throws Exception {
    var waiting = Scheduler.SYSTEM.start("waits", () -> {
      try {
        assertThat(events.next(events.last(), 10, "a", Duration.ofSeconds(20))).hasSize(1);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });
    events.add(List.of(Event.newBuilder().setHost("b").setText("of another")));
    events.add(List.of(Event.newBuilder().setHost("a").setText("this one")));
    await().atMost(Duration.ofSeconds(20)).until(() -> !waiting.isAlive());
  }
}
