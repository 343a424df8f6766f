package dev.pageferry.coordinator.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.coordinator.fakes.SiteFixture;
import dev.pageferry.coordinator.ownership.OwnershipEvent;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What an alarm rings for: a host that runs a copy of a VM which is another's by now. */
class OldCopiesTest extends SiteFixture {
  private CoordinatorMetrics metrics;

  @BeforeEach
  void createVm() throws Exception {
    var _ = site.createVm("web", "a");
    site.heartbeat("a", "b");
    metrics = new CoordinatorMetrics("test", site.inventory(), site.ledger(), site.history());
  }

  private void giveToB() throws Exception {
    var _ = site.ledger().change(site.vmId("web"), new OwnershipEvent.Boot(
        site.inventory().list().getLast().id(), site.incarnation("b"), "", new OwnershipEpoch(1), true));
  }

  @Test
  void aCopyThatRunsUnderTheEpochOfItsRowIsNone() {
    assertThat(metrics.scrape()).contains("ferry_cluster_old_copies 0.0");
  }

  @Test
  void aCopyThatAHostRunsUnderAnEarlierEpochIsCountedUntilItIsGone() throws Exception {
    giveToB();
    site.heartbeat("a", "b");
    assertThat(metrics.scrape()).contains("ferry_cluster_old_copies 1.0");
    site.agent("a").lose(site.vmId("web").value());
    site.heartbeat("a", "b");
    assertThat(metrics.scrape()).contains("ferry_cluster_old_copies 0.0");
  }
}
