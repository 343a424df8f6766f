package dev.pageferry.coordinator.metrics;

import dev.pageferry.common.metrics.DurationHistogram;
import dev.pageferry.common.metrics.ServerMeters;
import dev.pageferry.coordinator.availability.Failover;
import dev.pageferry.coordinator.availability.HostDeaths;
import dev.pageferry.coordinator.fencing.Fences;
import dev.pageferry.coordinator.history.RecordsHistory;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.maintenance.Maintenance;
import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.request.Requests;
import dev.pageferry.proto.agent.v1.HostAgentGrpc;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.AccessGrpc;
import dev.pageferry.proto.cluster.v1.AvailabilityGrpc;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.cluster.v1.EventsGrpc;
import dev.pageferry.proto.cluster.v1.FenceAttempt;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.OwnershipGrpc;
import io.grpc.ClientInterceptor;
import io.grpc.ServerInterceptor;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.grpc.MetricCollectingClientInterceptor;
import io.micrometer.core.instrument.binder.grpc.MetricCollectingServerInterceptor;
import java.time.Instant;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/** What the coordinator measures of the cluster. */
public final class CoordinatorMetrics implements Consumer<Migration> {
  private static final Set<Migration.State> FINAL = EnumSet.of(Migration.State.COMPLETED, Migration.State.FAILED,
      Migration.State.CANCELLED);

  private final ServerMeters meters;
  private final MeterRegistry registry;
  private final Map<Migration.State, Counter> outcomes = new EnumMap<>(Migration.State.class);
  private final DurationHistogram blackout;
  private final DurationHistogram total;

  /** @param version of this program */
  public CoordinatorMetrics(String version, HostInventory inventory, OwnershipLedger ledger, RecordsHistory history) {
    meters = new ServerMeters(version);
    registry = meters.registry();
    blackout = DurationHistogram.ofBlackouts(registry, "ferry.cluster.migration.blackout.duration",
        "ferry.cluster.migration.blackout",
        "Time for which migrated VMs were paused");
    total = DurationHistogram.ofMigrations(registry, "ferry.cluster.migration.duration",
        "ferry.cluster.migration.total",
        "Time from the request until the VM ran at its destination");
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
    Gauge.builder("ferry.cluster.old.copies", ledger, each -> oldCopies(inventory, each))
        .description("Copies of VMs that run under epochs that are over").register(registry);
    Gauge.builder("ferry.cluster.vms", ledger, each -> each.list().size()).description("VMs on record")
        .register(registry);
  }

  /** As last heartbeats had it. */
  private static long oldCopies(HostInventory inventory, OwnershipLedger ledger) {
    Map<String, Long> epochs = ledger.list().stream()
        .collect(Collectors.toMap(each -> each.id().value(), each -> each.record().getEpoch(), Math::max));
    return inventory.list().stream().filter(HostInventory.Host::isUp).flatMap(each -> each.vms().values().stream())
        .filter(each -> each.getState() == VmStatus.State.RUNNING)
        .filter(each -> each.getEpoch() < epochs.getOrDefault(each.getId(), 0L)).count();
  }

  /** Adds what is under way: migrations that are followed, and changes that were asked for under an id. */
  public void observe(MigrationSupervisor migrations, Requests requests) {
    inFlight("migration", migrations, MigrationSupervisor::underWay);
    inFlight("request", requests, Requests::underWay);
  }

  /** Shows what the death of a host would leave, and what it has left. */
  public void observe(HostDeaths deaths, Failover failover) {
    Gauge.builder("ferry.cluster.unplaceable.vms", deaths, HostDeaths::mostWithoutPlace)
        .description("VMs that would find no place if the worst host stopped").register(registry);
    Gauge.builder("ferry.cluster.waiting.vms", failover, each -> each.waiting().size())
        .description("VMs whose host stopped and that do not run again yet").register(registry);
    Gauge.builder("ferry.cluster.ha.armed", failover, each -> each.settings().isArmed() ? 1 : 0)
        .description("1 while VMs are restarted by themselves when their host stops").register(registry);
    observe(failover.fences());
  }

  /** Counts what comes of switching hosts off, and shows those that it does not come to. */
  private void observe(Fences fences) {
    for (FenceAttempt.State each : List.of(FenceAttempt.State.SWITCHED_OFF, FenceAttempt.State.FAILED,
        FenceAttempt.State.HEARD_AGAIN)) {
      FunctionCounter.builder("ferry.cluster.fences", fences, it -> it.count(each))
          .tag("outcome", each.name().toLowerCase(Locale.ROOT))
          .description("Attempts of fence agents to switch a host off").register(registry);
    }
    Gauge.builder("ferry.cluster.fence.failing", fences, Fences::failing)
        .description("Hosts that are silent and could not be switched off").register(registry);
  }

  /** Shows moves of plans that have not ended, and those that failed for good. */
  public void observe(Maintenance maintenance) {
    for (PlannedMove.State each : List.of(PlannedMove.State.WAITING, PlannedMove.State.MOVING,
        PlannedMove.State.FAILED)) {
      Gauge.builder("ferry.cluster.planned.moves", maintenance, it -> it.count(each))
          .tag("state", each.name().toLowerCase(Locale.ROOT))
          .description("Moves of drains, fail-backs and rebalancing, by state").register(registry);
    }
  }

  /** Shows until when this coordinator's certificate is taken by others. */
  public void observeCertificate(Supplier<Instant> notAfter) {
    meters.observeCertificate(notAfter);
  }

  private <T> void inFlight(String operation, T source, ToDoubleFunction<T> count) {
    Gauge.builder("ferry.cluster.operations.in.flight", source, count).tag("operation", operation)
        .description("Migrations that are followed, and requests that are carried out").register(registry);
  }

  /** Counts the calls of operators and agents. */
  public ServerInterceptor serverCalls() {
    MetricCollectingServerInterceptor calls = new MetricCollectingServerInterceptor(registry);
    calls.preregisterService(ClusterGrpc.getServiceDescriptor());
    calls.preregisterService(AccessGrpc.getServiceDescriptor());
    calls.preregisterService(AvailabilityGrpc.getServiceDescriptor());
    calls.preregisterService(EventsGrpc.getServiceDescriptor());
    calls.preregisterService(MaintenanceGrpc.getServiceDescriptor());
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

  /** All meters in Prometheus' text format. */
  public String scrape() {
    return meters.scrape();
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
      if (migration.hasBlackoutSeconds()) {
        blackout.record(migration.getBlackoutSeconds());
      }
    }
  }
}
