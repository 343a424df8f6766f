package dev.pageferry.coordinator.validation;

import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.failure.ShortText;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.agents.HostInspector;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedHost;
import dev.pageferry.coordinator.validation.ClusterLook.HostLook;
import dev.pageferry.coordinator.validation.ClusterLook.LinkLook;
import dev.pageferry.coordinator.validation.ClusterLook.OwnCertificate;
import dev.pageferry.coordinator.validation.ClusterLook.StorageLook;
import dev.pageferry.proto.agent.v1.HostFacts;
import dev.pageferry.proto.cluster.v1.ValidateUpdate;
import dev.pageferry.proto.cluster.v1.ValidationReport;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Looks at hosts and judges what it saw. One at a time: two would measure each other. */
public final class Validation {
  /** All hosts are asked at the same time; each answers within its own bounds. */
  private static final Duration INSPECTION_TIMEOUT = Duration.ofSeconds(55);
  /** Between two looks at a clock, so that the way of an answer is small beside it. */
  private static final Duration CLOCKS_APART = Duration.ofSeconds(2);
  private static final int MEASURES = 2;
  /** Beside storages and links: what hosts are, and clocks. */
  private static final int FEWEST_STEPS = 2;
  private static final int MOST_NAMES = 100;
  private static final double BYTES_PER_MEGABIT = 1e6 / 8;
  private static final Pattern NUMERIC = Pattern.compile("[0-9.]+|.*:.*");

  private final HostInventory inventory;
  private final OwnershipLedger ledger;
  private final HostInspector inspector;
  private final Optional<Credentials> credentials;
  private final String version;
  private final Scheduler scheduler;
  private final RandomGenerator random;
  private final AtomicBoolean isRunning = new AtomicBoolean();

  /** @param credentials empty: this coordinator works without certificates */
  public Validation(HostInventory inventory, OwnershipLedger ledger, HostInspector inspector,
      Optional<Credentials> credentials, String version, Scheduler scheduler, RandomGenerator random) {
    this.inventory = inventory;
    this.ledger = ledger;
    this.inspector = inspector;
    this.credentials = credentials;
    this.version = version;
    this.scheduler = scheduler;
    this.random = random;
  }

  /**
   * Validates.
   *
   * @param names of hosts; none: all
   * @param updates hears how far it is
   */
  public ValidationReport run(List<String> names, Consumer<ValidateUpdate> updates)
      throws RequestException, InterruptedException {
    List<Host> hosts = new ArrayList<>();
    for (String each : new TreeSet<>(names)) {
      hosts.add(RequestedHost.find(inventory, each));
    }
    if (!isRunning.compareAndSet(false, true)) {
      throw new RequestException(Kind.REFUSED,
          "another validation is under way; two would measure each other; try again");
    }
    try {
      return new Run(hosts.isEmpty() ? inventory.list() : hosts, updates).report();
    } finally {
      isRunning.set(false);
    }
  }

  /** One validation. */
  private final class Run {
    private final List<Host> hosts;
    private final Consumer<ValidateUpdate> updates;
    private final long begunNanos = scheduler.nanos();
    private final Instant at = Instant.ofEpochMilli(scheduler.wallMillis());
    private final Map<String, HostFacts> facts = new TreeMap<>();
    private final Map<String, String> troubles = new TreeMap<>();
    private final Set<String> older = new TreeSet<>();
    private final Map<String, ClockSample> clocks = new TreeMap<>();
    private int doneSteps;
    private int totalSteps;

    private Run(List<Host> hosts, Consumer<ValidateUpdate> updates) {
      this.hosts = hosts;
      this.updates = updates;
    }

    private ValidationReport report() throws InterruptedException {
      List<Host> up = hosts.stream().filter(Host::isUp).toList();
      List<Pair> pairs = Pair.of(up);
      totalSteps = FEWEST_STEPS + MEASURES * pairs.size();
      step("asking %d hosts what they are".formatted(up.size()));
      long clocksNanos = scheduler.nanos();
      up.forEach(this::lookAtClocks);
      inspect(up);
      Map<String, Map<String, String>> storages = storages(up);
      totalSteps += storages.size();
      List<StorageLook> stores = new ArrayList<>();
      for (Map.Entry<String, Map<String, String>> each : storages.entrySet()) {
        step("trying storage %s on %d hosts".formatted(each.getKey(), each.getValue().size()));
        stores.add(new StorageTrialRun(inspector, scheduler, random, each.getValue()).run(each.getKey()));
      }
      List<LinkLook> links = measureLinks(pairs);
      step("comparing clocks");
      long apart = scheduler.nanos() - clocksNanos;
      scheduler.sleep(Duration.ofNanos(Math.max(0, CLOCKS_APART.toNanos() - apart)));
      ClusterLook cluster = new ClusterLook(hosts.stream().map(this::look).toList(), stores, links,
          credentials.map(it -> new OwnCertificate(it.self(), it.notAfter())), version, at);
      return ReportBuilder.of(cluster, scheduler.secondsSince(begunNanos));
    }

    private void step(String doing) throws InterruptedException {
      if (Thread.interrupted()) {
        throw new InterruptedException("the caller disconnected");
      }
      updates.accept(ValidateUpdate.newBuilder().setDoneSteps(doneSteps++).setTotalSteps(totalSteps).setDoing(doing)
          .build());
    }

    /** The agents that have each storage, by storage and host. */
    private Map<String, Map<String, String>> storages(List<Host> up) {
      Map<String, Map<String, String>> found = new TreeMap<>();
      up.stream().filter(each -> facts.containsKey(each.id().value()))
          .filter(each -> !each.record().getStorageId().isEmpty())
          .forEach(each -> found.computeIfAbsent(each.record().getStorageId(), _ -> new TreeMap<>())
              .put(each.id().value(), each.record().getAddress()));
      return found;
    }

    private void lookAtClocks(Host host) {
      try {
        ClockSample.take(inspector, host.record().getAddress(), scheduler)
            .ifPresent(it -> clocks.put(host.id().value(), it));
      } catch (IllegalArgumentException e) {
        // An address that is none: what it is asked next fails, too, and is told.
      }
    }

    private void inspect(List<Host> up) throws InterruptedException {
      List<String> names = names(up);
      Map<String, Promise<HostFacts>> asked = new LinkedHashMap<>();
      for (Host each : up) {
        Promise<HostFacts> answer = scheduler.newPromise();
        asked.put(each.id().value(), answer);
        Task _ = scheduler.start("inspect-" + each.id(), () -> {
          try {
            answer.complete(Plausible.facts(inspector.inspect(each.record().getAddress(), names)));
          } catch (AgentException | RuntimeException e) {
            answer.fail(e);
          }
        });
      }
      for (Map.Entry<String, Promise<HostFacts>> each : asked.entrySet()) {
        Optional<HostFacts> answer = each.getValue().await(INSPECTION_TIMEOUT);
        if (answer.isPresent()) {
          facts.put(each.getKey(), answer.get());
        } else {
          each.getValue().failure()
              .filter(it -> it instanceof AgentException agent && agent.kind() == AgentException.Kind.OLDER)
              .ifPresent(_ -> older.add(each.getKey()));
          troubles.put(each.getKey(), each.getValue().failure().map(it -> String.valueOf(it.getMessage()))
              .orElse("no answer within %d s".formatted(INSPECTION_TIMEOUT.toSeconds())));
        }
      }
    }

    /** Names in addresses of hosts; of very many only the first. */
    private List<String> names(List<Host> up) {
      return up.stream()
          .flatMap(each -> Stream.of(each.record().getAddress(), each.record().getMigrationAddress(),
              each.record().getVxlanAddress()))
          .flatMap(each -> name(each).stream()).distinct().sorted().limit(MOST_NAMES).toList();
    }

    private static Optional<String> name(String address) {
      try {
        return address.isEmpty()
            ? Optional.empty()
            : Optional.of(HostPort.parse(address).host()).filter(each -> !NUMERIC.matcher(each).matches());
      } catch (IllegalArgumentException e) {
        return Optional.empty();
      }
    }

    /** Each link twice, and the better counts: the first bytes run through code that the agents have not compiled yet. */
    private List<LinkLook> measureLinks(List<Pair> pairs) throws InterruptedException {
      Map<Pair, LinkLook> best = new LinkedHashMap<>();
      LinkRun run = new LinkRun(inspector, random);
      for (int i = 0; i < MEASURES; i++) {
        for (Pair each : pairs) {
          step("measuring the link from %s to %s".formatted(each.source().id(), each.destination().id()));
          LinkLook before = best.get(each);
          boolean haveAnswered = facts.containsKey(each.source().id().value())
              && facts.containsKey(each.destination().id().value());
          if (haveAnswered && (before == null || before.measure().isPresent())) {
            best.merge(each, run.measure(end(each.source()), end(each.destination())), LinkLook::better);
          }
        }
      }
      return List.copyOf(best.values());
    }

    private LinkRun.End end(Host host) {
      HostFacts own = facts.getOrDefault(host.id().value(), HostFacts.getDefaultInstance());
      return new LinkRun.End(host.id().value(), host.record().getAddress(), host.record().getMigrationAddress(),
          own.getMigrating(), own.getMigration().getMegabitsPerSecond() * BYTES_PER_MEGABIT);
    }

    private HostLook look(Host host) {
      String name = host.id().value();
      Optional<ClockSample> later = clocks.containsKey(name)
          ? ClockSample.take(inspector, host.record().getAddress(), scheduler)
          : Optional.empty();
      return new HostLook(name, host.isUp(), String.valueOf(ShortText.of(host.record().getVersion())),
          host.record().getStorageId(),
          host.record().getMemoryBytes(),
          host.memoryFreeBytes(), guests(host), Optional.ofNullable(facts.get(name)),
          troubles.getOrDefault(name, ""), older.contains(name),
          later.map(it -> clocks.getOrDefault(name, it).until(it)));
    }

    /** What its agent has: what one before it had is down. */
    private Map<String, Long> guests(Host host) {
      Map<String, Long> guests = new TreeMap<>();
      ledger.list().stream().map(OwnershipLedger.Row::record)
          .filter(each -> each.getOwnerHost().equals(host.id().value()))
          .filter(each -> each.getOwnerIncarnation().equals(host.incarnation().value()))
          .filter(each -> each.getPhase() == VmRecord.Phase.ACTIVE || each.getPhase() == VmRecord.Phase.CREATING)
          .forEach(each -> guests.put(each.getSpec().getName(), each.getSpec().getMemoryBytes()));
      return guests;
    }
  }
}
