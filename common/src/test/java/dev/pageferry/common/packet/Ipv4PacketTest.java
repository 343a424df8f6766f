package dev.pageferry.common.packet;

import static dev.pageferry.common.packet.Packets.IP;
import static dev.pageferry.common.packet.Packets.bytes;
import static dev.pageferry.common.packet.Packets.hex;
import static dev.pageferry.common.packet.Packets.with;
import static dev.pageferry.common.packet.Packets.withHeaderChecksum;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Golden bytes by RFC 791. */
final class Ipv4PacketTest {
  @Test
  void allThatMattersIsRead() {
    byte[] frame = bytes(Packets.DATAGRAM);
    Ipv4Packet packet = Ipv4Packet.of(frame).orElseThrow();

    assertThat(packet.frame()).isSameAs(frame);
    assertThat(packet.protocol()).isEqualTo(17);
    assertThat(packet.source()).isEqualTo(Packets.ADDRESS);
    assertThat(packet.destination()).isEqualTo(Packets.OTHER_ADDRESS);
    assertThat(packet.payload()).isEqualTo(34);
    assertThat(packet.payloadBytes()).isEqualTo(13);
  }

  @Test
  void thePayloadBeginsBehindOptionsAndEndsBeforePadding() {
    Ipv4Packet packet = Ipv4Packet.of(bytes(Packets.ECHO_REQUEST_WITH_OPTIONS)).orElseThrow();

    assertThat(packet.payload()).isEqualTo(38);
    assertThat(packet.payloadBytes()).isEqualTo(13);
  }

  @Test
  void aProtocolWithItsHighBitSetIsReadAsItIs() {
    Ipv4Packet packet = Ipv4Packet.of(withHeaderChecksum(with(Packets.DATAGRAM, IP + 9, "fd"))).orElseThrow();

    assertThat(packet.protocol()).isEqualTo(253);
  }

  @Test
  void aPacketIsWrittenWithoutFragmentationAndWithItsChecksum() {
    Ipv4Packet packet = Ipv4Packet.create(Packets.ENDPOINTS, Ipv4Packet.UDP, 8);

    assertThat(hex(packet.frame())).isEqualTo(Packets.EMPTY_DATAGRAM.substring(0, 68) + "00".repeat(8));
    assertThat(packet.payload()).isEqualTo(34);
    assertThat(packet.payloadBytes()).isEqualTo(8);
  }

  @Test
  void anAnswerGoesBackToWhoeverSentThePacket() {
    assertThat(Ipv4Packet.of(bytes(Packets.DATAGRAM)).orElseThrow().answering()).isEqualTo(
        new Endpoints(Packets.OTHER_MAC, Packets.OTHER_ADDRESS, Packets.MAC, Packets.ADDRESS));
  }

  @ParameterizedTest
  @ValueSource(strings = {"55", "65", "05", "35", "c5"})
  void anotherVersionIsRefused(String versionAndLength) {
    assertThat(Ipv4Packet.of(withHeaderChecksum(with(Packets.DATAGRAM, IP, versionAndLength)))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"44", "43", "42"})
  void aHeaderOfLessThanFiveWordsIsRefusedThoughItsChecksumIsRight(String versionAndLength) {
    byte[] frame = with(Packets.DATAGRAM, IP, versionAndLength);
    int headerBytes = (frame[IP] & 0xF) * 4;

    // The identification makes up for what lies behind.
    assertThat(Ipv4Packet.of(Packets.withChecksum(frame, IP + 4, IP, IP + headerBytes, 0))).isEmpty();
  }

  @Test
  void aHeaderLongerThanThePacketIsRefused() {
    // 60 bytes of header, 33 of packet.
    assertThat(Ipv4Packet.of(withHeaderChecksum(Packets.cut(with(Packets.DATAGRAM, IP, "4f"), 100)))).isEmpty();
  }

  @Test
  void aHeaderThatIsAllThereIsMayBeTheWholePacket() {
    Ipv4Packet packet = Ipv4Packet.of(withHeaderChecksum(with(Packets.DATAGRAM, IP + 2, "0014"))).orElseThrow();

    assertThat(packet.payloadBytes()).isZero();
  }

  @ParameterizedTest
  @ValueSource(strings = {"0013", "0000"})
  void aTotalLengthBelowTheHeadersIsRefused(String totalLength) {
    assertThat(Ipv4Packet.of(withHeaderChecksum(with(Packets.DATAGRAM, IP + 2, totalLength)))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"0022", "05dc", "ffff"})
  void aTotalLengthBeyondTheFrameIsRefused(String totalLength) {
    assertThat(Ipv4Packet.of(withHeaderChecksum(with(Packets.DATAGRAM, IP + 2, totalLength)))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 13, 14, 33})
  void aFrameWithoutAWholeHeaderIsRefused(int length) {
    assertThat(Ipv4Packet.of(Packets.cut(bytes(Packets.DATAGRAM), length))).isEmpty();
  }

  @Test
  void aPacketThatLosesItsLastByteIsRefused() {
    assertThat(Ipv4Packet.of(Packets.cut(bytes(Packets.DATAGRAM), 46))).isEmpty();
  }

  @Test
  void everySingleBitOfTheHeaderIsCoveredByItsChecksum() {
    for (int bit = 0; bit < 20 * 8; bit++) {
      byte[] frame = bytes(Packets.DATAGRAM);
      frame[IP + bit / 8] ^= (byte) (1 << bit % 8);

      assertThat(Ipv4Packet.of(frame)).as("bit %d", bit).isEmpty();
    }
  }

  @Test
  void everySingleBitOfOptionsIsCoveredByTheChecksum() {
    for (int bit = 20 * 8; bit < 24 * 8; bit++) {
      byte[] frame = bytes(Packets.ECHO_REQUEST_WITH_OPTIONS);
      frame[IP + bit / 8] ^= (byte) (1 << bit % 8);

      assertThat(Ipv4Packet.of(frame)).as("bit %d", bit).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"2000", "0001", "1000", "3fff", "6000", "4001", "1fff"})
  void fragmentsAreRefused(String flagsAndOffset) {
    assertThat(Ipv4Packet.of(withHeaderChecksum(with(Packets.DATAGRAM, IP + 6, flagsAndOffset)))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"0000", "4000", "8000"})
  void flagsThatMakeNoFragmentAreIgnored(String flags) {
    assertThat(Ipv4Packet.of(withHeaderChecksum(with(Packets.DATAGRAM, IP + 6, flags)))).isPresent();
  }
}
