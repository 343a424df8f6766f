package dev.pageferry.agent.hosting;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.HostedGuests.Hosted;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * VMs without disks that are to be started elsewhere once this host stops. No storage could tell others that this host has no effects
 * on them any more, so they work by a membership lease: the coordinator's answers to heartbeats renew it, counted from before the heartbeat was
 * sent, on a clock that runs through suspend. When it runs out their vCPUs stop, and their network cards are silent, until it is renewed.
 *
 * <p>A VM that is bound stays so until it leaves, its epoch ends or the coordinator frees it by name: once this host has said that it is
 * bound, the coordinator counts on it.
 */
public final class BoundGuests {
  private static final Logger log = LoggerFactory.getLogger(BoundGuests.class);
  private static final Duration LOOK = Duration.ofMillis(50);
  private static final Duration WHILE_THERE_ARE_NONE = Duration.ofSeconds(1);
  /** vCPUs take a moment to stop; network cards need none. */
  private static final Duration STOPPED_AHEAD = Duration.ofMillis(500);

  private final HostedGuests guests;
  private final Scheduler scheduler;
  private final Ticker bootClock;
  private final ConcurrentMap<VmId, Lease> bound = new ConcurrentHashMap<>();
  /** Guests whose vCPUs were stopped by this. */
  private final Set<Guest> stopped = ConcurrentHashMap.newKeySet();
  /** Guests whose vCPUs are being stopped or let go. */
  private final Set<Guest> settling = ConcurrentHashMap.newKeySet();
  private @Nullable Task task;

  /**
   * A VM that is bound.
   *
   * @param token by which the coordinator knows what it is bound for
   */
  public record Binding(OwnershipEpoch epoch, long token) {
  }

  /** @param endNanos of the lease, on the boot clock */
  private record Lease(Binding binding, long endNanos) {
  }

  /**
   * A VM that is bound, as this host tells of it.
   *
   * @param hasRunOut whether its lease has run out, so that it is stopped
   */
  public record Told(Binding binding, boolean hasRunOut) {
  }

  /** @param bootClock runs on while the machine is suspended */
  public BoundGuests(HostedGuests guests, Scheduler scheduler, Ticker bootClock) {
    this.guests = guests;
    this.scheduler = scheduler;
    this.bootClock = bootClock;
  }

  /** Begins to stop those whose lease runs out, and to keep their cards from working. Once. */
  public void start() {
    guests.connectedWhile(this::mayWork);
    // Not a virtual thread: storage that hangs holds the carriers of those.
    task = scheduler.startBlocking("bound-guests", this::watch);
  }

  /** Whether frames of a VM may go out, and reach it. */
  public boolean mayWork(VmId vm, OwnershipEpoch epoch) {
    Lease lease = bound.get(vm);
    return lease == null || !lease.binding().epoch().equals(epoch) || bootClock.nanos() - lease.endNanos() < 0;
  }

  /** Those that are here and bound. */
  public Map<VmId, Told> bound() {
    Map<VmId, Told> here = new HashMap<>();
    bound.forEach((vm, lease) -> {
      OwnershipEpoch epoch = lease.binding().epoch();
      if (isHere(vm, epoch)) {
        here.put(vm, new Told(lease.binding(), !mayWork(vm, epoch)));
      } else {
        boolean _ = bound.remove(vm, lease);
      }
    });
    return here;
  }

  private boolean isHere(VmId vm, OwnershipEpoch epoch) {
    return guests.find(vm).filter(each -> each.epoch().equals(epoch)).isPresent();
  }

  /**
   * What the coordinator answered to a heartbeat.
   *
   * @param sentNanos on the boot clock, before that was sent
   * @param binds whose lease is renewed, and theirs alone: of one that is not named the coordinator may think that it is another host's
   */
  public void told(long sentNanos, Duration lease, Map<VmId, Binding> binds, Collection<VmId> frees) {
    binds.forEach((vm, binding) -> {
      if (isHere(vm, binding.epoch())) {
        Lease before = bound.put(vm, new Lease(binding, sentNanos + lease.toNanos()));
        if (before == null || !before.binding().equals(binding)) {
          log.info("vm={} is bound to the membership lease", vm);
        }
      }
    });
    frees.forEach(vm -> {
      if (bound.remove(vm) != null) {
        log.info("vm={} is not bound to the membership lease any more", vm);
      }
    });
  }

  private void watch() {
    try {
      while (true) {
        try {
          look();
        } catch (RuntimeException | Error e) {
          // Cards are silent all the same; but without this loop nothing that was stopped would go on.
          log.error("guests that are bound to the membership lease are not looked at just now", e);
        }
        scheduler.sleep(bound.isEmpty() && stopped.isEmpty() ? WHILE_THERE_ARE_NONE : LOOK);
      }
    } catch (InterruptedException e) {
      // The agent is shutting down.
    }
  }

  /** Asks no guest anything: one that waits for its disks would not answer. */
  private void look() {
    for (Hosted each : guests.list()) {
      if (mustStop(each) != stopped.contains(each.vm())) {
        settle(each);
      }
    }
    stopped.removeIf(each -> !guests.has(each));
  }

  private boolean mustStop(Hosted guest) {
    Lease lease = bound.get(guest.vm().spec().id());
    return lease != null && lease.binding().epoch().equals(guest.epoch())
        && bootClock.nanos() + STOPPED_AHEAD.toNanos() - lease.endNanos() >= 0;
  }

  /** On a task of its own: one machine that does not answer keeps no other from stopping. */
  private void settle(Hosted guest) {
    if (!settling.add(guest.vm())) {
      return;
    }
    boolean isStarted = false;
    try {
      Task _ = scheduler.start("lease-of-" + guest.vm().spec().name(), () -> {
        try {
          stopOrLetGo(guest);
        } finally {
          settling.remove(guest.vm());
        }
      });
      isStarted = true;
    } finally {
      if (!isStarted) {
        settling.remove(guest.vm());
      }
    }
  }

  private void stopOrLetGo(Hosted guest) {
    String name = guest.vm().spec().name();
    try {
      if (mustStop(guest)) {
        // One that does not stop in time runs on, is not heard by anybody, and is asked again.
        guest.vm().pauseOrRunOn(PauseReason.MEMBERSHIP_LEASE);
        stopped.add(guest.vm());
        log.warn(
            "vm={} is stopped: its membership lease runs out, since the coordinator does not answer; it may be started elsewhere",
            name);
      } else {
        guest.vm().resume(PauseReason.MEMBERSHIP_LEASE);
        stopped.remove(guest.vm());
        log.info("vm={} goes on: its membership lease is renewed", name);
      }
    } catch (IOException e) {
      log.warn("vm={} does not stop, and is not heard by anybody: {}", name, e.getMessage());
    } catch (InterruptedException e) {
      scheduler.current().interrupt();
    }
  }

  public void close() {
    Task running = task;
    if (running != null) {
      running.interrupt();
    }
  }
}
