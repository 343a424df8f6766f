package dev.pageferry.ferry.ping;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.packet.ArpPacket;
import dev.pageferry.common.packet.IcmpEcho;
import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.common.packet.Ipv4Packet;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.VxlanHeader;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class VxlanStationTest {
  private static final int VNI = 7;
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final Duration SILENCE = Duration.ofMillis(600);
  private static final Ipv4Address A = Ipv4Address.parse("10.0.0.1");
  private static final Ipv4Address B = Ipv4Address.parse("10.0.0.2");

  private final BlockingQueue<Ipv4Packet> heard = new LinkedBlockingQueue<>();
  private final BlockingQueue<InetSocketAddress> announced = new LinkedBlockingQueue<>();

  private VxlanStation station(int vni, Ipv4Address address) throws IOException {
    return new VxlanStation(vni, address, InetAddress.getLoopbackAddress(), new VxlanStation.Listener() {
      @Override
      public void received(Ipv4Packet packet, long nanos) {
        heard.add(packet);
      }

      @Override
      public void announced(InetSocketAddress host) {
        announced.add(host);
      }
    });
  }

  @Test
  void whoIsAskedForAnAddressAnswersAndIsSentPacketsWhereItAnsweredFrom() throws Exception {
    try (VxlanStation a = station(VNI, A); VxlanStation b = station(VNI, B)) {
      a.tell(List.of(b.socket()));
      MacAddress mac = a.resolve(B, PATIENCE).orElseThrow();
      assertThat(a.find(mac, B, PATIENCE)).isTrue();
      assertThat(a.whereIs(mac)).contains(b.socket());
      a.tell(List.of());
      a.send(IcmpEcho.request(a.towards(mac, B), 5, 6, 56));
      Ipv4Packet packet = heard.poll(PATIENCE.toNanos(), TimeUnit.NANOSECONDS);
      assertThat(packet).isNotNull().extracting(Ipv4Packet::source).isEqualTo(A);
      assertThat(IcmpEcho.of(packet).orElseThrow().sequence()).isEqualTo(6);
    }
  }

  @Test
  void aStationOfAnotherNetworkHearsNothing() throws Exception {
    try (VxlanStation a = station(VNI, A); VxlanStation b = station(VNI + 1, B)) {
      a.tell(List.of(b.socket()));
      assertThat(a.resolve(B, SILENCE)).isEmpty();
    }
  }

  @Test
  void whereAFrameWasPassedOnForAnotherHostNothingIsLearnedOfItsSender() throws Exception {
    MacAddress mac = MacAddress.parse("02:00:00:00:00:09");
    try (VxlanStation a = station(VNI, A); DatagramSocket host = loopback()) {
      host.send(datagram(VxlanHeader.encodeRelayed(VNI), ArpPacket.gratuitous(mac, B), a.socket()));
      assertThat(a.resolve(B, PATIENCE)).contains(mac);
      assertThat(a.whereIs(mac)).isEmpty();
      host.send(datagram(VxlanHeader.encode(VNI), ArpPacket.gratuitous(mac, B), a.socket()));
      assertThat(a.find(mac, B, PATIENCE)).isTrue();
      assertThat(a.whereIs(mac)).contains((InetSocketAddress) host.getLocalSocketAddress());
    }
  }

  @Test
  void whatIsNoFrameOfTheNetworkIsPassedOverAndAnAnnouncementIsHeard() throws Exception {
    try (VxlanStation a = station(VNI, A); DatagramSocket host = loopback()) {
      host.send(new DatagramPacket(new byte[3], 3, a.socket()));
      host.send(datagram(VxlanHeader.encode(VNI), new byte[5], a.socket()));
      host.send(datagram(0, ArpPacket.reverse(MacAddress.parse("02:00:00:00:00:09")), a.socket()));
      host.send(
          datagram(VxlanHeader.encode(VNI), ArpPacket.reverse(MacAddress.parse("02:00:00:00:00:09")), a.socket()));
      assertThat(announced.poll(PATIENCE.toNanos(), TimeUnit.NANOSECONDS)).isEqualTo(host.getLocalSocketAddress());
      assertThat(announced).isEmpty();
      assertThat(heard).isEmpty();
    }
  }

  private static DatagramSocket loopback() throws IOException {
    return new DatagramSocket(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
  }

  private static DatagramPacket datagram(long header, byte[] frame, InetSocketAddress to) {
    byte[] bytes = ByteBuffer.allocate(VxlanHeader.BYTES + frame.length).putLong(header).put(frame).array();
    return new DatagramPacket(bytes, bytes.length, to);
  }
}
