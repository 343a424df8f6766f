package dev.pageferry.agent.hosting;

import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.HostedGuests.Hosted;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Ticker;
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
 * on them any more, so they work by the coordinator's leave: its answers to heartbeats renew a lease, counted from before the heartbeat was
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
  private final ConcurrentMap<VmId, Bond> bound = new ConcurrentHashMap<>();
  /** Whose vCPUs are being stopped or let go. */
  private final Set<VmId> settling = ConcurrentHashMap.newKeySet();
  private @Nullable Task task;

  /** @param endNanos of the lease, on the boot clock */
  private record Bond(OwnershipEpoch epoch, long endNanos) {
  }

  /** @param bootClock runs on while the machine is suspended */
  public BoundGuests(HostedGuests guests, Scheduler scheduler, Ticker bootClock) {
    this.guests = guests;
    this.scheduler = scheduler;
    this.bootClock = bootClock;
  }

  /** Begins to stop those whose lease runs out. Once. */
  public void start() {
    // Not a virtual thread: storage that hangs holds the carriers of those.
    task = scheduler.startBlocking("bound-guests", this::watch);
  }

  /** Whether frames of a VM may go out, and reach it. */
  public boolean mayWork(VmId vm, OwnershipEpoch epoch) {
    Bond bond = bound.get(vm);
    return bond == null || !bond.epoch().equals(epoch) || bootClock.nanos() - bond.endNanos() < 0;
  }

  /** Those that are here and bound, with the epoch under which they are. */
  public Map<VmId, OwnershipEpoch> bound() {
    Map<VmId, OwnershipEpoch> here = new HashMap<>();
    bound.forEach((vm, bond) -> {
      if (isHere(vm, bond.epoch())) {
        here.put(vm, bond.epoch());
      } else {
        boolean _ = bound.remove(vm, bond);
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
  public void told(long sentNanos, Duration lease, Map<VmId, OwnershipEpoch> binds, Collection<VmId> frees) {
    binds.forEach((vm, epoch) -> {
      if (isHere(vm, epoch)) {
        Bond before = bound.put(vm, new Bond(epoch, sentNanos + lease.toNanos()));
        if (before == null || !before.epoch().equals(epoch)) {
          log.info("vm={} works by the coordinator's leave from now on", vm);
        }
      }
    });
    frees.forEach(vm -> {
      if (bound.remove(vm) != null) {
        log.info("vm={} works without the coordinator's leave again", vm);
      }
    });
  }

  private void watch() {
    try {
      while (true) {
        guests.list().stream().filter(each -> isStopped(each) != mustStop(each)).forEach(this::settle);
        scheduler.sleep(bound.isEmpty() ? WHILE_THERE_ARE_NONE : LOOK);
      }
    } catch (InterruptedException e) {
      // The agent is shutting down.
    }
  }

  private static boolean isStopped(Hosted guest) {
    return guest.vm().isPausedFor(PauseReason.LEASE);
  }

  private boolean mustStop(Hosted guest) {
    Bond bond = bound.get(guest.vm().spec().id());
    return bond != null && bond.epoch().equals(guest.epoch())
        && bootClock.nanos() + STOPPED_AHEAD.toNanos() - bond.endNanos() >= 0;
  }

  /** On a task of its own: one machine that does not answer keeps no other from stopping. */
  private void settle(Hosted guest) {
    VmId vm = guest.vm().spec().id();
    if (!settling.add(vm)) {
      return;
    }
    Task _ = scheduler.start("lease-of-" + guest.vm().spec().name(), () -> {
      try {
        if (mustStop(guest)) {
          log.warn("vm={} stops: the coordinator has not answered for too long, and may start it elsewhere", vm);
          guest.vm().pause(PauseReason.LEASE);
        } else {
          guest.vm().resume(PauseReason.LEASE);
          log.info("vm={} goes on: the coordinator answers again", vm);
        }
      } catch (InterruptedException e) {
        scheduler.current().interrupt();
      } finally {
        settling.remove(vm);
      }
    });
  }

  public void close() {
    Task running = task;
    if (running != null) {
      running.interrupt();
    }
  }
}
