package dev.pageferry.agent.network;

import dev.pageferry.agent.os.PacketSocket;
import dev.pageferry.agent.os.PacketSocket.Packet;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.packet.EthernetFrame;
import java.io.IOException;
import java.util.Arrays;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One network of VMs on a real interface, untagged: for hosts on a physical network or a bridge of Linux. Stations behind it
 * are all reached the same way; the bridge or switch there learns where VMs are from what they send.
 */
final class PacketUplink implements Uplink, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(PacketUplink.class);
  private static final int QUEUE_FRAMES = 1024;
  /** Frames that are forwarded before the loop turns to other things. */
  private static final int FRAMES_AT_ONCE = 64;
  private static final long RETRY_MILLIS = 200;

  /** All that is behind the interface. */
  enum Wire implements RemoteEnd {
    INSTANCE
  }

  /** Takes frames that came, on the loop. */
  interface Receiver {
    void received(byte[] frame);

    /** What became of the frames may go out; there are no more for now. */
    void flush();
  }

  private final String networkInterface;
  private final int vni;
  private final PacketSocket socket;
  private final Receiver receiver;
  private final Executor loop;
  private final SwitchCounters counters;
  private final BlockingQueue<byte[]> received = new ArrayBlockingQueue<>(QUEUE_FRAMES);
  private final AtomicBoolean scheduled = new AtomicBoolean();
  private final Thread reader;
  private volatile boolean closed;

  /** @throws IOException if there is no such interface, or this process may not use it */
  static PacketUplink open(String networkInterface, int vni, Receiver receiver, Executor loop,
      SwitchCounters counters) throws IOException {
    PacketUplink uplink = new PacketUplink(networkInterface, vni, PacketSocket.open(networkInterface), receiver, loop,
        counters);
    uplink.reader.start();
    return uplink;
  }

  private PacketUplink(String networkInterface, int vni, PacketSocket socket, Receiver receiver, Executor loop,
      SwitchCounters counters) {
    this.networkInterface = networkInterface;
    this.vni = vni;
    this.socket = socket;
    this.receiver = receiver;
    this.loop = loop;
    this.counters = counters;
    this.reader = Thread.ofPlatform().daemon().name("uplink-" + networkInterface).unstarted(this::read);
  }

  int vni() {
    return vni;
  }

  private void read() {
    boolean inTrouble = false;
    while (!closed) {
      try {
        Packet packet = socket.receive();
        inTrouble = false;
        if (packet != null) {
          take(packet);
        }
      } catch (IOException e) {
        if (!inTrouble) {
          inTrouble = true;
          log.warn("interface {}: {}; trying again", networkInterface, IoFailure.sentence(e));
        }
        pause();
      }
    }
  }

  private static void pause() {
    try {
      TimeUnit.MILLISECONDS.sleep(RETRY_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void take(Packet packet) {
    if (!packet.isWhole()) {
      counters.drop(Drop.MALFORMED_FRAME);
      return;
    }
    if (!received.offer(packet.frame())) {
      counters.drop(Drop.UPLINK_FULL);
    } else if (scheduled.compareAndSet(false, true)) {
      loop.execute(this::deliver);
    }
  }

  private void deliver() {
    for (int i = 0; i < FRAMES_AT_ONCE; i++) {
      byte[] frame = received.poll();
      if (frame == null) {
        break;
      }
      try {
        receiver.received(frame);
      } catch (RuntimeException | Error e) {
        counters.drop(Drop.FAILED);
        log.debug("a frame of {} bytes was not forwarded", frame.length, e);
      }
    }
    receiver.flush();
    if (received.isEmpty()) {
      scheduled.set(false);
      if (received.isEmpty() || !scheduled.compareAndSet(false, true)) {
        return;
      }
    }
    loop.execute(this::deliver);
  }

  @Override
  public void send(RemoteEnd end, int network, byte[] frame, Learning learning) {
    write(frame);
  }

  @Override
  public void flood(int network, byte[] frame) {
    write(frame);
  }

  private void write(byte[] frame) {
    byte[] padded = frame.length < EthernetFrame.MIN_WIRE_BYTES
        ? Arrays.copyOf(frame, EthernetFrame.MIN_WIRE_BYTES)
        : frame;
    if (closed || !socket.send(padded)) {
      counters.drop(Drop.UPLINK_FULL);
    }
  }

  /** On the loop, so that nothing is being sent. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    boolean interrupted = false;
    while (reader.isAlive()) {
      try {
        reader.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    socket.close();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
