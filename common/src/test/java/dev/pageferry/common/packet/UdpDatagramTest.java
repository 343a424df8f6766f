package dev.pageferry.common.packet;

import static dev.pageferry.common.packet.Packets.IP;
import static dev.pageferry.common.packet.Packets.PAYLOAD;
import static dev.pageferry.common.packet.Packets.bytes;
import static dev.pageferry.common.packet.Packets.hex;
import static dev.pageferry.common.packet.Packets.with;
import static dev.pageferry.common.packet.Packets.withHeaderChecksum;
import static dev.pageferry.common.packet.Packets.withPayloadChecksum;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Golden bytes by RFC 768. */
final class UdpDatagramTest {
  private static final int LENGTH = PAYLOAD + 4;
  private static final int CHECKSUM = PAYLOAD + 6;

  @Test
  void aDatagramIsWrittenWithItsChecksum() {
    assertThat(hex(UdpDatagram.frame(Packets.ENDPOINTS, 40_000, 7, ascii("hello")))).isEqualTo(Packets.DATAGRAM);
    assertThat(hex(UdpDatagram.frame(Packets.ENDPOINTS, 1, 65_535, new byte[0]))).isEqualTo(Packets.EMPTY_DATAGRAM);
  }

  @Test
  void aChecksumOfZeroIsSentAsAllOnes() {
    assertThat(hex(UdpDatagram.frame(Packets.ENDPOINTS, 40_000, 7, bytes("48e8"))))
        .isEqualTo(Packets.DATAGRAM_WITH_A_SUM_OF_ZERO);
    assertThat(datagram(bytes(Packets.DATAGRAM_WITH_A_SUM_OF_ZERO))).isPresent();
  }

  @Test
  void aDatagramIsRead() {
    UdpDatagram datagram = datagram(bytes(Packets.DATAGRAM)).orElseThrow();

    assertThat(datagram.sourcePort()).isEqualTo(40_000);
    assertThat(datagram.destinationPort()).isEqualTo(7);
    assertThat(datagram.data()).isEqualTo(ascii("hello"));
  }

  @Test
  void aDatagramWithoutDataIsRead() {
    UdpDatagram datagram = datagram(bytes(Packets.EMPTY_DATAGRAM)).orElseThrow();

    assertThat(datagram.sourcePort()).isEqualTo(1);
    assertThat(datagram.destinationPort()).isEqualTo(65_535);
    assertThat(datagram.data()).isEmpty();
  }

  @Test
  void aReplyGoesBackFromPortToPort() {
    UdpDatagram datagram = datagram(bytes(Packets.DATAGRAM)).orElseThrow();

    assertThat(hex(datagram.reply(ascii("HELLO!")))).isEqualTo(Packets.DATAGRAM_REPLY);
  }

  @Test
  void theMostDataMakesTheLongestFrame() {
    byte[] frame = UdpDatagram.frame(Packets.ENDPOINTS, 1, 2, new byte[UdpDatagram.MAX_DATA_BYTES]);

    assertThat(UdpDatagram.MAX_DATA_BYTES).isEqualTo(1472);
    assertThat(frame).hasSize(1514);
    assertThat(datagram(frame)).isPresent();
  }

  @Test
  void everySingleBitOfPortsDataAndChecksumIsCovered() {
    for (int bit = 0; bit < 13 * 8; bit++) {
      byte[] frame = bytes(Packets.DATAGRAM);
      frame[PAYLOAD + bit / 8] ^= (byte) (1 << bit % 8);

      assertThat(datagram(frame)).as("bit %d", bit).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {IP + 12, IP + 15, IP + 16, IP + 19})
  void theChecksumCoversTheAddresses(int offset) {
    byte[] frame = bytes(Packets.DATAGRAM);
    frame[offset] ^= 0x10;

    assertThat(datagram(withHeaderChecksum(frame))).isEmpty();
  }

  @Test
  void aDatagramWithoutAChecksumIsAccepted() {
    UdpDatagram datagram = datagram(with(Packets.DATAGRAM, CHECKSUM, "0000")).orElseThrow();

    assertThat(datagram.data()).isEqualTo(ascii("hello"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"0007", "0000", "0001"})
  void aLengthBelowTheHeadersIsRefused(String length) {
    byte[] frame = with(Packets.DATAGRAM, LENGTH, length + "0000");

    assertThat(Ipv4Packet.of(frame)).isPresent();
    assertThat(datagram(frame)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"000e", "05dc", "ffff"})
  void aLengthBeyondThePacketIsRefusedThoughTheFrameGoesOn(String length) {
    byte[] frame = Packets.cut(with(Packets.DATAGRAM, LENGTH, length + "0000"), 1514);

    assertThat(Ipv4Packet.of(frame)).isPresent();
    assertThat(datagram(frame)).isEmpty();
  }

  @Test
  void aDatagramThatEndsBeforeItsPacketIsReadAsFarAsItGoes() {
    byte[] frame = withPayloadChecksum(with(Packets.DATAGRAM, LENGTH, "000b"));

    assertThat(datagram(frame).orElseThrow().data()).isEqualTo(ascii("hel"));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3, 4, 5, 6, 7})
  void aPacketThatIsShorterThanAHeaderHoldsNone(int payloadBytes) {
    byte[] frame = withHeaderChecksum(
        Packets.cut(with(Packets.DATAGRAM, IP + 2, "%04x".formatted(20 + payloadBytes)), PAYLOAD + payloadBytes));

    assertThat(Ipv4Packet.of(frame)).isPresent();
    assertThat(datagram(frame)).isEmpty();
  }

  @Test
  void anotherProtocolHoldsNone() {
    assertThat(datagram(withHeaderChecksum(with(Packets.DATAGRAM, IP + 9, "06")))).isEmpty();
  }

  /** Linux leaves the folded sum of the pseudo-header there. */
  @Test
  void aChecksumThatWasLeftToACardThatTheFrameNeverMetIsNoDamage() {
    assertThat(datagram(with(Packets.DATAGRAM, CHECKSUM, "1ac9"))).isPresent();
  }

  @ParameterizedTest
  @ValueSource(strings = {"000d", "1ac8", "1aca", "e536"})
  void aChecksumThatIsNeitherThatNorRightIsDamage(String checksum) {
    assertThat(datagram(with(Packets.DATAGRAM, CHECKSUM, checksum))).isEmpty();
  }

  private static Optional<UdpDatagram> datagram(byte[] frame) {
    return Ipv4Packet.of(frame).flatMap(UdpDatagram::of);
  }

  private static byte[] ascii(String text) {
    return text.getBytes(US_ASCII);
  }
}
