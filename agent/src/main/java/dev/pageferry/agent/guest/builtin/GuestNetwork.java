package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.guest.NetworkArrival;
import dev.pageferry.agent.guest.RunPermit;
import dev.pageferry.agent.memory.DirtyLog;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.agent.network.PluggedCards;
import dev.pageferry.agent.network.SwitchPort;
import dev.pageferry.agent.service.DamagedException;
import dev.pageferry.agent.service.DeviceMemory;
import dev.pageferry.agent.service.GuestServices;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
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
  private static final long PERMISSION_POLL_NANOS = 5_000_000;
  private static final Logger log = LoggerFactory.getLogger(GuestNetwork.class);

  private final PluggedCards cards;
  private final GuestServices services;
  private final Gate gate = new Gate();
  private final Thread thread;
  /** Of the card's thread. */
  private boolean inTrouble;

  private GuestNetwork(String vm, PluggedCards cards, GuestServices services) {
    this.cards = cards;
    this.services = services;
    this.thread = Thread.ofPlatform().name(vm + "-network").daemon().unstarted(this::run);
    cards.wakes(() -> LockSupport.unpark(thread));
    thread.start();
  }

  /**
   * Plugs a VM's cards into the host's switch. They stand by until {@link PluggedCards#activate}.
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
    PluggedCards cards = new PluggedCards(spec.name(), spec.nics(), true, network, permit::isLive, ticker);
    return Optional.of(new GuestNetwork(spec.name(), cards, services));
  }

  private void run() {
    try {
      pauseHere();
      while (!gate.isEnded()) {
        if (gate.isHeld()) {
          pauseHere();
        } else if (!cards.isPermitted()) {
          LockSupport.parkNanos(PERMISSION_POLL_NANOS);
        } else if (!serve() && !cards.haveFrames()) {
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
    cards.awaitSent(gate::isEnded);
    gate.pauseHere();
  }

  /** @return whether there was anything to do */
  private boolean serve() {
    boolean any = false;
    for (int card = 0; card < cards.ports().size(); card++) {
      SwitchPort port = cards.ports().get(card);
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
    cards.received(frame);
    try {
      services.receive(card, frame).ifPresent(cards.ports().get(card)::send);
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
    return new NetworkArrival(cards.firstFrameSeconds(), cards.reachedBy());
  }

  PluggedCards cards() {
    return cards;
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
    cards.close();
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
