package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.network.PluggedCards;
import dev.pageferry.agent.network.SwitchPort;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.IOException;
import java.nio.channels.Selector;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries frames between the cards of a machine and the switch, on one thread. While it holds, frames for the machine wait in
 * their ports: what QEMU was given already would be lost with it.
 */
final class MachineCards implements AutoCloseable {
  private static final int FRAMES_AT_ONCE = 16;
  private static final long IDLE_MILLIS = 500;
  private static final long PERMISSION_POLL_MILLIS = 5;
  private static final Duration LONGEST_DRAIN = Duration.ofSeconds(2);
  private static final Logger log = LoggerFactory.getLogger(MachineCards.class);

  private final String vm;
  private final MachineFiles files;
  private final PluggedCards cards;
  private final Scheduler scheduler;
  private final Selector selector;
  /** Of QEMUs that were started; for the thread to take. */
  private final Queue<List<CardSocket>> connected = new ConcurrentLinkedQueue<>();
  /** Of the thread: by card; null where there is no QEMU. */
  private final List<@Nullable CardSocket> sockets;
  private volatile boolean holds = true;
  private volatile boolean closed;
  private volatile @Nullable Promise<Boolean> drained;

  /** @param cards plugged in, at least one */
  MachineCards(String vm, MachineFiles files, PluggedCards cards, Scheduler scheduler) throws IOException {
    this.vm = vm;
    this.files = files;
    this.cards = cards;
    this.scheduler = scheduler;
    this.selector = Selector.open();
    this.sockets = new ArrayList<>();
    cards.ports().forEach(_ -> sockets.add(null));
    cards.wakes(selector::wakeup);
    Task _ = scheduler.startBlocking(vm + "-network", this::run);
  }

  PluggedCards plugged() {
    return cards;
  }

  /** Connects to a QEMU that was just started; the one before is gone. */
  void connect() throws IOException {
    List<CardSocket> made = new ArrayList<>();
    try {
      for (int card = 0; card < cards.ports().size(); card++) {
        made.add(CardSocket.connect(files.card(card)));
      }
      connected.add(List.copyOf(made));
      made.clear();
    } finally {
      for (CardSocket each : made) {
        each.close();
      }
    }
    selector.wakeup();
  }

  /** The machine is to pause: nothing is given to it any more. */
  void hold() {
    holds = true;
  }

  /** The machine is paused: waits until all that it sent has left the switch. */
  void awaitSent() throws InterruptedException {
    Promise<Boolean> asked = scheduler.newPromise();
    drained = asked;
    selector.wakeup();
    if (asked.await(LONGEST_DRAIN).isEmpty() && !closed) {
      log.warn("vm={} frames of its cards have not left the switch within {} s", vm, LONGEST_DRAIN.toSeconds());
    }
  }

  /** The machine goes on. */
  void letGo() {
    holds = false;
    selector.wakeup();
  }

  private void run() {
    try {
      while (!closed) {
        Promise<Boolean> asked = drained;
        takeConnected();
        boolean busy = fromMachine();
        if (asked != null && !busy) {
          // What a paused machine has sent was there before it said that it is paused.
          cards.awaitSent(() -> closed);
          drained = null;
          asked.complete(true);
        }
        boolean isPermitted = cards.isPermitted();
        if (!holds && isPermitted) {
          busy |= toMachine();
        }
        if (!busy) {
          int _ = selector.select(!isPermitted && cards.haveFrames() ? PERMISSION_POLL_MILLIS : IDLE_MILLIS);
          selector.selectedKeys().clear();
        }
      }
    } catch (IOException | InterruptedException | RuntimeException | Error e) {
      log.error("vm={} its network ends; it is not reached any more", vm, e);
    } finally {
      for (int card = 0; card < sockets.size(); card++) {
        disconnect(card);
      }
      closeSelector();
    }
  }

  private void closeSelector() {
    try {
      selector.close();
    } catch (IOException e) {
      log.debug("vm={} a selector was not closed well", vm, e);
    }
  }

  private void takeConnected() throws IOException {
    for (List<CardSocket> next = connected.poll(); next != null; next = connected.poll()) {
      for (int card = 0; card < next.size(); card++) {
        disconnect(card);
        sockets.set(card, next.get(card));
        next.get(card).register(selector);
      }
    }
  }

  private boolean fromMachine() {
    boolean any = false;
    for (int card = 0; card < sockets.size(); card++) {
      CardSocket socket = sockets.get(card);
      if (socket == null) {
        continue;
      }
      try {
        any |= socket.read(cards.ports().get(card)::send);
      } catch (IOException e) {
        lost(card, e);
      }
    }
    return any;
  }

  private boolean toMachine() {
    boolean any = false;
    for (int card = 0; card < sockets.size(); card++) {
      CardSocket socket = sockets.get(card);
      if (socket == null) {
        continue;
      }
      try {
        any |= toMachine(socket, cards.ports().get(card));
        socket.await(selector, !socket.isReady());
      } catch (IOException e) {
        lost(card, e);
      }
    }
    return any;
  }

  private boolean toMachine(CardSocket socket, SwitchPort port) throws IOException {
    for (int i = 0; i < FRAMES_AT_ONCE; i++) {
      byte[] frame = socket.isReady() && !holds ? port.take() : null;
      if (frame == null) {
        return i > 0;
      }
      cards.received(frame);
      socket.write(frame);
    }
    return true;
  }

  /** QEMU is gone, or not to be understood: its card is as good as unplugged. */
  private void lost(int card, IOException cause) {
    log.info("vm={} card {} is not connected: {}", vm, card, cause.getMessage());
    disconnect(card);
  }

  private void disconnect(int card) {
    CardSocket socket = sockets.set(card, null);
    if (socket != null) {
      try {
        socket.close();
      } catch (IOException e) {
        log.debug("vm={} card {} was not closed well", vm, card, e);
      }
    }
  }

  /** Unplugs them, and ends the thread. */
  @Override
  public void close() {
    closed = true;
    cards.close();
    selector.wakeup();
  }
}
