package dev.pageferry.coordinator.metrics;

import dev.pageferry.coordinator.history.RecordsHistory;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.request.Requests;
import dev.pageferry.proto.agent.v1.HostAgentGrpc;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.OwnershipGrpc;
import io.grpc.ClientInterceptor;
import io.grpc.ServerInterceptor;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.binder.grpc.MetricCollectingClientInterceptor;
import io.micrometer.core.instrument.binder.grpc.MetricCollectingServerInterceptor;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.core.instrument.config.MeterFilter;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;

/** What the coordinator measures of the cluster. */
public final class CoordinatorMetrics implements Consumer<Migration> {
  private static final double[] BLACKOUT_BUCKETS = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5,
      10};
  private static final Set<Migration.State> FINAL = EnumSet.of(Migration.State.COMPLETED, Migration.State.FAILED,
      Migration.State.CANCELLED);
  private static final double[] TOTAL_BUCKETS = {0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600};

  private final PrometheusMeterRegistry registry = newRegistry();
  private final Map<Migration.State, Counter> outcomes = new EnumMap<>(Migration.State.class);
  private final DistributionSummary blackout = seconds("ferry.cluster.migration.blackout.duration", BLACKOUT_BUCKETS,
      "Time for which migrated VMs were paused");
  private final DistributionSummary total = seconds("ferry.cluster.migration.duration", TOTAL_BUCKETS,
      "Time from the request until the VM ran at its destination");
  /** The names of version 0.1, which 0.2 still has. */
  private final DistributionSummary oldBlackout = seconds("ferry.cluster.migration.blackout", BLACKOUT_BUCKETS,
      "Deprecated: ferry_cluster_migration_blackout_duration_seconds");
  private final DistributionSummary oldTotal = seconds("ferry.cluster.migration.total", TOTAL_BUCKETS,
      "Deprecated: ferry_cluster_migration_duration_seconds");

  /** @param version of this program */
  public CoordinatorMetrics(String version, HostInventory inventory, OwnershipLedger ledger, RecordsHistory history) {
    Gauge.builder("ferry.build.info", () -> 1).tag("version", version)
        .tag("java", Runtime.version().toString()).description("1; which build this is").register(registry);
    for (Migration.State each : FINAL) {
      outcomes.put(each, Counter.builder("ferry.cluster.migrations")
          .tag("outcome", each.name().toLowerCase(Locale.ROOT)).description("Migrations that ended")
          .register(registry));
    }
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
    bindProcess();
  }

  @SuppressWarnings("resource") // lives as long as the process
  private void bindProcess() {
    new JvmMemoryMetrics().bindTo(registry);
    new JvmGcMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    new FileDescriptorMetrics().bindTo(registry);
    new UptimeMetrics().bindTo(registry);
  }

  private DistributionSummary seconds(String name, double[] buckets, String description) {
    return DistributionSummary.builder(name).baseUnit("seconds").serviceLevelObjectives(buckets)
        .description(description).register(registry);
  }

  /** Adds what is under way: migrations that are followed, and changes that were asked for under an id. */
  public void observe(MigrationSupervisor migrations, Requests requests) {
    inFlight("migration", migrations, MigrationSupervisor::underWay);
    inFlight("request", requests, Requests::underWay);
  }

  private <T> void inFlight(String operation, T source, ToDoubleFunction<T> count) {
    Gauge.builder("ferry.cluster.operations.in.flight", source, count).tag("operation", operation)
        .description("Migrations that are followed, and requests that are carried out").register(registry);
  }

  /** Counts the calls of operators and agents. */
  public ServerInterceptor serverCalls() {
    MetricCollectingServerInterceptor calls = new MetricCollectingServerInterceptor(registry);
    calls.preregisterService(ClusterGrpc.getServiceDescriptor());
    calls.preregisterService(HostRegistryGrpc.getServiceDescriptor());
    calls.preregisterService(OwnershipGrpc.getServiceDescriptor());
    return calls;
  }

  /** Counts the calls to agents. */
  public ClientInterceptor clientCalls() {
    MetricCollectingClientInterceptor calls = new MetricCollectingClientInterceptor(registry);
    calls.preregisterService(HostAgentGrpc.getServiceDescriptor());
    return calls;
  }

  /** One that lets binders of Micrometer keep Prometheus' rules: labels in snake case, and no unit but base units. */
  private static PrometheusMeterRegistry newRegistry() {
    PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    registry.config().meterFilter(MeterFilter.renameTag("grpc.", "methodType", "method.type"))
        .meterFilter(MeterFilter.renameTag("grpc.", "statusCode", "status.code"))
        .meterFilter(MeterFilter.denyNameStartsWith("process.cpu.time"))
        .meterFilter(MeterFilter.denyNameStartsWith("system.cpu.count"));
    return registry;
  }

  /** All meters in Prometheus' text format. */
  public String scrape() {
    return registry.scrape();
  }

  @Override
  public void accept(Migration migration) {
    Counter outcome = outcomes.get(migration.getState());
    if (outcome == null) {
      throw new IllegalArgumentException("migration %s has not ended: %s".formatted(migration.getId(),
          migration.getState()));
    }
    outcome.increment();
    if (migration.getState() == Migration.State.COMPLETED) {
      total.record(migration.getTotalSeconds());
      oldTotal.record(migration.getTotalSeconds());
      if (migration.hasBlackoutSeconds()) {
        blackout.record(migration.getBlackoutSeconds());
        oldBlackout.record(migration.getBlackoutSeconds());
      }
    }
  }
}
