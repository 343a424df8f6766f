package dev.pageferry.station;

import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.common.packet.Ipv4Packet;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.UdpDatagram;
import dev.pageferry.ferry.ping.VxlanStation;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A station that exchanges UDP datagrams with guests, and counts what hosts announce. */
public final class UdpStation implements AutoCloseable {
  private final BlockingQueue<UdpDatagram> received = new LinkedBlockingQueue<>(4096);
  private final Map<InetSocketAddress, Integer> announcements = new ConcurrentHashMap<>();
  private final VxlanStation station;

  /** On loopback. */
  public UdpStation(int vni, Ipv4Address address) throws IOException {
    this(vni, address, InetAddress.getLoopbackAddress());
  }

  /**
   * Opens a socket; nobody sends to it before its {@link #tunnelEnd()} is added to the cluster.
   *
   * @param local address of this machine, as hosts reach it
   */
  public UdpStation(int vni, Ipv4Address address, InetAddress local) throws IOException {
    station = new VxlanStation(vni, address, local, new VxlanStation.Listener() {
      @Override
      public void received(Ipv4Packet packet, long nanos) {
        UdpDatagram.of(packet).ifPresent(received::offer);
      }

      @Override
      public void announced(InetSocketAddress host) {
        announcements.merge(host, 1, Integer::sum);
      }
    });
  }

  /** HOST:PORT of its socket. */
  public String tunnelEnd() throws IOException {
    return station.socket().getAddress().getHostAddress() + ":" + station.socket().getPort();
  }

  /** Where frames for all go. */
  public void tell(List<InetSocketAddress> others) {
    station.tell(others);
  }

  /** Where frames of a MAC came from last. */
  public Optional<InetSocketAddress> whereIs(MacAddress other) {
    return station.whereIs(other);
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
    return station.resolve(other, patience);
  }

  /** Sends a datagram to a station that was resolved. */
  public void send(Ipv4Address other, int sourcePort, int port, byte[] data) {
    MacAddress neighbour = station.neighbour(other)
        .orElseThrow(() -> new IllegalStateException("%s was not resolved".formatted(other)));
    station.send(UdpDatagram.frame(station.towards(neighbour, other), sourcePort, port, data));
  }

  /** The next datagram for this station, or null if none comes in time. */
  public @Nullable UdpDatagram receive(Duration patience) throws InterruptedException {
    return received.poll(patience.toNanos(), TimeUnit.NANOSECONDS);
  }

  @Override
  public void close() throws IOException {
    station.close();
  }
}
