package dev.pageferry.simulation;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.guest.HostedGuests.Hosted;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.proto.records.v1.Availability;
import dev.pageferry.proto.records.v1.VmRecord;
import dev.pageferry.simulation.SimulatedNetwork.Place;
import dev.pageferry.simulation.SimulatedStorage.Kernels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;

/**
 * A coordinator, hosts that share storage, and VMs, some with disks there. Whatever befalls them is a {@link Story}; when it is
 * over all is well again, but for hosts that stay away, and everything has to come to a good end.
 */
final class ClusterWorld {
  private static final long PAGES = 64;
  private static final Duration PACE = Duration.ofMillis(400);
  private static final Duration GOOD_END = Duration.ofMinutes(4);
  private static final Duration LONGEST_STORY = Duration.ofMinutes(20);

  /**
   * A VM.
   *
   * @param hasDisk of its own, on the storage that all hosts share
   * @param host where it runs first
   * @param isHa to be restarted though it has no disk
   */
  record VmPlan(String name, boolean hasDisk, String host, boolean isOn, boolean isHa) {
    VmId id() {
      return new VmId("id-of-" + name);
    }
  }

  /**
   * How a world is made.
   *
   * @param givesUp whether kernels give up on storage that does not answer
   * @param mishapsPerMille of all messages
   * @param longestSync of the coordinator's disk
   * @param clockError how much faster or slower than others' the clocks of hosts run, as a part of 1
   */
  record Setup(List<String> hosts, List<VmPlan> vms, Kernels kernels, boolean givesUp, int mishapsPerMille,
      Duration longestSync, double clockError) {
    /** By a file server, from hosts that wait for it as long as it takes. */
    Setup withLocksThatAreTaken() {
      return new Setup(hosts, vms, Kernels.OWN, false, mishapsPerMille, longestSync, clockError);
    }

    Setup withSync(Duration longest) {
      return new Setup(hosts, vms, kernels, givesUp, mishapsPerMille, longest, clockError);
    }
  }

  /** What happens to a world, told by a task of its own once its VMs run. */
  interface Story {
    void tell(ClusterWorld world) throws InterruptedException;
  }

  /** How it ended. */
  record Outcome(long traceHash, long events, long nanos, Map<String, Integer> counts) {
  }

  private final Baton baton;
  private final Setup setup;
  private final ClusterDirectory directory;
  private final ClusterChecks checks;
  private final SimulatedNetwork network;
  private final SimulatedLinks links;
  private final SimulatedStorage storage;
  private final SimulatedCoordinator coordinator;
  private final SimulatedAgent.World surroundings;
  private final Map<String, Place<SimulatedAgent>> places = new TreeMap<>();
  private final Map<String, ClusterHost> hosts = new TreeMap<>();
  private final Map<String, VmSpec> specs = new HashMap<>();
  private final SimulatedScheduler process;
  private final SimulatedOperator operator;
  private final Map<String, Integer> counts = new TreeMap<>();
  private final ClusterRest rest = new ClusterRest(this);
  private boolean isOver;

  ClusterWorld(long seed, Setup setup, ClusterDirectory directory, Planted planted) {
    this.baton = new Baton(seed);
    SplittableRandom random = baton.newRandom();
    this.setup = setup;
    this.directory = directory;
    this.checks = new ClusterChecks(baton, this::epochOf);
    this.network = new SimulatedNetwork(baton, setup.mishapsPerMille());
    this.links = new SimulatedLinks(baton);
    this.storage = new SimulatedStorage(baton, setup.kernels(), setup.givesUp(), checks::violated);
    this.coordinator = new SimulatedCoordinator(baton, network,
        new SimulatedStore(baton, checks::written, planted, setup.longestSync()),
        places, planted);
    this.surroundings = new SimulatedAgent.World(baton, network, links, coordinator, directory.path(), storage, checks,
        PACE, planted);
    this.process = baton.newHost("operator", 1);
    this.operator = new SimulatedOperator(baton, coordinator);
    for (String name : setup.hosts()) {
      ClusterHost host = new ClusterHost(this, name, 1 + (2 * random.nextDouble() - 1) * setup.clockError());
      hosts.put(name, host);
      listens(host.agent());
    }
    setup.vms().forEach(each -> specs.put(each.name(), spec(each)));
    baton.check(checks::look);
  }

  private VmSpec spec(VmPlan plan) {
    try {
      List<DiskDescription> disks = plan.hasDisk()
          ? List.of(host(plan.host()).agent().storage().orElseThrow().disks().show(plan.name()))
          : List.of();
      ProgramSpec program = new ProgramSpec(plan.hasDisk() ? "journal" : "uniform", Map.of(),
          PageSize.bytesOf(PAGES), 1);
      return new VmSpec(plan.id(), plan.name(), PageSize.bytesOf(PAGES), 1, program, Optional.empty(),
          Optional.empty(), disks);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  void listens(SimulatedAgent agent) {
    places.put(agent.address().toString(), agent);
  }

  private long epochOf(SimulatedGuest guest) {
    return hosts.values().stream().map(ClusterHost::agent).filter(each -> each.host() == guest.host())
        .flatMap(each -> each.guests().find(guest.spec().id()).stream()).filter(each -> each.vm() == guest)
        .map(Hosted::epoch).mapToLong(each -> each.value()).findFirst().orElse(-1);
  }

  Outcome run(Story story) throws InterruptedException {
    coordinator.start();
    hosts.values().forEach(ClusterHost::start);
    process.start("operator", () -> live(story));
    try {
      baton.run(LONGEST_STORY);
    } finally {
      checks.free();
      directory.clean();
    }
    if (!isOver) {
      throw new AssertionError("the operator saw no end");
    }
    checks.counts().forEach((what, number) -> counts.merge(what, number, Integer::sum));
    return new Outcome(baton.trace().hash(), baton.trace().count(), baton.nanos(), counts);
  }

  private void live(Story story) {
    try {
      awaitHosts();
      for (VmPlan each : setup.vms()) {
        create(each);
      }
      story.tell(this);
      awaitRest();
      isOver = true;
      baton.stop();
    } catch (InterruptedException e) {
      throw new IllegalStateException("nobody interrupts the operator", e);
    }
  }

  private void awaitHosts() throws InterruptedException {
    while (coordinator.get() == null || coordinator.services().inventory().list().stream()
        .filter(each -> each.isUp()).count() < hosts.size()) {
      process.sleep(Duration.ofMillis(100));
    }
  }

  /** Has a row for the VM, as if it were there for long, and switches it on. */
  private void create(VmPlan plan) throws InterruptedException {
    SimulatedAgent first = host(plan.host()).agent();
    VmRecord row = VmRecord.newBuilder().setSpec(Objects.requireNonNull(specs.get(plan.name())).toMessage())
        .setPhase(VmRecord.Phase.STOPPED)
        .setOwnerHost(plan.host()).setOwnerIncarnation(first.incarnation()).setEpoch(1)
        .setStorageId(plan.hasDisk() ? first.storage().orElseThrow().id() : "")
        .setAvailability(Availability.newBuilder().setHa(plan.isHa() ? Availability.Ha.ON : Availability.Ha.AUTO))
        .build();
    while (operator.ask(services -> services.ledger().findByName(plan.name()).isPresent()
        || services.ledger().add(row)).isEmpty()) {
      process.sleep(Duration.ofMillis(500));
    }
    for (int i = 0; plan.isOn() && checks.row(plan.id()).getPhase() != VmRecord.Phase.ACTIVE; i++) {
      if (i == 100) {
        throw new AssertionError("VM %s does not start".formatted(plan.name()));
      }
      operator.ask(services -> services.machines().start(plan.name(), "", false));
      process.sleep(Duration.ofMillis(500));
    }
  }

  private void awaitRest() throws InterruptedException {
    long end = baton.nanos() + GOOD_END.toNanos();
    while (true) {
      process.sleep(Duration.ofSeconds(1));
      Optional<String> reason = rest.obstacle();
      if (reason.isEmpty()) {
        return;
      }
      if (baton.nanos() > end) {
        throw new AssertionError("no good end: %s; %s".formatted(reason.get(), rest.waiting()));
      }
    }
  }

  /** Everything works again; hosts that are dead stay so. */
  void heal() {
    network.heal();
    storage.heal();
    hosts.values().forEach(ClusterHost::thaw);
  }

  void count(String what) {
    counts.merge(what, 1, Integer::sum);
  }

  ClusterHost host(String name) {
    ClusterHost host = hosts.get(name);
    if (host == null) {
      throw new IllegalArgumentException("there is no host '%s'".formatted(name));
    }
    return host;
  }

  List<ClusterHost> hosts() {
    return new ArrayList<>(hosts.values());
  }

  Setup setup() {
    return setup;
  }

  Baton baton() {
    return baton;
  }

  ClusterChecks checks() {
    return checks;
  }

  SimulatedNetwork network() {
    return network;
  }

  SimulatedLinks links() {
    return links;
  }

  SimulatedStorage storage() {
    return storage;
  }

  SimulatedCoordinator coordinator() {
    return coordinator;
  }

  SimulatedScheduler process() {
    return process;
  }

  SimulatedOperator operator() {
    return operator;
  }

  SimulatedAgent.World surroundings() {
    return surroundings;
  }

  ClusterRest rest() {
    return rest;
  }
}
