package dev.pageferry.common.packet;

import static dev.pageferry.common.packet.Packets.ADDRESS;
import static dev.pageferry.common.packet.Packets.MAC;
import static dev.pageferry.common.packet.Packets.OTHER_ADDRESS;
import static dev.pageferry.common.packet.Packets.OTHER_MAC;
import static dev.pageferry.common.packet.Packets.bytes;
import static dev.pageferry.common.packet.Packets.hex;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Golden bytes by RFC 826, RFC 903 and RFC 5227. */
final class ArpPacketTest {
  @Test
  void aRequestGoesToEverybodyAndNamesNoTargetMac() {
    assertThat(hex(ArpPacket.request(MAC, ADDRESS, OTHER_ADDRESS))).isEqualTo(Packets.ARP_REQUEST);
  }

  @Test
  void aReplyGoesToWhoeverAskedAndSaysWhoHasTheAddress() {
    ArpPacket request = ArpPacket.of(bytes(Packets.ARP_REQUEST)).orElseThrow();

    assertThat(hex(request.reply(OTHER_MAC))).isEqualTo(Packets.ARP_REPLY);
  }

  @Test
  void anAnnouncementIsARequestForOnesOwnAddress() {
    assertThat(hex(ArpPacket.gratuitous(MAC, ADDRESS))).isEqualTo(Packets.GRATUITOUS_ARP);
  }

  @Test
  void aReverseRequestAsksForTheCardItself() {
    assertThat(hex(ArpPacket.reverse(MAC))).isEqualTo(Packets.REVERSE_ARP);
    assertThat(ArpPacket.reverse(MAC)).hasSize(60);
  }

  @Test
  void allFieldsOfAReplyAreRead() {
    assertThat(ArpPacket.of(bytes(Packets.ARP_REPLY)))
        .contains(new ArpPacket(ArpPacket.REPLY, OTHER_MAC, OTHER_ADDRESS, MAC, ADDRESS));
  }

  @Test
  void addressesWithHighBitsAreReadAsTheyAre() {
    byte[] frame = Packets.with(Packets.ARP_REPLY, 20,
        "ffff" + "fefdfcfbfaf9" + "fffefdfc" + "f8f7f6f5f4f3" + "80818283");

    assertThat(ArpPacket.of(frame)).contains(new ArpPacket(0xFFFF, MacAddress.parse("fe:fd:fc:fb:fa:f9"),
        Ipv4Address.parse("255.254.253.252"), MacAddress.parse("f8:f7:f6:f5:f4:f3"),
        Ipv4Address.parse("128.129.130.131")));
  }

  @Test
  void aPacketWithoutPaddingIsRead() {
    assertThat(ArpPacket.of(Packets.cut(bytes(Packets.ARP_REQUEST), 42)))
        .isEqualTo(ArpPacket.of(bytes(Packets.ARP_REQUEST))).isPresent();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 13, 14, 41})
  void aPacketThatIsCutOffIsNone(int length) {
    assertThat(ArpPacket.of(Packets.cut(bytes(Packets.ARP_REQUEST), length))).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"14, 0006", "15, 00", "16, 86dd", "17, 01", "18, 08", "19, 10", "18, 0406"})
  void whatIsNotForIpv4OverEthernetIsNone(int offset, String other) {
    assertThat(ArpPacket.of(Packets.with(Packets.ARP_REQUEST, offset, other))).isEmpty();
  }
}
