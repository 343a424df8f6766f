package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.agent.network.PluggedCards;
import dev.pageferry.agent.network.SwitchPort;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.IOException;
import java.nio.channels.Selector;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries frames between the cards of a machine and the switch, on one thread, once they are plugged in. While it holds them, frames
 * for the machine wait in their ports: what QEMU was given already would be lost with it.
 */
final class MachineCards implements AutoCloseable {
  private static final int FRAMES_AT_ONCE = 16;
  private static final long IDLE_MILLIS = 500;
  private static final long PERMISSION_POLL_MILLIS = 5;
  private static final Duration LONGEST_DRAIN = Duration.ofSeconds(2);
  private static final Duration LONGEST_CONNECT = Duration.ofSeconds(5);
  private static final Duration LOOK = Duration.ofMillis(5);
  private static final Logger log = LoggerFactory.getLogger(MachineCards.class);

  private final QemuSpec spec;
  private final MachineFiles files;
  private final HostNetwork network;
  private final BooleanSupplier permit;
  private final Scheduler scheduler;
  private volatile boolean holds = true;
  private volatile boolean closed;
  /** Null: not plugged in, or there are none. */
  private volatile @Nullable Running running;

  /** @param permit whether this host may run the machine right now */
  MachineCards(QemuSpec spec, MachineFiles files, HostNetwork network, BooleanSupplier permit, Scheduler scheduler) {
    this.spec = spec;
    this.files = files;
    this.network = network;
    this.permit = permit;
    this.scheduler = scheduler;
  }

  /** Connects to the QEMU that was just started, and to the switch, where they stand by until they are activated. */
  void plugIn() throws IOException, InterruptedException {
    if (spec.nics().isEmpty()) {
      return;
    }
    Running now = running;
    if (now == null) {
      now = start();
    }
    now.connect();
  }

  private synchronized Running start() throws IOException {
    if (closed) {
      throw new IllegalStateException("VM %s is gone from this host".formatted(spec.name()));
    }
    Selector selector = Selector.open();
    Running started = new Running(selector,
        new PluggedCards(spec.name(), spec.nics(), false, network, permit, scheduler));
    running = started;
    Task _ = scheduler.startBlocking(spec.name() + "-network", started::run);
    return started;
  }

  Optional<PluggedCards> plugged() {
    return Optional.ofNullable(running).map(each -> each.cards);
  }

  /** See {@link PluggedCards#leaves}. */
  void leaves(boolean begins) {
    plugged().ifPresent(each -> each.leaves(begins));
  }

  /** The machine is to pause: nothing is given to it any more. */
  void holdFrames() {
    holds = true;
  }

  /** The machine is paused: waits until all that it sent has left the switch. */
  void awaitSent() throws InterruptedException {
    Running now = running;
    if (now != null) {
      now.awaitSent();
    }
  }

  /** The machine goes on. */
  void passFrames() {
    holds = false;
    Running now = running;
    if (now != null) {
      Selector _ = now.selector.wakeup();
    }
  }

  /** Unplugs them, and ends the thread. */
  @Override
  public synchronized void close() {
    closed = true;
    Running now = running;
    if (now != null) {
      now.cards.close();
      Selector _ = now.selector.wakeup();
    }
  }

  /** A guest that sends faster than the switch forwards waits, as it would for a wire. */
  private record ToSwitch(PluggedCards cards, SwitchPort port) implements CardSocket.Sink {
    @Override
    public boolean hasRoom() {
      return port.hasRoom();
    }

    @Override
    public void take(byte[] frame) {
      cards.send(port, frame);
    }
  }

  /** Cards that are plugged in. */
  private final class Running {
    private final Selector selector;
    private final PluggedCards cards;
    /** Of QEMUs that were started; for the thread to take. */
    private final Queue<List<CardSocket>> connected = new ConcurrentLinkedQueue<>();
    /** Of the thread: by card; null where there is no QEMU. */
    private final List<@Nullable CardSocket> sockets = new ArrayList<>();
    private final AtomicReference<@Nullable Promise<Boolean>> drained = new AtomicReference<>();
    /** Whoever pauses the machine does not wait for the thread any more. */
    private volatile boolean ended;

    Running(Selector selector, PluggedCards cards) {
      this.selector = selector;
      this.cards = cards;
      cards.ports().forEach(_ -> sockets.add(null));
      cards.wakes(selector::wakeup);
    }

    /** QEMU begins to listen a moment after its monitor answers. */
    void connect() throws IOException, InterruptedException {
      List<CardSocket> made = new ArrayList<>();
      try {
        for (int card = 0; card < sockets.size(); card++) {
          made.add(connect(files.card(card)));
        }
        connected.add(List.copyOf(made));
        made.clear();
      } finally {
        closeAll(made);
      }
      if (closed) {
        closeConnected();
      }
      Selector _ = selector.wakeup();
    }

    private CardSocket connect(Path socket) throws IOException, InterruptedException {
      long end = scheduler.nanos() + LONGEST_CONNECT.toNanos();
      while (true) {
        try {
          return CardSocket.connect(socket);
        } catch (IOException e) {
          if (scheduler.nanos() > end) {
            throw e;
          }
          scheduler.sleep(LOOK);
        }
      }
    }

    void awaitSent() throws InterruptedException {
      if (ended) {
        return;
      }
      Promise<Boolean> asked = scheduler.newPromise();
      drained.set(asked);
      Selector _ = selector.wakeup();
      if (asked.await(LONGEST_DRAIN).isEmpty() && !closed) {
        log.warn("vm={} frames of its cards have not left the switch within {} s", spec.name(),
            LONGEST_DRAIN.toSeconds());
      }
    }

    private void run() {
      try {
        while (!closed) {
          Promise<Boolean> asked = drained.get();
          takeConnected();
          boolean busy = fromMachine();
          if (asked != null && !busy && !isHeldUp()) {
            // What a paused machine has sent was there before it said that it is paused.
            cards.awaitSent(() -> closed);
            boolean _ = drained.compareAndSet(asked, null);
            asked.complete(true);
          }
          boolean isPermitted = cards.isPermitted();
          busy |= toMachine(!holds && isPermitted);
          if (!busy) {
            int _ = selector.select(!isPermitted && cards.haveFrames() ? PERMISSION_POLL_MILLIS : IDLE_MILLIS);
            selector.selectedKeys().clear();
          }
        }
      } catch (IOException | InterruptedException | RuntimeException | Error e) {
        log.error("vm={} its network ends; it is not reached any more", spec.name(), e);
      } finally {
        ended = true;
        for (int card = 0; card < sockets.size(); card++) {
          disconnect(card);
        }
        closeConnected();
        closeSelector();
      }
    }

    private void closeConnected() {
      for (List<CardSocket> next = connected.poll(); next != null; next = connected.poll()) {
        closeAll(next);
      }
    }

    private void closeSelector() {
      try {
        selector.close();
      } catch (IOException e) {
        log.debug("vm={} a selector was not closed well", spec.name(), e);
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
          SwitchPort port = cards.ports().get(card);
          any |= socket.read(new ToSwitch(cards, port));
        } catch (IOException e) {
          lost(card, e);
        }
      }
      return any;
    }

    /** Whether frames of the machine wait for room in the switch. */
    private boolean isHeldUp() {
      return sockets.stream().anyMatch(each -> each != null && each.isHeldUp());
    }

    private boolean toMachine(boolean isGiven) {
      boolean any = false;
      for (int card = 0; card < sockets.size(); card++) {
        CardSocket socket = sockets.get(card);
        if (socket == null) {
          continue;
        }
        try {
          any |= isGiven && toMachine(socket, cards.ports().get(card));
          socket.await(selector, isGiven && !socket.isReady());
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
      log.info("vm={} card {} is not connected: {}", spec.name(), card, cause.getMessage());
      disconnect(card);
    }

    private void disconnect(int card) {
      CardSocket socket = sockets.set(card, null);
      if (socket != null) {
        closeAll(List.of(socket));
      }
    }

    private void closeAll(List<CardSocket> all) {
      for (CardSocket each : all) {
        try {
          each.close();
        } catch (IOException e) {
          log.debug("vm={} a card was not closed well", spec.name(), e);
        }
      }
    }
  }
}
