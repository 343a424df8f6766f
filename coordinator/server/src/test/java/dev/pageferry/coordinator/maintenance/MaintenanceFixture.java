package dev.pageferry.coordinator.maintenance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.fakes.FakeAgent;
import dev.pageferry.coordinator.fakes.Reports;
import dev.pageferry.coordinator.fakes.SiteFixture;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.agent.v1.StartOutgoingRequest;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;

/** Three hosts whose moves are played. */
abstract class MaintenanceFixture extends SiteFixture {
  static final Duration SOON = Duration.ofSeconds(20);

  Maintenance maintenance;
  final List<String> moved = new ArrayList<>();

  @BeforeEach
  void hearHosts() {
    site.register("c");
    site.heartbeat("a", "b", "c");
    maintenance = site.maintenance();
    List.of("a", "b", "c").forEach(this::carryOutMoves);
  }

  /** A source whose moves are committed at once, and go well. */
  void carryOutMoves(String source) {
    site.agent(source).when("startOutgoing", () -> commitLast(source));
  }

  /** The last move that a source began is committed, and goes well. */
  void commitLast(String source) {
    commitLastWithoutWord(source);
    site.agent(source).say(Reports.completed());
  }

  /** The same, and nobody tells the coordinator. */
  void commitLastWithoutWord(String source) {
    StartOutgoingRequest request = lastOutgoing(source);
    VmRecord row = site.ledger().list().stream().map(OwnershipLedger.Row::record)
        .filter(each -> each.getPending().getMigrationId().equals(request.getMigrationId())).findFirst().orElseThrow();
    VmId vm = new VmId(row.getSpec().getId());
    var _ = site.ledger().commit(vm, new MigrationId(request.getMigrationId()), site.inventory()::isCurrent);
    moved.add(row.getSpec().getName());
    site.agent(site.row(row.getSpec().getName()).getOwnerHost()).host(VmStatus.newBuilder().setId(vm.value())
        .setSpec(row.getSpec()).setEpoch(row.getEpoch() + 1).setState(VmStatus.State.RUNNING).build());
    site.agent(source).lose(vm.value());
  }

  StartOutgoingRequest lastOutgoing(String source) {
    return site.agent(source).requests(StartOutgoingRequest.class).getLast();
  }

  /** A source that fails whatever it is to move. */
  void failMoves(String source, String code) {
    FakeAgent agent = site.agent(source);
    agent.when("startOutgoing", () -> agent.say(Reports.ended(OutgoingStatus.State.ROLLED_BACK, code, "so it is")));
  }

  /** Looks until what is under way is over. */
  MovePlan look(String host) {
    return await().atMost(SOON).pollInterval(Duration.ofMillis(5)).until(() -> {
      maintenance.look();
      site.heartbeat("a", "b", "c");
      return plan(host);
    }, each -> each.getState() != MovePlan.State.RUNNING);
  }

  MovePlan plan(String host) {
    return site.inventory().plans().of(new HostId(host)).orElseThrow();
  }

  static List<String> states(MovePlan plan) {
    return plan.getMovesList().stream().map(each -> "%s %s>%s %s".formatted(each.getVm(), each.getFrom(), each.getTo(),
        each.getState())).sorted().toList();
  }

  void refused(String part, org.assertj.core.api.ThrowableAssert.ThrowingCallable request) {
    assertThatThrownBy(request).isInstanceOfSatisfying(RequestException.class,
        e -> assertThat(e.kind()).isEqualTo(RequestException.Kind.REFUSED)).hasMessageContaining(part);
  }

}
