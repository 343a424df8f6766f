package dev.pageferry.coordinator.metrics;

import dev.pageferry.coordinator.history.RecordsHistory;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.proto.cluster.v1.Migration;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.Locale;
import java.util.function.Consumer;

/** What the coordinator measures of the cluster. */
public final class CoordinatorMetrics implements Consumer<Migration> {
  private static final double[] BLACKOUT_BUCKETS = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5,
      10};
  private static final double[] TOTAL_BUCKETS = {0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600};

  private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final DistributionSummary blackout = DistributionSummary.builder("ferry.cluster.migration.blackout")
      .baseUnit("seconds")
      .serviceLevelObjectives(BLACKOUT_BUCKETS).description("Time for which migrated VMs were paused")
      .register(registry);
  private final DistributionSummary total = DistributionSummary.builder("ferry.cluster.migration.total")
      .baseUnit("seconds")
      .serviceLevelObjectives(TOTAL_BUCKETS).description("Time from the request until the VM ran at its destination")
      .register(registry);

  public CoordinatorMetrics(HostInventory inventory, OwnershipLedger ledger, RecordsHistory history) {
    Gauge.builder("ferry.cluster.records.went.back", history, each -> each.isInTrouble() ? 1 : 0)
        .description("1 while records are known to have gone back in time, and no row changes").register(registry);
    Gauge
        .builder("ferry.cluster.hosts", inventory,
            each -> each.list().stream().filter(HostInventory.Host::isUp).count())
        .tag("state", "up")
        .description("Hosts by state").register(registry);
    Gauge.builder("ferry.cluster.hosts", inventory, each -> each.list().stream().filter(host -> !host.isUp()).count())
        .tag("state", "down")
        .description("Hosts by state").register(registry);
    Gauge.builder("ferry.cluster.vms", ledger, each -> each.list().size()).description("VMs on record")
        .register(registry);
    new JvmMemoryMetrics().bindTo(registry);
  }

  /** All meters in Prometheus' text format. */
  public String scrape() {
    return registry.scrape();
  }

  @Override
  public void accept(Migration migration) {
    Counter.builder("ferry.cluster.migrations").tag("outcome", migration.getState().name().toLowerCase(Locale.ROOT))
        .description("Migrations that ended").register(registry).increment();
    if (migration.getState() == Migration.State.COMPLETED) {
      total.record(migration.getTotalSeconds());
      if (migration.hasBlackoutSeconds()) {
        blackout.record(migration.getBlackoutSeconds());
      }
    }
  }
}
