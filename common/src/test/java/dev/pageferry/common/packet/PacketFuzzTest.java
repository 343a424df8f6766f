package dev.pageferry.common.packet;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whatever bytes come, nothing is thrown, and every answer is a frame that a switch forwards and whoever asked can read.
 * Frames follow from the seed alone.
 */
final class PacketFuzzTest {
  private static final int FRAMES = 50_000;
  private static final int LONGEST = 1700;
  private static final List<String> SAMPLES = List.of(Packets.ARP_REQUEST, Packets.ARP_REPLY, Packets.GRATUITOUS_ARP,
      Packets.REVERSE_ARP, Packets.ECHO_REQUEST, Packets.ECHO_REPLY, Packets.ECHO_REQUEST_WITH_OPTIONS,
      Packets.ECHO_REPLY_WITHOUT_OPTIONS, Packets.DATAGRAM, Packets.DATAGRAM_REPLY, Packets.EMPTY_DATAGRAM,
      Packets.DATAGRAM_WITH_A_SUM_OF_ZERO);

  private int arpPackets;
  private int echoRequests;
  private int datagrams;
  private int refusals;

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void anyFrameIsReadOrRefusedAndItsAnswerIsWellFormed(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < FRAMES; i++) {
      byte[] frame = frame(random);
      String before = Packets.hex(frame);
      String message = "seed=%d frame=%d: %s".formatted(seed, i, before);
      try {
        read(frame, message);
      } catch (RuntimeException e) {
        throw new AssertionError(message, e);
      }
      if (!Packets.hex(frame).equals(before)) {
        throw new AssertionError("the frame was changed by being read; " + message);
      }
    }
    assertThat(List.of(arpPackets, echoRequests, datagrams, refusals)).as("frames of every kind, seed=%d", seed)
        .allMatch(count -> count > FRAMES / 100);
  }

  private void read(byte[] frame, String message) {
    boolean forwarded = EthernetFrame.isWellFormed(frame);
    ArpPacket.of(frame).ifPresent(arp -> {
      arpPackets++;
      checkReply(arp, message);
    });
    Optional<Ipv4Packet> packet = Ipv4Packet.of(frame);
    if (packet.isEmpty()) {
      refusals++;
      return;
    }
    // Others are not forwarded, and nobody answers for a group.
    boolean answered = forwarded && EthernetFrame.destination(frame).isStation();
    IcmpEcho.of(packet.get()).filter(echo -> answered && echo.isRequest()).ifPresent(echo -> {
      echoRequests++;
      checkReply(echo, message);
    });
    UdpDatagram.of(packet.get()).filter(datagram -> answered).ifPresent(datagram -> {
      datagrams++;
      checkReply(datagram, message);
    });
  }

  private static void checkReply(ArpPacket arp, String message) {
    byte[] reply = arp.reply(Packets.OTHER_MAC);
    assertThat(EthernetFrame.isWellFormed(reply)).as(message).isTrue();
    assertThat(EthernetFrame.destination(reply)).as(message).isEqualTo(arp.senderMac());
    assertThat(ArpPacket.of(reply)).as(message).contains(
        new ArpPacket(ArpPacket.REPLY, Packets.OTHER_MAC, arp.target(), arp.senderMac(), arp.sender()));
  }

  private static void checkReply(IcmpEcho echo, String message) {
    byte[] reply = echo.reply();
    Ipv4Packet packet = checkPacket(reply, echo.packet(), message);
    IcmpEcho read = IcmpEcho.of(packet).orElseThrow(() -> new AssertionError("no echo; " + message));
    assertThat(read.isRequest()).as(message).isFalse();
    assertThat(read.identifier()).as(message).isEqualTo(echo.identifier());
    assertThat(read.sequence()).as(message).isEqualTo(echo.sequence());
    assertThat(payload(packet, 4)).as(message).isEqualTo(payload(echo.packet(), 4));
  }

  private static void checkReply(UdpDatagram datagram, String message) {
    byte[] reply = datagram.reply(datagram.data());
    Ipv4Packet packet = checkPacket(reply, datagram.packet(), message);
    UdpDatagram read = UdpDatagram.of(packet).orElseThrow(() -> new AssertionError("no datagram; " + message));
    assertThat(read.sourcePort()).as(message).isEqualTo(datagram.destinationPort());
    assertThat(read.destinationPort()).as(message).isEqualTo(datagram.sourcePort());
    assertThat(read.data()).as(message).isEqualTo(datagram.data());
    assertThat(Packets.u16(reply, packet.payload() + 6)).as("checksum; " + message).isNotZero();
  }

  private static Ipv4Packet checkPacket(byte[] reply, Ipv4Packet asked, String message) {
    assertThat(EthernetFrame.isWellFormed(reply)).as(message).isTrue();
    assertThat(EthernetFrame.destination(reply)).as(message).isEqualTo(EthernetFrame.source(asked.frame()));
    assertThat(EthernetFrame.source(reply)).as(message).isEqualTo(EthernetFrame.destination(asked.frame()));
    Ipv4Packet packet = Ipv4Packet.of(reply).orElseThrow(() -> new AssertionError("no packet; " + message));
    assertThat(packet.source()).as(message).isEqualTo(asked.destination());
    assertThat(packet.destination()).as(message).isEqualTo(asked.source());
    assertThat(packet.protocol()).as(message).isEqualTo(asked.protocol());
    return packet;
  }

  private static byte[] payload(Ipv4Packet packet, int from) {
    return Arrays.copyOfRange(packet.frame(), packet.payload() + from, packet.payload() + packet.payloadBytes());
  }

  /** Random bytes, or a good frame to which some harm was done. */
  private static byte[] frame(Random random) {
    if (random.nextInt(10) == 0) {
      byte[] bytes = new byte[random.nextInt(LONGEST)];
      random.nextBytes(bytes);
      return bytes;
    }
    byte[] frame = Packets.bytes(SAMPLES.get(random.nextInt(SAMPLES.size())));
    List<Integer> harms = new ArrayList<>();
    for (int i = random.nextInt(4); i > 0; i--) {
      harms.add(random.nextInt(5));
    }
    for (int harm : harms) {
      frame = harmed(frame, harm, random);
    }
    if (random.nextBoolean()) {
      frame = Packets.withHeaderChecksum(frame);
    }
    return random.nextBoolean() ? Packets.withPayloadChecksum(frame) : frame;
  }

  private static byte[] harmed(byte[] frame, int harm, Random random) {
    if (frame.length == 0) {
      return frame;
    }
    int at = random.nextInt(frame.length);
    switch (harm) {
      case 0 -> frame[at] ^= (byte) (1 << random.nextInt(8));
      case 1 -> frame[at] = (byte) random.nextInt();
      // The header of IPv4 and what follows is where the lengths are.
      case 2 -> frame[Math.min(frame.length - 1, 14 + random.nextInt(32))] = (byte) random.nextInt();
      case 3 -> {
        return Arrays.copyOf(frame, random.nextInt(4) == 0 ? random.nextInt(LONGEST) : at);
      }
      default -> {
        // Longer by some data, with lengths that say so.
        byte[] longer = Arrays.copyOf(frame, Math.min(1514, frame.length + random.nextInt(1500)));
        if (longer.length >= Packets.PAYLOAD + 8) {
          put(longer, Packets.IP + 2, longer.length - Packets.IP - random.nextInt(4));
          put(longer, Packets.PAYLOAD + 4, longer.length - Packets.PAYLOAD - random.nextInt(4));
        }
        return longer;
      }
    }
    return frame;
  }

  private static void put(byte[] bytes, int offset, int value) {
    bytes[offset] = (byte) (value >>> 8);
    bytes[offset + 1] = (byte) value;
  }
}
