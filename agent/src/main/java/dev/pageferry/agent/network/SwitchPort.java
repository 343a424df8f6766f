package dev.pageferry.agent.network;

import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.time.Ticker;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Where a VM's network card is plugged into the switch. The card's thread sends and takes; the switch's loop does the rest.
 * Both queues are bounded; a frame that does not fit is dropped and counted. A card that can wait asks for room first.
 */
public final class SwitchPort {
  /** Frames that each direction holds. */
  static final int QUEUE_FRAMES = 256;
  /** What was held for longer answers a question that nobody asks any more. */
  static final Duration LONGEST_HOLD = Duration.ofSeconds(5);
  private static final Duration LONGEST_DRAIN = Duration.ofSeconds(1);

  /** Whether the card takes part. */
  enum State {
    /** Frames from elsewhere are held for it; the VM may still be on another host, so that nothing is sent. */
    STANDBY,
    LIVE,
    /** The VM is on another host; it may be given back. */
    GONE,
    /** Unplugged for good. */
    CLOSED
  }

  private record Held(byte[] frame, long sinceNanos) {
  }

  private final NetworkCard card;
  private final boolean tellsAddress;
  private final PortService service;
  private final SwitchCounters counters;
  private final Ticker ticker;
  private final BlockingQueue<byte[]> toSwitch = new ArrayBlockingQueue<>(QUEUE_FRAMES);
  private final BlockingQueue<Held> toCard = new ArrayBlockingQueue<>(QUEUE_FRAMES);
  /** Whether the port is among those that the loop will serve. */
  private final AtomicBoolean scheduled = new AtomicBoolean();
  /** Written by the loop. */
  private volatile State state = State.STANDBY;
  /** The card's thread waits until the switch has forwarded some of what it sent. */
  private volatile boolean roomWanted;
  private volatile Runnable reader = () -> {
  };

  /** How a port is served by the loop. */
  interface PortService {
    /** The port has frames for the switch. */
    void schedule(SwitchPort port);

    /** Runs something on the loop, behind all that was asked before. */
    void execute(Runnable task);

    /** Forwards all that the port has; on the loop. */
    void drain(SwitchPort port);
  }

  /** @param tellsAddress whether its guest is known to answer on the address of the card */
  SwitchPort(NetworkCard card, boolean tellsAddress, PortService service, SwitchCounters counters, Ticker ticker) {
    this.card = card;
    this.tellsAddress = tellsAddress;
    this.service = service;
    this.counters = counters;
    this.ticker = ticker;
  }

  public NetworkCard card() {
    return card;
  }

  /** Names what is run when a frame comes, or room that was missed, by the switch's loop; it must not block, and may be run for nothing. */
  public void wakes(Runnable reader) {
    this.reader = reader;
  }

  /** Whether {@link #send} keeps a frame. If not, the one that {@link #wakes} names is run once there is room again. */
  public boolean hasRoom() {
    if (toSwitch.remainingCapacity() > 0) {
      return true;
    }
    roomWanted = true;
    // The loop may have been here before it could see that.
    return toSwitch.remainingCapacity() > 0;
  }

  /** Sends a frame, or drops it where the switch does not keep up. The array is the switch's from then on. */
  public void send(byte[] frame) {
    if (!toSwitch.offer(frame)) {
      counters.drop(Drop.PORT_FULL);
      return;
    }
    if (scheduled.compareAndSet(false, true)) {
      service.schedule(this);
    }
  }

  /** The next frame for the card, or null if there is none now. */
  public byte @Nullable [] take() {
    while (true) {
      Held held = toCard.poll();
      if (held == null) {
        return null;
      }
      if (ticker.nanos() - held.sinceNanos() <= LONGEST_HOLD.toNanos()) {
        return held.frame();
      }
      counters.drop(Drop.HELD_TOO_LONG);
    }
  }

  /** Whether {@link #take} may have something. */
  public boolean hasFrames() {
    return !toCard.isEmpty();
  }

  /**
   * Waits until all that was sent has left the switch: a frame that leaves later could call the VM back from where it went.
   *
   * @return false if it has not in time
   */
  public boolean awaitSent() throws InterruptedException {
    if (!scheduled.get() && toSwitch.isEmpty()) {
      return true;
    }
    CountDownLatch sent = new CountDownLatch(1);
    service.execute(() -> {
      service.drain(this);
      sent.countDown();
    });
    return sent.await(LONGEST_DRAIN.toMillis(), TimeUnit.MILLISECONDS);
  }

  boolean tellsAddress() {
    return tellsAddress;
  }

  // What follows is the loop's.

  State state() {
    return state;
  }

  void become(State next) {
    state = next;
  }

  /** Holds a frame for the card; where there is no room, in place of the one that was held longest. */
  void deliver(byte[] frame) {
    Held held = new Held(frame, ticker.nanos());
    while (!toCard.offer(held)) {
      if (toCard.poll() != null) {
        counters.drop(Drop.CARD_FULL);
      }
    }
    reader.run();
  }

  /** The next frame from the card. */
  byte @Nullable [] poll() {
    return toSwitch.poll();
  }

  /** The loop is done with the port for now. @return whether it is to be served again at once */
  boolean isServedAgain() {
    if (roomWanted) {
      roomWanted = false;
      reader.run();
    }
    if (!toSwitch.isEmpty()) {
      return true;
    }
    scheduled.set(false);
    return !toSwitch.isEmpty() && scheduled.compareAndSet(false, true);
  }
}
