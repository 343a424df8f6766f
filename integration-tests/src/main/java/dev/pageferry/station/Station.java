package dev.pageferry.station;

import dev.pageferry.common.packet.ArpPacket;
import dev.pageferry.common.packet.Endpoints;
import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.common.packet.Ipv4Packet;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.UdpDatagram;
import dev.pageferry.common.packet.VxlanHeader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A tunnel end on loopback with one station behind it. It learns as a Linux host does: where a MAC is from the datagrams in
 * which it sends, and whose an address is by ARP.
 */
public final class Station implements AutoCloseable {
  private static final int RECEIVE_BYTES = 2048;
  private static final Duration ASK_AGAIN = Duration.ofMillis(100);

  private final int vni;
  private final MacAddress mac;
  private final Ipv4Address address;
  private final DatagramChannel socket;
  private final Map<MacAddress, InetSocketAddress> ends = new ConcurrentHashMap<>();
  private final Map<Ipv4Address, MacAddress> neighbours = new ConcurrentHashMap<>();
  private final Map<InetSocketAddress, Integer> announcements = new ConcurrentHashMap<>();
  private final BlockingQueue<UdpDatagram> received = new LinkedBlockingQueue<>(4096);
  private volatile List<InetSocketAddress> hosts = List.of();

  /** Opens a socket; nobody sends to it before its {@link #tunnelEnd()} is added to the cluster. */
  public Station(int vni, Ipv4Address address) throws IOException {
    this.vni = vni;
    this.address = address;
    this.mac = new MacAddress(0x02_57_00_00_00_00L | new Random().nextInt() & 0xFFFF_FFFFL);
    this.socket = DatagramChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    Thread.ofPlatform().daemon().name("station").start(this::receive);
  }

  /** HOST:PORT of its socket. */
  public String tunnelEnd() {
    try {
      return "127.0.0.1:" + ((InetSocketAddress) socket.getLocalAddress()).getPort();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Where frames for all go. */
  public void tell(List<InetSocketAddress> others) {
    hosts = List.copyOf(others);
  }

  /** Where frames of a MAC came from last. */
  public Optional<InetSocketAddress> whereIs(MacAddress other) {
    return Optional.ofNullable(ends.get(other));
  }

  /** How often a host has announced a VM. */
  public int announcements(InetSocketAddress host) {
    return announcements.getOrDefault(host, 0);
  }

  /**
   * Asks by ARP whose an address is, again and again.
   *
   * @return empty if nobody answers in time
   */
  public Optional<MacAddress> resolve(Ipv4Address other, Duration patience) throws InterruptedException {
    long end = System.nanoTime() + patience.toNanos();
    while (!neighbours.containsKey(other) && System.nanoTime() - end < 0) {
      byte[] question = ArpPacket.request(mac, address, other);
      hosts.forEach(each -> write(each, question));
      synchronized (neighbours) {
        if (!neighbours.containsKey(other)) {
          neighbours.wait(ASK_AGAIN.toMillis());
        }
      }
    }
    return Optional.ofNullable(neighbours.get(other));
  }

  /** Sends a datagram to a station that was resolved. */
  public void send(Ipv4Address other, int sourcePort, int port, byte[] data) {
    MacAddress neighbour = neighbours.get(other);
    if (neighbour == null) {
      throw new IllegalStateException("%s was not resolved".formatted(other));
    }
    byte[] frame = UdpDatagram.frame(new Endpoints(mac, address, neighbour, other), sourcePort, port, data);
    InetSocketAddress end = ends.get(neighbour);
    (end == null ? hosts : List.of(end)).forEach(each -> write(each, frame));
  }

  /** The next datagram for this station, or null if none comes in time. */
  public @Nullable UdpDatagram receive(Duration patience) throws InterruptedException {
    return received.poll(patience.toNanos(), TimeUnit.NANOSECONDS);
  }

  private void write(InetSocketAddress end, byte[] frame) {
    try {
      socket.send(ByteBuffer.allocate(VxlanHeader.BYTES + frame.length).putLong(VxlanHeader.encode(vni)).put(frame)
          .flip(), end);
    } catch (IOException e) {
      // A host that is gone refuses: a frame is lost, as frames are.
      return;
    }
  }

  private void receive() {
    ByteBuffer buffer = ByteBuffer.allocate(RECEIVE_BYTES);
    while (true) {
      try {
        InetSocketAddress from = (InetSocketAddress) socket.receive(buffer.clear());
        received(from, Arrays.copyOf(buffer.array(), buffer.position()));
      } catch (ClosedChannelException e) {
        return;
      } catch (IOException e) {
        // An ICMP error for something sent before.
        continue;
      }
    }
  }

  private void received(InetSocketAddress from, byte[] datagram) {
    if (datagram.length < VxlanHeader.BYTES || VxlanHeader.vni(ByteBuffer.wrap(datagram).getLong()) != vni) {
      return;
    }
    byte[] frame = Arrays.copyOfRange(datagram, VxlanHeader.BYTES, datagram.length);
    if (!EthernetFrame.isWellFormed(frame)) {
      return;
    }
    if (VxlanHeader.mayBeLearned(ByteBuffer.wrap(datagram).getLong())) {
      ends.put(EthernetFrame.source(frame), from);
    }
    if (EthernetFrame.type(frame) == EthernetFrame.TYPE_RARP) {
      announcements.merge(from, 1, Integer::sum);
    } else if (EthernetFrame.type(frame) == EthernetFrame.TYPE_ARP) {
      ArpPacket.of(frame).ifPresent(this::received);
    } else if (EthernetFrame.type(frame) == EthernetFrame.TYPE_IPV4) {
      Ipv4Packet.of(frame).filter(packet -> packet.destination().equals(address)).flatMap(UdpDatagram::of)
          .ifPresent(received::offer);
    }
  }

  private void received(ArpPacket arp) {
    synchronized (neighbours) {
      neighbours.put(arp.sender(), arp.senderMac());
      neighbours.notifyAll();
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
