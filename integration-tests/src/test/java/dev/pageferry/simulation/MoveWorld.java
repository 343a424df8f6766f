package dev.pageferry.simulation;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import dev.pageferry.agent.guest.HostedGuests.Hosted;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.cluster.v1.Codec;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.MigrateQuickRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.migration.v1.StateSaved;
import dev.pageferry.proto.records.v1.VmRecord;
import dev.pageferry.simulation.SimulatedCoordinator.Services;
import dev.pageferry.simulation.SimulatedNetwork.Mishap;
import dev.pageferry.simulation.SimulatedNetwork.Place;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Two hosts, a coordinator and one VM that is moved, while the network loses, repeats and delays what they say, links break and
 * the coordinator restarts. It heals after a while; then everything has to come to a good end.
 */
final class MoveWorld implements SimulatedGuest.Effects {
  /** How the VM is moved. */
  enum Kind {
    LIVE,
    QUICK
  }

  /** How the world ended. */
  record Outcome(long traceHash, long events, Migration migration, VmRecord row, long steps,
      Map<Mishap, Map<String, Integer>> mishaps, int cuts, int restarts) {
  }

  private static final VmId VM = new VmId("vm-1");
  private static final long PAGES = 320;
  private static final Duration BETWEEN_STEPS = Duration.ofMillis(8);
  private static final Duration FIRST_STEPS = Duration.ofMillis(300);
  private static final Duration TROUBLE = Duration.ofSeconds(12);
  private static final Duration GOOD_END = Duration.ofMinutes(5);
  private static final List<String> FATAL_MESSAGES = List.of("SetupAccepted", "GuestState", "StateSaved", "Ready", "Go",
      "Running");
  private static final int[] MISHAPS_PER_MILLE = {0, 30, 80, 150};

  private final Baton baton;
  private final SplittableRandom random;
  private final Kind kind;
  private final SimulatedNetwork network;
  private final SimulatedLinks links;
  private final SimulatedCoordinator coordinator;
  private final List<SimulatedAgent> hosts = new ArrayList<>();
  private final List<SimulatedGuest> guests = new ArrayList<>();
  private final SimulatedScheduler operator;
  private final SimulatedOperator questions;
  private final VmSpec spec;
  private long stepsDone;
  private long lastEpoch;
  private long rowEpoch;
  private int restarts;
  private @Nullable Outcome outcome;
  private VmRecord lastRow = VmRecord.getDefaultInstance();
  /** Seen where throwing it would be taken for a failure of the product's. */
  private @Nullable String violated;

  MoveWorld(long seed, Kind kind, Path storage) {
    this(seed, kind, storage, Planted.NOTHING);
  }

  /** @param planted a fault in both hosts that the world is to find */
  MoveWorld(long seed, Kind kind, Path storage, Planted planted) {
    this.baton = new Baton(seed);
    this.random = baton.newRandom();
    this.kind = kind;
    this.network = new SimulatedNetwork(baton, MISHAPS_PER_MILLE[random.nextInt(MISHAPS_PER_MILLE.length)]);
    this.links = new SimulatedLinks(baton);
    Map<String, Place<SimulatedAgent>> places = new TreeMap<>();
    this.coordinator = new SimulatedCoordinator(baton, network,
        new SimulatedStore(baton, this::written, planted, SimulatedStore.SOON),
        places, planted);
    this.operator = baton.newHost("operator", 1);
    this.questions = new SimulatedOperator(baton, coordinator);
    for (String name : List.of("host-a", "host-b")) {
      double rate = 1 + (random.nextInt(41) - 20) / 10_000.0;
      SimulatedAgent agent = new SimulatedAgent(
          new SimulatedAgent.World(baton, network, links, coordinator, storage, null, this, BETWEEN_STEPS, planted),
          new SimulatedAgent.Life(baton.newHost(name, rate), "boot-of-" + name, List.of(),
              reason -> shutOut(name, reason)));
      hosts.add(agent);
      places.put(agent.address().toString(), agent);
    }
    ProgramSpec program = new ProgramSpec("uniform", Map.of(), PageSize.bytesOf(PAGES), 1);
    this.spec = VmSpec.diskless(VM, "db", PageSize.bytesOf(PAGES), 1, program);
    baton.check(this::check);
    links.watch(this::sent);
  }

  private static void shutOut(String host, String reason) {
    throw new AssertionError("%s is shut out: %s".formatted(host, reason));
  }

  Outcome run() throws InterruptedException {
    coordinator.start();
    hosts.forEach(SimulatedAgent::start);
    operator.start("operator", this::operate);
    try {
      baton.run(TROUBLE.plus(GOOD_END));
    } finally {
      guests.forEach(SimulatedGuest::free);
    }
    if (outcome == null) {
      throw new AssertionError("the operator saw no end");
    }
    return outcome;
  }

  private void operate() {
    try {
      awaitHosts();
      createVm();
      operator.sleep(FIRST_STEPS);
      planTrouble();
      Migration end = move();
      outcome = awaitRest(end);
      baton.stop();
    } catch (InterruptedException e) {
      throw new IllegalStateException("nobody interrupts the operator", e);
    }
  }

  private void awaitHosts() throws InterruptedException {
    while (coordinator.get() == null || coordinator.services().inventory().list().stream()
        .filter(each -> each.isUp()).count() < hosts.size()) {
      operator.sleep(Duration.ofMillis(100));
    }
  }

  /** As if it had been created long ago. */
  private void createVm() throws InterruptedException {
    SimulatedAgent first = hosts.getFirst();
    VmRecord row = VmRecord.newBuilder().setSpec(spec.toMessage()).setPhase(VmRecord.Phase.ACTIVE)
        .setOwnerHost(first.host().name()).setOwnerIncarnation(first.incarnation()).setEpoch(1)
        .setStorageId(SimulatedAgent.STORAGE_ID).build();
    coordinator.process().start("create", () -> coordinator.services().ledger().add(row)).join(GOOD_END);
    first.boot(spec, new OwnershipEpoch(1));
  }

  /** What befalls links and the coordinator, and when it ends. */
  private void planTrouble() {
    if (random.nextInt(4) == 0) {
      operator.later(soon(), "a link breaks", links::cut);
    }
    if (random.nextInt(3) == 0) {
      links.cutOn(FATAL_MESSAGES.get(random.nextInt(FATAL_MESSAGES.size())), random.nextBoolean());
    }
    if (random.nextInt(4) == 0) {
      Duration down = upTo(6000);
      operator.later(soon(), "the coordinator dies", () -> {
        restarts++;
        coordinator.restartAfter(down);
      });
    }
    if (random.nextInt(5) == 0) {
      SimulatedAgent cutOff = hosts.get(random.nextInt(hosts.size()));
      Duration time = upTo(8000);
      operator.later(soon(), "a host is cut off", () -> network.cut(cutOff.host(), time));
    }
    if (random.nextInt(5) == 0) {
      SimulatedAgent frozen = hosts.get(random.nextInt(hosts.size()));
      Duration time = upTo(8000);
      operator.later(soon(), "a host freezes", () -> {
        frozen.host().freeze(true);
        operator.later(time, "it thaws", () -> frozen.host().freeze(false));
      });
    }
    if (random.nextInt(4) == 0) {
      Duration time = upTo(8000);
      operator.later(soon(), "links halt", () -> links.halt(time));
    }
    operator.later(TROUBLE, "all is well again", network::heal);
  }

  /** Half of the moves are over in a fraction of a second. */
  private Duration soon() {
    return upTo(random.nextBoolean() ? 300 : 4000);
  }

  private Duration upTo(int millis) {
    return Duration.ofMillis(1 + random.nextInt(millis));
  }

  /** Asks for the move, with the same request id until it is known what became of it. */
  private Migration move() throws InterruptedException {
    Optional<Migration> known = Optional.empty();
    while (known.isEmpty() || !MigrationSupervisor.isFinal(known.get())) {
      Optional<Migration> before = known;
      known = questions.ask(services -> before.isPresent()
          ? services.migrations().show(before.get().getId())
          : start(services)).or(() -> before);
      operator.sleep(Duration.ofMillis(200));
    }
    return known.get();
  }

  private Migration start(Services services) throws RequestException {
    String to = hosts.getLast().host().name();
    return kind == Kind.LIVE
        ? services.migrations().start(MigrateLiveRequest.newBuilder().setName("db").setTo(to).setRequestId("move-1")
            .setTimeoutMillis(30_000).build())
        : services.migrations().start(MigrateQuickRequest.newBuilder().setName("db").setTo(to).setRequestId("move-1")
            .setCodec(Codec.Name.NONE).setTimeoutMillis(30_000).build());
  }

  /** Once the trouble is over, everything comes to rest: one copy, which runs, and nothing pending. */
  private Outcome awaitRest(Migration end) throws InterruptedException {
    while (true) {
      operator.sleep(Duration.ofSeconds(1));
      Optional<Row> row = coordinator.get() == null ? Optional.empty() : coordinator.services().ledger().find(VM);
      if (baton.nanos() > TROUBLE.toNanos() && row.isPresent() && isAtRest(row.get().record())) {
        return new Outcome(baton.trace().hash(), baton.trace().count(), end, row.get().record(), stepsDone,
            network.counts(), links.cuts(), restarts);
      }
    }
  }

  private boolean isAtRest(VmRecord row) {
    List<SimulatedGuest> left = guests.stream().filter(each -> !each.isClosed()).toList();
    if (row.hasPending()) {
      return false;
    }
    if (row.getPhase() == VmRecord.Phase.SAVED) {
      // Its host was taken for lost when its state was whole on the storage: there it is, and nowhere else.
      return kind == Kind.QUICK && left.isEmpty();
    }
    if (left.size() != 1 || !left.getFirst().runs()) {
      return false;
    }
    SimulatedGuest guest = left.getFirst();
    Optional<Hosted> hosted = hosted(guest);
    if (hosted.isEmpty() || hosted.get().epoch().value() != row.getEpoch()
        || !guest.host().name().equals(row.getOwnerHost())) {
      return false;
    }
    ClusterRest.requireMemory(guest);
    return true;
  }

  private Optional<Hosted> hosted(SimulatedGuest guest) {
    return hosts.stream().filter(each -> each.host() == guest.host())
        .flatMap(each -> each.guests().find(VM).stream()).filter(each -> each.vm() == guest).findFirst();
  }

  @Override
  public void built(SimulatedGuest guest) {
    guests.add(guest);
  }

  /** Whoever is told that the state is whole may be the only one who knows: the row must have heard it before. */
  private void sent(MessageLite message) {
    boolean isNoted = !lastRow.hasPending() || lastRow.getPending().hasSavedState();
    if (message instanceof StateSaved && !isNoted) {
      violated = "the destination was told of a saved state that the row has not heard of";
    }
  }

  /** After every event. */
  private void check() {
    if (violated != null) {
      throw new AssertionError(violated);
    }
    SimulatedGuest running = null;
    for (SimulatedGuest each : guests) {
      if (each.runs()) {
        if (running != null) {
          throw new AssertionError("the VM runs on %s and %s at once".formatted(running.host().name(),
              each.host().name()));
        }
        running = each;
      }
    }
  }

  @Override
  public void steps(SimulatedGuest guest, long from, long to) {
    if (from != stepsDone) {
      throw new AssertionError("%s does step %d, and step %d was done".formatted(guest.host().name(), from,
          stepsDone - 1));
    }
    stepsDone = to;
    long epoch = hosted(guest).orElseThrow(
        () -> new AssertionError("the VM runs on %s, which does not have it".formatted(guest.host().name()))).epoch()
        .value();
    if (epoch < lastEpoch) {
      throw new AssertionError("the VM runs under epoch %d, and ran under %d".formatted(epoch, lastEpoch));
    }
    lastEpoch = epoch;
  }

  private void written(String key, byte[] value) {
    if (!key.equals("vms/" + VM)) {
      return;
    }
    try {
      lastRow = VmRecord.parseFrom(value);
      long epoch = lastRow.getEpoch();
      if (epoch < rowEpoch) {
        throw new AssertionError("the row goes from epoch %d to %d".formatted(rowEpoch, epoch));
      }
      rowEpoch = epoch;
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException(e);
    }
  }
}
