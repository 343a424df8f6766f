package dev.pageferry.agent.rpc;

import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.migration.HostLease;
import dev.pageferry.agent.migration.source.OutgoingMigrations;
import dev.pageferry.agent.os.Linux;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import dev.pageferry.proto.registry.v1.StaleVm;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Registers this host with the coordinator and stays known: a heartbeat a second, and the lease that answers bring. */
public final class CoordinatorSession implements HostLease, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(CoordinatorSession.class);
  private static final long CALL_SECONDS = 2;
  private static final long RETRY_MILLIS = 500;

  private final ManagedChannel channel;
  private final HostRegistryGrpc.HostRegistryBlockingStub stub;
  /** Only the heartbeat's thread changes it, to a new incarnation. */
  private volatile RegisterRequest self;
  private final HostMemory memory;
  private final HostedGuests guests;
  private final OutgoingMigrations outgoing;
  private final Thread thread;
  private volatile long intervalMillis = RETRY_MILLIS;
  private boolean reachable = true;
  private RegisterResponse.Refusal lastRefusal = RegisterResponse.Refusal.NONE;
  private volatile boolean registered;
  /** On CLOCK_BOOTTIME, nanoseconds; guarded by this. */
  private long leaseEndNanos;

  CoordinatorSession(ManagedChannel channel, RegisterRequest self, HostMemory memory, HostedGuests guests,
      OutgoingMigrations outgoing) {
    this.channel = channel;
    this.stub = HostRegistryGrpc.newBlockingStub(channel);
    this.self = self;
    this.memory = memory;
    this.guests = guests;
    this.outgoing = outgoing;
    this.thread = Thread.ofVirtual().name("heartbeat").unstarted(this::run);
  }

  /** Begins to register, and to beat once that worked. */
  public void start() {
    thread.start();
  }

  /** Whether the coordinator knows this incarnation. */
  public boolean isRegistered() {
    return registered;
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
    lastRefusal = RegisterResponse.Refusal.NONE;
    renew(sent, response.getLeaseMillis());
    registered = true;
    log.info("registered with the coordinator as host={} incarnation={}", self.getHostId(), self.getIncarnation());
  }

  private void refused(RegisterResponse response) {
    if (response.getRefusal() != lastRefusal) {
      log.error("the coordinator does not take this host in: {}", response.getReason());
      lastRefusal = response.getRefusal();
    }
    if (response.getRefusal() == RegisterResponse.Refusal.SUPERSEDED) {
      // The guests of this life are down by the coordinator's word, and may be started elsewhere at any moment.
      List<HostedGuests.Hosted> down = guests.list();
      guests.close();
      down.forEach(each -> log.error("vm={} destroyed: this host was replaced while it was silent",
          each.vm().spec().name()));
      self = self.toBuilder().setIncarnation(UUID.randomUUID().toString()).build();
    }
  }

  private void heartbeat() {
    HeartbeatRequest.Builder request = HeartbeatRequest.newBuilder().setHostId(self.getHostId())
        .setIncarnation(self.getIncarnation())
        .setMemoryFreeBytes(memory.freeBytes());
    guests.list().forEach(each -> {
      // Reading the rate now and then keeps its window recent.
      each.vm().stepsPerSecond();
      request.addVms(StatusMessages.status(each));
    });
    long sent = Linux.bootTimeNanos();
    HeartbeatResponse response = stub.withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS).heartbeat(request.build());
    if (response.getUnknown()) {
      registered = false;
      return;
    }
    renew(sent, response.getLeaseMillis());
    response.getStaleVmsList().forEach(this::drop);
  }

  private synchronized void renew(long sentNanos, long leaseMillis) {
    leaseEndNanos = sentNanos + TimeUnit.MILLISECONDS.toNanos(leaseMillis);
    notifyAll();
  }

  /** The VM belongs to another host, or to nobody. */
  private void drop(StaleVm stale) {
    VmId id = new VmId(stale.getId());
    OwnershipEpoch over = new OwnershipEpoch(stale.getEpoch());
    outgoing.ofVm(id).ifPresentOrElse(migration -> migration.release(over), () -> {
      if (guests.destroy(id, over)) {
        log.warn("vm={} destroyed: its epoch {} is over", id, stale.getEpoch());
      }
    });
  }

  @Override
  public void close() {
    thread.interrupt();
  }
}
