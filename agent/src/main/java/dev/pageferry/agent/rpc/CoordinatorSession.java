package dev.pageferry.agent.rpc;

import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.migration.HostLease;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.source.OutgoingMigrations;
import dev.pageferry.agent.network.TunnelEnd;
import dev.pageferry.agent.ownership.CoordinatorsWord;
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
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Registers this host with the coordinator and stays known: a heartbeat a second, and the lease that answers bring. */
public final class CoordinatorSession implements HostLease, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(CoordinatorSession.class);
  private static final long RETRY_MILLIS = 500;
  /** Longer than two calls that are not answered, shorter than any lease. */
  private static final Duration ATTENTION = Duration.ofSeconds(6);
  /** Longer than a coordinator waits for the life before of a host that has moved to another address. */
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private final RegistryClient registry;
  private final RegisterRequest self;
  private final LongSupplier memoryFreeBytes;
  private final HostedGuests guests;
  private final OutgoingMigrations outgoing;
  private final IncomingMigrations incoming;
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
  /** On CLOCK_BOOTTIME; 0: not refused. */
  private long firstRefusalNanos;
  private volatile boolean registered;
  /** When the coordinator was asked last, and took this host for a host or did not answer; on CLOCK_BOOTTIME, nanoseconds. */
  private volatile long askedNanos;
  /** On CLOCK_BOOTTIME, nanoseconds. */
  private volatile long leaseEndNanos;

  /**
   * @param network is told the other ends of VXLAN tunnels
   * @param bootClock runs on while the machine is suspended
   * @param shutOut told the reason when this process can be no host of the cluster any more
   */
  public CoordinatorSession(RegistryClient registry, RegisterRequest self, LongSupplier memoryFreeBytes,
      HostedGuests guests, OutgoingMigrations outgoing, IncomingMigrations incoming,
      Consumer<List<TunnelEnd>> network, Scheduler scheduler, Ticker bootClock, Consumer<String> shutOut) {
    this.registry = registry;
    this.scheduler = scheduler;
    this.bootClock = bootClock;
    this.renewed = scheduler.newSignal();
    this.askedNanos = bootClock.nanos();
    this.leaseEndNanos = askedNanos;
    this.incoming = incoming;
    this.self = self;
    this.memoryFreeBytes = memoryFreeBytes;
    this.guests = guests;
    this.outgoing = outgoing;
    this.network = network;
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
   * long has not, and may have been replaced meanwhile: its VMs must not be heard before it knows.
   */
  public boolean isAttentive() {
    return bootClock.nanos() - askedNanos < ATTENTION.toNanos();
  }

  @Override
  public void awaitLive() throws InterruptedException {
    while (!renewed.await(() -> bootClock.nanos() < leaseEndNanos, Duration.ofMillis(intervalMillis))) {
      // The clock may jump over the lease's end while this thread sleeps, so look again now and then.
      continue;
    }
  }

  private void run() {
    try {
      while (true) {
        beat();
        // A host that is not known may have been replaced: it is heard again when that is clear.
        if (registered || !reachable) {
          askedNanos = bootClock.nanos();
        }
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
      }
      if (!reachable) {
        reachable = true;
        log.info("the coordinator answers again");
      }
    } catch (NoAnswerException e) {
      if (reachable) {
        reachable = false;
        log.warn("the coordinator does not answer: {}", String.valueOf(e.getMessage()));
      }
    } catch (RuntimeException e) {
      log.error("a heartbeat failed", e);
    }
  }

  private void register() throws NoAnswerException {
    long sent = bootClock.nanos();
    RegisterResponse response = registry
        .register(self.toBuilder().setMemoryFreeBytes(memoryFreeBytes.getAsLong()).build());
    intervalMillis = Math.max(50, response.getHeartbeatIntervalMillis());
    if (response.getRefusal() != RegisterResponse.Refusal.NONE) {
      refused(response);
      return;
    }
    firstRefusalNanos = 0;
    wasRegistered = true;
    renew(sent, response.getLeaseMillis());
    registered = true;
    log.info("registered with the coordinator as host={} incarnation={}", self.getHostId(), self.getIncarnation());
  }

  /**
   * A host that was taken in once and is refused now has been replaced while it was silent: its VMs are down by the
   * coordinator's word and may run elsewhere, so that nothing may go on here. One that was never taken in asks again for a
   * while, in case it is the restart of the one whose name it has.
   */
  private void refused(RegisterResponse response) {
    long now = bootClock.nanos();
    if (firstRefusalNanos == 0) {
      firstRefusalNanos = now;
      log.warn("the coordinator does not take this host in: {}", response.getReason());
    }
    boolean gaveUp = now - firstRefusalNanos > PATIENCE.toNanos();
    if (wasRegistered || gaveUp || response.getRefusal() == RegisterResponse.Refusal.SUPERSEDED) {
      shutOut.accept(response.getReason());
    }
  }

  private void heartbeat() throws NoAnswerException {
    HeartbeatRequest.Builder request = HeartbeatRequest.newBuilder().setHostId(self.getHostId())
        .setIncarnation(self.getIncarnation())
        .setMemoryFreeBytes(memoryFreeBytes.getAsLong()).setNetworkVersion(networkVersion);
    guests.list().forEach(each -> {
      // Reading the rate now and then keeps its window recent.
      each.vm().stepsPerSecond();
      request.addVms(StatusMessages.status(each));
    });
    incoming.doubts().forEach(each -> request.addInDoubt(VmInDoubt.newBuilder().setVmId(each.vm().value())
        .setMigrationId(each.migration().value()).setEpoch(each.epoch().value()).setReason(each.reason())));
    long sent = bootClock.nanos();
    HeartbeatResponse response = registry.heartbeat(request.build());
    if (response.getUnknown()) {
      registered = false;
      return;
    }
    renew(sent, response.getLeaseMillis());
    response.getStaleVmsList().forEach(this::drop);
    if (response.hasNetwork() && resolving.compareAndSet(false, true)) {
      // Looking names up may take long, and others wait for the next heartbeat.
      Task unused = scheduler.start("network-members", () -> tell(response.getNetwork()));
    }
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
    leaseEndNanos = sentNanos + TimeUnit.MILLISECONDS.toNanos(leaseMillis);
    renewed.raise();
  }

  /** The VM belongs to another host, or to nobody. */
  private void drop(StaleVm stale) {
    VmId id = new VmId(stale.getId());
    CoordinatorsWord word = CoordinatorsWord.epochIsOver(new OwnershipEpoch(stale.getEpoch()),
        stale.getRunsElsewhere());
    outgoing.ofVm(id).ifPresentOrElse(migration -> migration.release(word), () -> {
      // Closing its disks may take long, and others wait for the next heartbeat.
      Task unused = scheduler.start("drop-" + id, () -> {
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
