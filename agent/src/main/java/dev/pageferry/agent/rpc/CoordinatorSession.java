package dev.pageferry.agent.rpc;

import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.hosting.BoundGuests;
import dev.pageferry.agent.migration.ActivationLease;
import dev.pageferry.agent.migration.source.OutgoingMigrations;
import dev.pageferry.agent.network.TunnelEnd;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.agent.ownership.OpenDialogues;
import dev.pageferry.agent.rpc.RegistryClient.NoAnswerException;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.NetworkDirectory;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import dev.pageferry.proto.registry.v1.StaleVm;
import dev.pageferry.proto.registry.v1.VmInDoubt;
import dev.pageferry.proto.registry.v1.VmUnderEpoch;
import java.time.Duration;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Registers this host with the coordinator and stays known: a heartbeat a second, and the lease that answers bring. */
public final class CoordinatorSession implements ActivationLease, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(CoordinatorSession.class);
  private static final long RETRY_MILLIS = 500;
  /** As long as another agent has the name and is heard: it may be the one before, which the coordinator still hears ending. */
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private final RegistryClient registry;
  private final RegisterRequest self;
  private final LongSupplier memoryFreeBytes;
  private final HostedGuests guests;
  private final OutgoingMigrations outgoing;
  private final OpenDialogues dialogues;
  private final BoundGuests bound;
  private final Supplier<Set<VmId>> coming;
  private final Consumer<List<TunnelEnd>> network;
  private final Consumer<String> shutOut;
  private final Scheduler scheduler;
  private final Ticker bootClock;
  private final Signal renewed;
  private volatile @Nullable Task task;
  private volatile long intervalMillis = RETRY_MILLIS;
  private boolean reachable = true;
  private boolean wasRegistered;
  /** Of the tunnel ends that the network was told. */
  private volatile long networkVersion;
  private final AtomicBoolean resolving = new AtomicBoolean();
  /** Of this kind in a row, on the boot clock. */
  private long firstRefusalNanos;
  private RegisterResponse.Refusal lastRefusal = RegisterResponse.Refusal.NONE;
  /** When the last call was sent, on the boot clock. */
  private long sentNanos;
  private volatile boolean registered;
  private final Attention attention;
  /** On the boot clock, nanoseconds. */
  private volatile long leaseEndNanos;
  /** When the call was sent that renewed the lease last, on the boot clock. */
  private volatile OptionalLong renewedNanos = OptionalLong.empty();

  /**
   * @param dialogues what is in doubt on this host, told by each heartbeat
   * @param bound those that work by the membership lease
   * @param coming VMs that are being received, restored or built here, until they are among the guests
   * @param network is told the other ends of VXLAN tunnels
   * @param bootClock runs on while the machine is suspended
   * @param shutOut told the reason when this process can be no host of the cluster any more
   */
  public CoordinatorSession(RegistryClient registry, RegisterRequest self, LongSupplier memoryFreeBytes,
      HostedGuests guests, OutgoingMigrations outgoing, OpenDialogues dialogues, BoundGuests bound,
      Supplier<Set<VmId>> coming, Consumer<List<TunnelEnd>> network, Scheduler scheduler, Ticker bootClock,
      Consumer<String> shutOut) {
    this.registry = registry;
    this.scheduler = scheduler;
    this.renewed = scheduler.newSignal();
    this.leaseEndNanos = bootClock.nanos();
    this.dialogues = dialogues;
    this.bound = bound;
    this.self = self;
    this.memoryFreeBytes = memoryFreeBytes;
    this.guests = guests;
    this.outgoing = outgoing;
    this.coming = coming;
    this.network = network;
    this.bootClock = bootClock;
    this.attention = new Attention(bootClock);
    this.shutOut = shutOut;
  }

  /** Begins to register, and to beat once that worked. */
  public void start() {
    // Not a virtual thread: storage that hangs holds the carriers of those, and this host lives all the same.
    task = scheduler.startBlocking("heartbeat", this::run);
  }

  /** Whether the coordinator knows this incarnation. */
  public boolean isRegistered() {
    return registered;
  }

  /**
   * Whether this host has asked the coordinator lately, and was not told that it is none. One that was frozen or suspended for
   * long has not, and may have been replaced meanwhile: its VMs must not be heard before it knows. See {@link Attention}.
   */
  public boolean isAttentive() {
    return attention.holds();
  }

  /** How long ago the call was sent whose answer renewed the lease last; NaN: none has yet. */
  public double leaseAgeSeconds() {
    OptionalLong sent = renewedNanos;
    return sent.isPresent() ? (bootClock.nanos() - sent.getAsLong()) / 1e9 : Double.NaN;
  }

  @Override
  public void awaitLive() throws InterruptedException {
    while (!renewed.await(() -> bootClock.nanos() < leaseEndNanos, Duration.ofMillis(intervalMillis))) {
      // The clock may jump over the lease's end while this thread sleeps, so check again now and then.
      continue;
    }
  }

  private void run() {
    try {
      while (true) {
        beat();
        scheduler.sleep(Duration.ofMillis(intervalMillis));
      }
    } catch (InterruptedException e) {
      // The agent is shutting down.
    }
  }

  private void beat() {
    try {
      if (!registered) {
        register();
      } else {
        heartbeat();
        if (!registered) {
          // Not known any more: its VMs are not heard before that is clear, so it is asked at once.
          register();
        }
      }
      if (!reachable) {
        reachable = true;
        log.info("the coordinator answers again");
      }
    } catch (NoAnswerException e) {
      attention.unanswered(sentNanos);
      if (reachable) {
        reachable = false;
        log.warn("the coordinator does not answer: {}", String.valueOf(e.getMessage()));
      }
    } catch (RuntimeException | Error e) {
      // A heap that is full for a moment is not to silence this host for good.
      log.error("a heartbeat failed", e);
    }
  }

  /** Read before a call is sent: what its answer permits counts from here, wherever this thread is frozen meanwhile. */
  private long sends() {
    sentNanos = bootClock.nanos();
    return sentNanos;
  }

  private void register() throws NoAnswerException {
    long sent = sends();
    RegisterResponse response = registry
        .register(self.toBuilder().setMemoryFreeBytes(memoryFreeBytes.getAsLong()).build());
    intervalMillis = Math.max(50, response.getHeartbeatIntervalMillis());
    if (response.getRefusal() != RegisterResponse.Refusal.NONE) {
      attention.denied();
      refused(response);
      return;
    }
    lastRefusal = RegisterResponse.Refusal.NONE;
    attention.answered(sent);
    wasRegistered = true;
    renew(sent, response.getLeaseMillis());
    registered = true;
    log.info("registered with the coordinator as host={} incarnation={}", self.getHostId(), self.getIncarnation());
  }

  /**
   * A host that was superseded has been replaced while it was silent: its VMs are down by the coordinator's word and may run
   * elsewhere, so that nothing may go on here. Any other refusal of a host that was taken in once says nothing of its guests
   * (the coordinator's records may be older than this host): it goes on asking, unheard. One that was never taken in asks as
   * long as it is told to wait; where another agent has its name and lives, for a while, in case that is the one whose restart
   * it is.
   */
  private void refused(RegisterResponse response) {
    long now = bootClock.nanos();
    RegisterResponse.Refusal refusal = response.getRefusal();
    if (refusal != lastRefusal) {
      // Patience is for one kind of refusal: a host that has waited long for another reason has all of it.
      firstRefusalNanos = now;
      lastRefusal = refusal;
      log.warn("the coordinator does not take this host in: {}", response.getReason());
    }
    boolean gaveUp = !wasRegistered && now - firstRefusalNanos > PATIENCE.toNanos();
    boolean isOver = switch (refusal) {
      case SUPERSEDED -> true;
      case WAIT, NONE -> false;
      // A later version's, too.
      case TAKEN, UNRECOGNIZED -> gaveUp;
    };
    if (isOver) {
      shutOut.accept(response.getReason());
    }
  }

  private void heartbeat() throws NoAnswerException {
    HeartbeatRequest.Builder request = HeartbeatRequest.newBuilder().setHostId(self.getHostId())
        .setIncarnation(self.getIncarnation())
        .setMemoryFreeBytes(memoryFreeBytes.getAsLong()).setNetworkVersion(networkVersion);
    // Ahead of the guests: what comes to be one meanwhile is told twice, rather than not at all.
    coming.get().forEach(each -> request.addComingVms(each.value()));
    dialogues.doubts().forEach(each -> request.addInDoubt(VmInDoubt.newBuilder().setVmId(each.vm().value())
        .setMigrationId(each.operation().value()).setEpoch(each.epoch().value()).setReason(each.reason())));
    guests.list().forEach(each -> {
      // Reading the rate now and then keeps its window recent.
      OptionalDouble _ = Replayable.stepsPerSecondOf(each.vm());
      request.addVms(StatusMessages.status(each));
    });
    bound.bound().forEach((vm, told) -> request.addBoundVms(VmUnderEpoch.newBuilder().setId(vm.value())
        .setEpoch(told.binding().epoch().value()).setToken(told.binding().token()).setRunOut(told.hasRunOut())));
    long sent = sends();
    HeartbeatResponse response = registry.heartbeat(request.build());
    if (response.getUnknown()) {
      attention.denied();
      registered = false;
      return;
    }
    attention.answered(sent);
    // Ahead of the lease: who waits for that is not to run what the same answer calls stale.
    response.getStaleVmsList().forEach(this::drop);
    renewBound(sent, response);
    renew(sent, response.getLeaseMillis());
    if (response.hasNetwork() && resolving.compareAndSet(false, true)) {
      // Looking names up may take long, and others wait for the next heartbeat.
      Task _ = scheduler.start("network-members", () -> tell(response.getNetwork()));
    }
  }

  private void renewBound(long sent, HeartbeatResponse response) {
    bound.told(sent, Duration.ofMillis(response.getMembershipMillis()), response.getBindVmsList().stream().collect(
        Collectors.toMap(each -> new VmId(each.getId()),
            each -> new BoundGuests.Binding(new OwnershipEpoch(each.getEpoch()), each.getToken()), (a, _) -> a)),
        response.getFreeVmsList().stream().map(VmId::new).toList());
  }

  private void tell(NetworkDirectory directory) {
    try {
      List<TunnelEnd> ends = NetworkMessages.tunnelEnds(directory);
      network.accept(ends);
      if (ends.size() == directory.getEndsCount()) {
        networkVersion = directory.getVersion();
      }
    } finally {
      resolving.set(false);
    }
  }

  private void renew(long sentNanos, long leaseMillis) {
    renewedNanos = OptionalLong.of(sentNanos);
    leaseEndNanos = sentNanos + TimeUnit.MILLISECONDS.toNanos(leaseMillis);
    renewed.raise();
  }

  /** The VM belongs to another host, or to nobody. */
  private void drop(StaleVm stale) {
    VmId id = new VmId(stale.getId());
    CoordinatorsWord word = CoordinatorsWord.epochIsOver(new OwnershipEpoch(stale.getEpoch()),
        stale.getRunsElsewhere());
    dialogues.hear(id, word);
    outgoing.ofVm(id).ifPresentOrElse(migration -> migration.release(word), () -> {
      // Closing its disks may take long, and others wait for the next heartbeat.
      Task _ = scheduler.start("drop-" + id, () -> {
        if (guests.destroy(id, word)) {
          log.warn("vm={} destroyed: its epoch {} is over", id, stale.getEpoch());
        }
      });
    });
  }

  @Override
  public void close() {
    Task running = task;
    if (running != null) {
      running.interrupt();
    }
  }
}
