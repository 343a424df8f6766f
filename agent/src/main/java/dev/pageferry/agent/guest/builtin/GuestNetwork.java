package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.guest.NetworkArrival;
import dev.pageferry.agent.guest.RunPermit;
import dev.pageferry.agent.memory.DirtyLog;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.agent.network.SwitchPort;
import dev.pageferry.agent.service.DamagedException;
import dev.pageferry.agent.service.DeviceMemory;
import dev.pageferry.agent.service.GuestServices;
import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A VM's network cards: a thread that takes frames from their ports and sends what the guest answers. It pauses while the VM
 * is paused, and works only while this host may run the VM; frames wait in their ports meanwhile.
 */
final class GuestNetwork {
  /** Frames of one card that are taken before the pause is looked at, and the next card. */
  private static final int FRAMES_AT_ONCE = 16;
  private static final long IDLE_NANOS = 500_000_000;
  /** Longer than a busy loop takes; a longer wait would be felt as an outage. */
  private static final Duration LONGEST_HANDOVER = Duration.ofMillis(100);
  private static final long PERMISSION_POLL_NANOS = 5_000_000;
  private static final Logger log = LoggerFactory.getLogger(GuestNetwork.class);

  private final HostNetwork network;
  private final List<SwitchPort> ports;
  private final GuestServices services;
  private final RunPermit permit;
  private final Ticker ticker;
  private final Gate gate = new Gate();
  private final Thread thread;
  /** On the ticker; 0: none yet. */
  private volatile long firstFrameNanos;
  /** Of the card's thread. */
  private boolean inTrouble;
  private volatile long activatedNanos;
  private volatile boolean leaving;
  private volatile Set<MacAddress> reachedBy = Set.of();

  private GuestNetwork(String vm, List<NetworkCard> cards, GuestServices services, HostNetwork network,
      RunPermit permit,
      Ticker ticker) {
    this.network = network;
    this.ports = cards.stream().map(network::attach).toList();
    this.services = services;
    this.permit = permit;
    this.ticker = ticker;
    this.thread = Thread.ofPlatform().name(vm + "-network").daemon().unstarted(this::run);
    ports.forEach(each -> each.wakes(thread));
    thread.start();
  }

  /**
   * Plugs a VM's cards into the host's switch. They stand by until {@link #activate}.
   *
   * @return empty for a VM without cards
   * @throws IllegalStateException if the VM has cards and the host no network
   */
  static Optional<GuestNetwork> plugIn(VmSpec spec, PageStore ram, DirtyLog dirtyLog, Optional<HostNetwork> host,
      RunPermit permit, Ticker ticker) {
    if (spec.nics().isEmpty()) {
      return Optional.empty();
    }
    HostNetwork network = host.orElseThrow(
        () -> new IllegalStateException(
            "VM %s has network cards, and this host has no network".formatted(spec.name())));
    GuestServices services = new GuestServices(spec.nics(), spec.serviceMemory(),
        new DeviceMemory(ram, dirtyLog.devices()));
    return Optional.of(new GuestNetwork(spec.name(), spec.nics(), services, network, permit, ticker));
  }

  private void run() {
    try {
      pauseHere();
      while (!gate.isEnded()) {
        if (gate.isHeld()) {
          pauseHere();
        } else if (!isPermitted()) {
          LockSupport.parkNanos(PERMISSION_POLL_NANOS);
        } else if (!serve() && ports.stream().noneMatch(SwitchPort::hasFrames)) {
          LockSupport.parkNanos(IDLE_NANOS);
        }
      }
    } catch (InterruptedException e) {
      log.debug("{} is interrupted, and ends", thread.getName());
    } catch (RuntimeException | Error e) {
      log.error("{} ends; the VM is not reached any more", thread.getName(), e);
      throw e;
    } finally {
      gate.leave();
    }
  }

  /** Whoever sees this thread paused has all frames on their way, and all stores of theirs in RAM and marked. */
  private void pauseHere() throws InterruptedException {
    for (SwitchPort each : ports) {
      while (!each.awaitSent() && !gate.isEnded()) {
        log.warn("{} waits for the switch", thread.getName());
      }
    }
    gate.pauseHere();
  }

  /** @return whether there was anything to do */
  private boolean serve() {
    boolean any = false;
    for (int card = 0; card < ports.size(); card++) {
      SwitchPort port = ports.get(card);
      for (int i = 0; i < FRAMES_AT_ONCE && !gate.isHeld(); i++) {
        byte[] frame = port.take();
        if (frame == null) {
          break;
        }
        any = true;
        receive(card, frame);
      }
    }
    return any;
  }

  private void receive(int card, byte[] frame) {
    if (firstFrameNanos == 0 && !EthernetFrame.destination(frame).isGroup()) {
      firstFrameNanos = ticker.nanos();
    }
    try {
      services.receive(card, frame).ifPresent(ports.get(card)::send);
    } catch (RuntimeException e) {
      if (!inTrouble) {
        inTrouble = true;
        log.error("{} could not deal with a frame of {} bytes; further ones are not logged", thread.getName(),
            frame.length, e);
      }
    }
  }

  /** How the cards came here, as far as is known by now. */
  NetworkArrival arrival() {
    OptionalDouble firstFrame = firstFrameNanos == 0
        ? OptionalDouble.empty()
        : OptionalDouble.of((firstFrameNanos - activatedNanos) / 1e9);
    return new NetworkArrival(firstFrame, reachedBy.size());
  }

  /**
   * The VM is this host's: its addresses are here, and everybody is told.
   *
   * @param isOurs whether it still is
   */
  void activate(BooleanSupplier isOurs) {
    activatedNanos = ticker.nanos();
    ports.forEach(network::activate);
    leaving = false;
    reachedBy = network.announce(ports, () -> !leaving && isOurs.getAsBoolean() && isPermitted());
  }

  private boolean isPermitted() {
    return permit.isLive() && network.isPermitted();
  }

  /**
   * The VM is paused to be handed over, or goes on. From the pause on it may be another host's any moment, without this one
   * knowing: nothing is announced.
   */
  void leaves(boolean begins) {
    leaving = begins;
  }

  /** The VM is on another host now. Waits a moment, one for all cards, for the switch to know that. */
  void handOver(String host) throws InterruptedException {
    Deadline deadline = Deadline.after(LONGEST_HANDOVER, ticker);
    List<Future<?>> done = new ArrayList<>();
    ports.forEach(each -> done.add(network.handOver(each, host)));
    for (Future<?> each : done) {
      try {
        each.get(Math.max(0, deadline.remainingNanos()), TimeUnit.NANOSECONDS);
      } catch (ExecutionException | TimeoutException e) {
        log.warn("{}: the switch has not handed it over: {}", thread.getName(), e.toString());
      }
    }
  }

  void hold() {
    gate.hold(thread);
  }

  boolean awaitPaused(Deadline deadline) throws InterruptedException {
    return gate.awaitPaused(deadline);
  }

  void letGo() {
    gate.letGo();
    LockSupport.unpark(thread);
  }

  /** Ends the thread and unplugs the cards. */
  void close() {
    gate.end(thread);
    ports.forEach(network::detach);
  }

  /** Checks memory that no twin can be replayed for. */
  Optional<String> damage() {
    try {
      services.check();
      return Optional.empty();
    } catch (DamagedException e) {
      return Optional.of(String.valueOf(e.getMessage()));
    }
  }
}
