package dev.pageferry.common.packet;

import static dev.pageferry.common.packet.Packets.IP;
import static dev.pageferry.common.packet.Packets.PAYLOAD;
import static dev.pageferry.common.packet.Packets.bytes;
import static dev.pageferry.common.packet.Packets.hex;
import static dev.pageferry.common.packet.Packets.with;
import static dev.pageferry.common.packet.Packets.withHeaderChecksum;
import static dev.pageferry.common.packet.Packets.withPayloadChecksum;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Golden bytes by RFC 792. */
final class IcmpEchoTest {
  @Test
  void aRequestIsWrittenWithItsNumbersAndChecksum() {
    assertThat(hex(IcmpEcho.request(Packets.ENDPOINTS, 0xBEEF, 0x8001, 4))).isEqualTo(Packets.ECHO_REQUEST);
  }

  @Test
  void aRequestIsRead() {
    IcmpEcho echo = echo(bytes(Packets.ECHO_REQUEST)).orElseThrow();

    assertThat(echo.isRequest()).isTrue();
    assertThat(echo.identifier()).isEqualTo(0xBEEF);
    assertThat(echo.sequence()).isEqualTo(0x8001);
  }

  @Test
  void aReplyIsRead() {
    IcmpEcho echo = echo(bytes(Packets.ECHO_REPLY)).orElseThrow();

    assertThat(echo.isRequest()).isFalse();
    assertThat(echo.identifier()).isEqualTo(0xBEEF);
    assertThat(echo.sequence()).isEqualTo(0x8001);
  }

  @ParameterizedTest
  @CsvSource({Packets.ECHO_REQUEST + "," + Packets.ECHO_REPLY,
      Packets.ECHO_REQUEST_WITH_OPTIONS + "," + Packets.ECHO_REPLY_WITHOUT_OPTIONS})
  void aReplySendsTheDataBackWithoutOptionsAndPadding(String request, String reply) {
    assertThat(hex(echo(bytes(request)).orElseThrow().reply())).isEqualTo(reply);
  }

  @Test
  void aReplyLeavesTheRequestAsItWas() {
    byte[] request = bytes(Packets.ECHO_REQUEST);

    echo(request).orElseThrow().reply();

    assertThat(hex(request)).isEqualTo(Packets.ECHO_REQUEST);
  }

  @Test
  void everySingleBitIsCoveredByTheChecksum() {
    int bytes = bytes(Packets.ECHO_REQUEST).length - PAYLOAD;
    for (int bit = 0; bit < bytes * 8; bit++) {
      byte[] frame = bytes(Packets.ECHO_REQUEST);
      frame[PAYLOAD + bit / 8] ^= (byte) (1 << bit % 8);

      assertThat(echo(frame)).as("bit %d", bit).isEmpty();
    }
  }

  @Test
  void theChecksumCoversTheLastByteOfAnOddNumber() {
    byte[] frame = bytes(Packets.ECHO_REPLY_WITHOUT_OPTIONS);
    frame[frame.length - 1] ^= 1;

    assertThat(echo(frame)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"03", "05", "0b", "0d", "80", "09", "88"})
  void otherMessagesAreNone(String type) {
    assertThat(echo(withPayloadChecksum(with(Packets.ECHO_REQUEST, PAYLOAD, type)))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"01", "ff"})
  void anotherCodeIsNoEcho(String code) {
    assertThat(echo(withPayloadChecksum(with(Packets.ECHO_REQUEST, PAYLOAD + 1, code)))).isEmpty();
  }

  @Test
  void anotherProtocolIsNone() {
    assertThat(echo(withHeaderChecksum(with(Packets.ECHO_REQUEST, IP + 9, "3a")))).isEmpty();
  }

  @Test
  void aMessageWithoutDataIsWhole() {
    byte[] frame = withPayloadChecksum(withHeaderChecksum(with(Packets.ECHO_REQUEST, IP + 2, "001c")));

    assertThat(echo(frame)).isPresent();
  }

  @Test
  void aMessageThatIsShorterThanItsHeaderIsNone() {
    // Seven bytes that add up: 08 00, their inverse, and zeros.
    byte[] frame = withHeaderChecksum(with(Packets.ECHO_REQUEST, IP + 2, "001b"));
    System.arraycopy(bytes("0800f7ff00000000"), 0, frame, PAYLOAD, 8);

    assertThat(Ipv4Packet.of(frame)).isPresent();
    assertThat(echo(frame)).isEmpty();
  }

  private static Optional<IcmpEcho> echo(byte[] frame) {
    return Ipv4Packet.of(frame).flatMap(IcmpEcho::of);
  }
}
