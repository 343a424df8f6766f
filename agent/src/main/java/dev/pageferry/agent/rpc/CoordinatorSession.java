package dev.pageferry.agent.rpc;

import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.migration.HostLease;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.source.OutgoingMigrations;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.agent.network.TunnelEnd;
import dev.pageferry.agent.os.Linux;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.NetworkDirectory;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import dev.pageferry.proto.registry.v1.StaleVm;
import dev.pageferry.proto.registry.v1.VmInDoubt;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Registers this host with the coordinator and stays known: a heartbeat a second, and the lease that answers bring. */
public final class CoordinatorSession implements HostLease, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(CoordinatorSession.class);
  private static final long CALL_SECONDS = 2;
  private static final long RETRY_MILLIS = 500;
  /** Longer than two calls that are not answered, shorter than any lease. */
  private static final Duration ATTENTION = Duration.ofSeconds(6);
  /** Longer than a coordinator waits for the life before of a host that has moved to another address. */
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private final ManagedChannel channel;
  private final HostRegistryGrpc.HostRegistryBlockingStub stub;
  private final RegisterRequest self;
  private final HostMemory memory;
  private final HostedGuests guests;
  private final OutgoingMigrations outgoing;
  private final IncomingMigrations incoming;
  private final HostNetwork network;
  private final Consumer<String> shutOut;
  private final Thread thread;
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
  private volatile long askedNanos = Linux.bootTimeNanos();
  /** On CLOCK_BOOTTIME, nanoseconds; guarded by this. */
  private long leaseEndNanos;

  /** @param shutOut told the reason when this process can be no host of the cluster any more */
  CoordinatorSession(ManagedChannel channel, RecordsMemory records, RegisterRequest self, HostMemory memory,
      HostedGuests guests, OutgoingMigrations outgoing, IncomingMigrations incoming, HostNetwork network,
      Consumer<String> shutOut) {
    this.channel = channel;
    this.stub = HostRegistryGrpc.newBlockingStub(channel).withInterceptors(records);
    this.incoming = incoming;
    this.self = self;
    this.memory = memory;
    this.guests = guests;
    this.outgoing = outgoing;
    this.network = network;
    this.shutOut = shutOut;
    // A platform thread: storage that hangs holds the carriers of virtual ones, and this host lives all the same.
    this.thread = Thread.ofPlatform().daemon().name("heartbeat").unstarted(this::run);
  }

  /** Begins to register, and to beat once that worked. */
  public void start() {
    thread.start();
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
    return Linux.bootTimeNanos() - askedNanos < ATTENTION.toNanos();
  }

  @Override
  public synchronized void awaitLive() throws InterruptedException {
    while (Linux.bootTimeNanos() >= leaseEndNanos) {
      // The clock may jump over the lease's end while this thread sleeps, so look again now and then.
      wait(intervalMillis);
    }
  }

  private void run() {
    try {
      while (!Thread.interrupted()) {
        beat();
        // A host that is not known may have been replaced: it is heard again when that is clear.
        if (registered || !reachable) {
          askedNanos = Linux.bootTimeNanos();
        }
        Thread.sleep(intervalMillis);
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
    } catch (StatusRuntimeException e) {
      channel.resetConnectBackoff();
      if (reachable) {
        reachable = false;
        log.warn("the coordinator does not answer: {} {}", e.getStatus().getCode(),
            String.valueOf(e.getStatus().getDescription()));
      }
    } catch (RuntimeException e) {
      log.error("a heartbeat failed", e);
    }
  }

  private void register() {
    long sent = Linux.bootTimeNanos();
    RegisterResponse response = stub.withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS)
        .register(self.toBuilder().setMemoryFreeBytes(memory.freeBytes()).build());
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
    long now = Linux.bootTimeNanos();
    if (firstRefusalNanos == 0) {
      firstRefusalNanos = now;
      log.warn("the coordinator does not take this host in: {}", response.getReason());
    }
    boolean gaveUp = now - firstRefusalNanos > PATIENCE.toNanos();
    if (wasRegistered || gaveUp || response.getRefusal() == RegisterResponse.Refusal.SUPERSEDED) {
      shutOut.accept(response.getReason());
    }
  }

  private void heartbeat() {
    HeartbeatRequest.Builder request = HeartbeatRequest.newBuilder().setHostId(self.getHostId())
        .setIncarnation(self.getIncarnation())
        .setMemoryFreeBytes(memory.freeBytes()).setNetworkVersion(networkVersion);
    guests.list().forEach(each -> {
      // Reading the rate now and then keeps its window recent.
      each.vm().stepsPerSecond();
      request.addVms(StatusMessages.status(each));
    });
    incoming.doubts().forEach(each -> request.addInDoubt(VmInDoubt.newBuilder().setVmId(each.vm().value())
        .setMigrationId(each.migration().value()).setEpoch(each.epoch().value()).setReason(each.reason())));
    long sent = Linux.bootTimeNanos();
    HeartbeatResponse response = stub.withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS).heartbeat(request.build());
    if (response.getUnknown()) {
      registered = false;
      return;
    }
    renew(sent, response.getLeaseMillis());
    response.getStaleVmsList().forEach(this::drop);
    if (response.hasNetwork() && resolving.compareAndSet(false, true)) {
      // Looking names up may take long, and others wait for the next heartbeat.
      Thread.ofVirtual().name("network-members").start(() -> tell(response.getNetwork()));
    }
  }

  private void tell(NetworkDirectory directory) {
    try {
      List<TunnelEnd> ends = NetworkMessages.tunnelEnds(directory);
      network.tell(ends);
      if (ends.size() == directory.getEndsCount()) {
        networkVersion = directory.getVersion();
      }
    } finally {
      resolving.set(false);
    }
  }

  private synchronized void renew(long sentNanos, long leaseMillis) {
    leaseEndNanos = sentNanos + TimeUnit.MILLISECONDS.toNanos(leaseMillis);
    notifyAll();
  }

  /** The VM belongs to another host, or to nobody. */
  private void drop(StaleVm stale) {
    VmId id = new VmId(stale.getId());
    CoordinatorsWord word = CoordinatorsWord.epochIsOver(new OwnershipEpoch(stale.getEpoch()),
        stale.getRunsElsewhere());
    outgoing.ofVm(id).ifPresentOrElse(migration -> migration.release(word), () -> {
      // Closing its disks may take long, and others wait for the next heartbeat.
      Thread.ofVirtual().name("drop-" + id).start(() -> {
        if (guests.destroy(id, word)) {
          log.warn("vm={} destroyed: its epoch {} is over", id, stale.getEpoch());
        }
      });
    });
  }

  @Override
  public void close() {
    thread.interrupt();
  }
}
