package dev.pageferry.agent.metrics;

import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.migration.RoundReport;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.source.SourceStatus;
import dev.pageferry.agent.network.Drop;
import dev.pageferry.agent.network.SwitchCounters;
import dev.pageferry.agent.ownership.OpenDialogues;
import dev.pageferry.common.metrics.DurationHistogram;
import dev.pageferry.common.metrics.ServerMeters;
import dev.pageferry.proto.agent.v1.HostAgentGrpc;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.OwnershipGrpc;
import io.grpc.ClientInterceptor;
import io.grpc.ServerInterceptor;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.grpc.MetricCollectingClientInterceptor;
import io.micrometer.core.instrument.binder.grpc.MetricCollectingServerInterceptor;
import java.time.Instant;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;

/** What this host measures, in Prometheus' names and base units. No label has an unbounded number of values. */
public final class AgentMetrics implements Consumer<SourceStatus> {
  private static final double[] ROUND_BUCKETS = {1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50};

  private final ServerMeters meters;
  private final MeterRegistry registry;
  private final Map<SourceStatus.State, Counter> outcomes = new EnumMap<>(SourceStatus.State.class);
  private final DurationHistogram blackout;
  private final DurationHistogram total;
  private final DistributionSummary rounds;
  private final Counter pages;
  private final Counter zeroPages;
  private final Counter skippedPages;
  private final Counter bytes;
  private final AtomicLong dirtyPages = new AtomicLong();

  /** @param version of this program */
  public AgentMetrics(String version, HostedGuests guests, HostMemory memory, SwitchCounters network) {
    meters = new ServerMeters(version);
    registry = meters.registry();
    blackout = DurationHistogram.ofBlackouts(registry, "ferry.migration.blackout.duration", "ferry.migration.blackout",
        "Time for which guests that left this host were paused");
    total = DurationHistogram.ofMigrations(registry, "ferry.migration.duration", "ferry.migration.total",
        "Time from the start of a migration until the guest ran at its destination");
    rounds = DistributionSummary.builder("ferry.migration.rounds").serviceLevelObjectives(ROUND_BUCKETS)
        .description("Rounds of a migration, stop-and-copy included").register(registry);
    pages = counter("ferry.migration.pages.sent", "Pages sent with their contents");
    zeroPages = counter("ferry.migration.pages.zero", "Pages sent as zero ranges");
    skippedPages = counter("ferry.migration.pages.skipped",
        "Pages left to a later round because they were dirty again");
    bytes = Counter.builder("ferry.migration.sent").baseUnit("bytes")
        .description("TCP payload of migrations")
        .register(registry);
    for (SourceStatus.State each : SourceStatus.State.values()) {
      if (each.isFinal()) {
        outcomes.put(each, Counter.builder("ferry.migrations").tag("outcome", each.name().toLowerCase(Locale.ROOT))
            .description("Migrations that left or tried to leave this host").register(registry));
      }
    }
    Gauge.builder("ferry.migration.dirty.pages", dirtyPages, AtomicLong::get)
        .description("Pages that the guest had written during the round of a migration that ended last")
        .register(registry);
    Gauge.builder("ferry.guests", guests, each -> each.list().size()).description("VMs on this host")
        .register(registry);
    Gauge.builder("ferry.host.memory", memory, HostMemory::capacityBytes).baseUnit("bytes")
        .description("Memory for guests")
        .register(registry);
    Gauge.builder("ferry.host.memory.free", memory, HostMemory::freeBytes).baseUnit("bytes")
        .description("Memory left for guests")
        .register(registry);
    Gauge.builder("ferry.host.memory.spare", memory, HostMemory::spareBytes).baseUnit("bytes")
        .description("Free memory that is kept backed for the next guests")
        .register(registry);
    FunctionCounter.builder("ferry.guest.steps", guests, HostedGuests::stepsDone)
        .description("Steps done by guests on this host").register(registry);
    bindSwitch(network);
  }

  /**
   * Adds what is known only once the servers run.
   *
   * @param leaseAgeSeconds since the heartbeat whose answer renewed the activation lease; NaN before the first one
   */
  public void observe(GuestClaims claims, IncomingMigrations incoming, OpenDialogues dialogues,
      DoubleSupplier leaseAgeSeconds) {
    inFlight("build", claims, each -> each.building().size());
    inFlight("leave", claims, GuestClaims::leaving);
    inFlight("arrive", incoming, IncomingMigrations::underWay);
    Gauge.builder("ferry.guests.in.doubt", dialogues, each -> each.doubts().size())
        .description("VMs that stay paused here until the coordinator says whose they are").register(registry);
    Gauge.builder("ferry.activation.lease.age", leaseAgeSeconds::getAsDouble).baseUnit("seconds")
        .description("Time since the heartbeat was sent whose answer renewed the activation lease").register(registry);
  }

  private <T> void inFlight(String operation, T source, ToDoubleFunction<T> count) {
    Gauge.builder("ferry.operations.in.flight", source, count).tag("operation", operation)
        .description("VMs that are created or restored (build), moved away or saved (leave), or moved here (arrive)")
        .register(registry);
  }

  /** Counts the calls of the coordinator to this host. */
  public ServerInterceptor serverCalls() {
    MetricCollectingServerInterceptor calls = new MetricCollectingServerInterceptor(registry);
    calls.preregisterService(HostAgentGrpc.getServiceDescriptor());
    return calls;
  }

  /** Counts the calls of this host to the coordinator. */
  public ClientInterceptor clientCalls() {
    MetricCollectingClientInterceptor calls = new MetricCollectingClientInterceptor(registry);
    calls.preregisterService(HostRegistryGrpc.getServiceDescriptor());
    calls.preregisterService(OwnershipGrpc.getServiceDescriptor());
    return calls;
  }

  private void bindSwitch(SwitchCounters network) {
    switched("forwarded", network, SwitchCounters::forwarded);
    switched("flooded", network, SwitchCounters::flooded);
    switched("relayed", network, SwitchCounters::relayed);
    for (Drop reason : Drop.values()) {
      FunctionCounter.builder("ferry.switch.dropped", network, counters -> counters.dropped(reason))
          .tag("reason", reason.name().toLowerCase(Locale.ROOT)).baseUnit("frames")
          .description("Frames and datagrams that went no further").register(registry);
    }
  }

  private void switched(String outcome, SwitchCounters network, ToDoubleFunction<SwitchCounters> count) {
    FunctionCounter.builder("ferry.switch", network, count).tag("outcome", outcome).baseUnit("frames")
        .description("Frames that the virtual switch sent to one receiver, to all of a network, or after a moved VM")
        .register(registry);
  }

  /** Shows until when this host's certificate is taken by others. */
  public void observeCertificate(Supplier<Instant> notAfter) {
    meters.observeCertificate(notAfter);
  }

  /** All meters in Prometheus' text format. */
  public String scrape() {
    return meters.scrape();
  }

  @Override
  public void accept(SourceStatus status) {
    if (!status.rounds().isEmpty()) {
      dirtyPages.set(status.rounds().getLast().dirtyPagesAfter());
    }
    if (status.state().isFinal()) {
      ended(status);
    }
  }

  private void ended(SourceStatus status) {
    Objects.requireNonNull(outcomes.get(status.state())).increment();
    List<RoundReport> all = status.rounds();
    pages.increment(all.stream().mapToLong(RoundReport::pagesSent).sum());
    zeroPages.increment(all.stream().mapToLong(RoundReport::zeroPages).sum());
    skippedPages.increment(all.stream().mapToLong(RoundReport::skippedPages).sum());
    bytes.increment(status.bytesSent());
    if (status.state() == SourceStatus.State.COMPLETED) {
      rounds.record(all.size());
      total.record(status.totalSeconds());
      status.blackout().ifPresent(report -> blackout.record(report.total()));
    }
  }

  private Counter counter(String name, String description) {
    return Counter.builder(name).description(description).register(registry);
  }
}
