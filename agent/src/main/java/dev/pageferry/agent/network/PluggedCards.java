package dev.pageferry.agent.network;

import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The network cards of one VM, in the switch of a host: where they are plugged in, come alive, and are handed over. */
public final class PluggedCards implements AutoCloseable {
  /** Longer than a busy loop takes; a longer wait would be felt as an outage. */
  private static final Duration LONGEST_HANDOVER = Duration.ofMillis(100);
  private static final Logger log = LoggerFactory.getLogger(PluggedCards.class);

  private final String vm;
  private final HostNetwork network;
  private final List<SwitchPort> ports;
  private final BooleanSupplier permit;
  private final Ticker ticker;
  /** On the ticker; 0: none yet. */
  private volatile long firstFrameNanos;
  private volatile long activatedNanos;
  private volatile boolean leaving;
  private volatile Set<MacAddress> reachedBy = Set.of();

  /**
   * Plugs them in. They stand by until {@link #activate}.
   *
   * @param tellsAddresses whether guests are known to answer on the addresses of their cards
   * @param permit whether this host may run the VM right now
   */
  public PluggedCards(String vm, List<NetworkCard> cards, boolean tellsAddresses, HostNetwork network,
      BooleanSupplier permit, Ticker ticker) {
    this.vm = vm;
    this.network = network;
    this.ports = cards.stream().map(each -> network.attach(each, tellsAddresses)).toList();
    this.permit = permit;
    this.ticker = ticker;
  }

  /** In the order of the cards. */
  public List<SwitchPort> ports() {
    return ports;
  }

  /** Names what is run when a frame comes, by the switch's loop; it must not block, and may be run for nothing. */
  public void wakes(Runnable reader) {
    ports.forEach(each -> each.wakes(reader));
  }

  public boolean haveFrames() {
    return ports.stream().anyMatch(SwitchPort::hasFrames);
  }

  /** Sends a frame of the VM; one that this host may not run sends nothing. */
  public void send(SwitchPort port, byte[] frame) {
    if (isPermitted()) {
      port.send(frame);
    } else {
      network.counters().drop(Drop.SILENT);
    }
  }

  /** A frame has come for a card. */
  public void received(byte[] frame) {
    if (firstFrameNanos == 0 && !EthernetFrame.destination(frame).isGroup()) {
      firstFrameNanos = ticker.nanos();
    }
  }

  /** From the activation to the first frame for one card alone. */
  public OptionalDouble firstFrameSeconds() {
    return firstFrameNanos == 0 ? OptionalDouble.empty() : OptionalDouble.of((firstFrameNanos - activatedNanos) / 1e9);
  }

  /** How many switches have proved that they reach the VM here. */
  public int reachedBy() {
    return reachedBy.size();
  }

  /**
   * The VM is this host's: its addresses are here, and everybody is told.
   *
   * @param isOurs whether it still is
   */
  public void activate(BooleanSupplier isOurs) {
    activatedNanos = ticker.nanos();
    ports.forEach(network::activate);
    leaving = false;
    reachedBy = network.announce(ports, () -> !leaving && isOurs.getAsBoolean() && isPermitted());
  }

  /** Whether frames may go to the VM, and come from it. */
  public boolean isPermitted() {
    return permit.getAsBoolean() && network.isPermitted();
  }

  /**
   * The VM is paused to be handed over, or goes on. From the pause on it may be another host's any moment, without this one
   * knowing: nothing is announced.
   */
  public void leaves(boolean begins) {
    leaving = begins;
  }

  /**
   * Waits until all that the cards sent has left the switch.
   *
   * @param isEnded whether it does not matter any more
   */
  public void awaitSent(BooleanSupplier isEnded) throws InterruptedException {
    for (SwitchPort each : ports) {
      while (!each.awaitSent() && !isEnded.getAsBoolean()) {
        log.warn("vm={} its cards wait for the switch", vm);
      }
    }
  }

  /** The VM is on another host now. Waits a moment, one for all cards, for the switch to know that. */
  public void handOver(String host) throws InterruptedException {
    Deadline deadline = Deadline.after(LONGEST_HANDOVER, ticker);
    List<Future<?>> done = new ArrayList<>();
    ports.forEach(each -> done.add(network.handOver(each, host)));
    for (Future<?> each : done) {
      try {
        each.get(Math.max(0, deadline.remainingNanos()), TimeUnit.NANOSECONDS);
      } catch (ExecutionException | TimeoutException e) {
        log.warn("vm={} the switch has not handed its cards over: {}", vm, e.toString());
      }
    }
  }

  /** Unplugs them. */
  @Override
  public void close() {
    ports.forEach(network::detach);
  }
}
