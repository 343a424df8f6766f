package dev.pageferry.ferry.ping;

import dev.pageferry.common.packet.ArpPacket;
import dev.pageferry.common.packet.Endpoints;
import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.common.packet.Ipv4Packet;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.VxlanHeader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;

/**
 * A tunnel end with one client behind it, on one network of VMs. It learns as a Linux host does: where a MAC is from the
 * datagrams in which it sends (RFC 7348, section 4.1), and whose an address is by ARP. It answers ARP for its own address.
 * Frames can be lost, as on any Ethernet. Any thread may call.
 */
public final class VxlanStation implements AutoCloseable {
  private static final int RECEIVE_BYTES = 2048;
  /** Of each kind: whoever sends from more addresses is not believed. */
  private static final int MAX_LEARNED = 4096;
  private static final Duration ASK_AGAIN = Duration.ofMillis(250);
  /** The first byte of addresses that no manufacturer gives out. */
  private static final long LOCALLY_ADMINISTERED = 0x02_00_00_00_00_00L;

  private final int vni;
  private final Ipv4Address address;
  private final MacAddress mac;
  private final Listener listener;
  private final DatagramChannel socket;
  private final Map<MacAddress, InetSocketAddress> ends = new ConcurrentHashMap<>();
  private final Map<Ipv4Address, MacAddress> neighbours = new ConcurrentHashMap<>();
  /** Told when there is something new in one of these maps. */
  private final Object learned = new Object();
  private volatile List<InetSocketAddress> hosts = List.of();

  /** Hears what comes, on the station's only thread. */
  public interface Listener {
    /**
     * A packet for this station.
     *
     * @param nanos when it came, of the clock of {@link System#nanoTime()}
     */
    void received(Ipv4Packet packet, long nanos);

    /** A host has announced by a reverse request that a VM is there. */
    default void announced(InetSocketAddress host) {
    }
  }

  /**
   * Opens a socket; nobody sends to it before the coordinator lets its {@link #socket()} in.
   *
   * @param address of the client behind it
   * @param local of this machine, as hosts reach it
   */
  public VxlanStation(int vni, Ipv4Address address, InetAddress local, Listener listener) throws IOException {
    this.vni = vni;
    this.address = address;
    this.mac = new MacAddress(LOCALLY_ADMINISTERED | new SecureRandom().nextLong() & 0xFF_FFFF_FFFFL);
    this.listener = listener;
    this.socket = DatagramChannel.open().bind(new InetSocketAddress(local, 0));
    Thread.ofPlatform().daemon().name("vxlan-station").start(this::receive);
  }

  /** Where it takes VXLAN. */
  public InetSocketAddress socket() throws IOException {
    return (InetSocketAddress) socket.getLocalAddress();
  }

  /** Where frames for all go. */
  public void tell(List<InetSocketAddress> others) {
    hosts = List.copyOf(others);
  }

  /** Where frames of a MAC came from last. */
  public Optional<InetSocketAddress> whereIs(MacAddress other) {
    return Optional.ofNullable(ends.get(other));
  }

  /**
   * Asks by ARP whose an address is, again and again.
   *
   * @return empty if nobody answers in time
   */
  public Optional<MacAddress> resolve(Ipv4Address other, Duration patience) throws InterruptedException {
    boolean _ = askUntil(() -> neighbours.containsKey(other), other, patience);
    return neighbour(other);
  }

  /** Whose an address is, if anybody has said that. */
  public Optional<MacAddress> neighbour(Ipv4Address other) {
    return Optional.ofNullable(neighbours.get(other));
  }

  /**
   * Asks by ARP for an address until a frame of the MAC that has it comes from where that is.
   *
   * @return whether one comes in time
   */
  public boolean find(MacAddress other, Ipv4Address itsAddress, Duration patience) throws InterruptedException {
    return askUntil(() -> ends.containsKey(other), itsAddress, patience);
  }

  private boolean askUntil(BooleanSupplier known, Ipv4Address other, Duration patience) throws InterruptedException {
    long end = System.nanoTime() + patience.toNanos();
    synchronized (learned) {
      while (!known.getAsBoolean() && System.nanoTime() - end < 0) {
        ask(other);
        learned.wait(ASK_AGAIN.toMillis());
      }
    }
    return known.getAsBoolean();
  }

  /** Asks all hosts once whose an address is. */
  public void ask(Ipv4Address other) {
    byte[] question = ArpPacket.request(mac, address, other);
    hosts.forEach(each -> write(each, question));
  }

  /** From this station to another. */
  public Endpoints towards(MacAddress other, Ipv4Address itsAddress) {
    return new Endpoints(mac, address, other, itsAddress);
  }

  /** Sends a frame to where its destination was heard last; to all hosts if it was not. */
  public void send(byte[] frame) {
    InetSocketAddress end = ends.get(EthernetFrame.destination(frame));
    (end == null ? hosts : List.of(end)).forEach(each -> write(each, frame));
  }

  private void write(InetSocketAddress end, byte[] frame) {
    ByteBuffer datagram = ByteBuffer.allocate(VxlanHeader.BYTES + frame.length).putLong(VxlanHeader.encode(vni))
        .put(frame).flip();
    try {
      socket.send(datagram, end);
    } catch (IOException e) {
      // A host that is gone refuses: a frame is lost, as frames are.
    }
  }

  private void receive() {
    ByteBuffer buffer = ByteBuffer.allocate(RECEIVE_BYTES);
    while (true) {
      try {
        InetSocketAddress from = (InetSocketAddress) socket.receive(buffer.clear());
        long nanos = System.nanoTime();
        if (buffer.flip().remaining() >= VxlanHeader.BYTES) {
          long header = buffer.getLong();
          byte[] frame = Arrays.copyOfRange(buffer.array(), VxlanHeader.BYTES, buffer.limit());
          if (VxlanHeader.vni(header) == vni && EthernetFrame.isWellFormed(frame)) {
            received(from, VxlanHeader.mayBeLearned(header), frame, nanos);
          }
        }
      } catch (ClosedChannelException e) {
        return;
      } catch (IOException e) {
        // An ICMP error for something sent before.
      }
    }
  }

  private void received(InetSocketAddress from, boolean mayBeLearned, byte[] frame, long nanos) {
    if (mayBeLearned) {
      learn(ends, EthernetFrame.source(frame), from);
    }
    switch (EthernetFrame.type(frame)) {
      case EthernetFrame.TYPE_RARP -> listener.announced(from);
      case EthernetFrame.TYPE_ARP -> ArpPacket.of(frame).ifPresent(arp -> received(from, arp));
      case EthernetFrame.TYPE_IPV4 -> Ipv4Packet.of(frame)
          .filter(packet -> packet.destination().equals(address) && EthernetFrame.destination(frame).equals(mac))
          .ifPresent(packet -> listener.received(packet, nanos));
      default -> {
        // Nothing that this station speaks.
      }
    }
  }

  private void received(InetSocketAddress from, ArpPacket arp) {
    learn(neighbours, arp.sender(), arp.senderMac());
    if (arp.operation() == ArpPacket.REQUEST && arp.target().equals(address)) {
      write(from, arp.reply(mac));
    }
  }

  private <K, V> void learn(Map<K, V> known, K key, V value) {
    if (known.size() >= MAX_LEARNED && !known.containsKey(key)) {
      return;
    }
    if (!value.equals(known.put(key, value))) {
      synchronized (learned) {
        learned.notifyAll();
      }
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
