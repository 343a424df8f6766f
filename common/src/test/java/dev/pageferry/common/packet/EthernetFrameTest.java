package dev.pageferry.common.packet;

import static dev.pageferry.common.packet.Packets.bytes;
import static dev.pageferry.common.packet.Packets.hex;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class EthernetFrameTest {
  @Test
  void aFrameStartsWithWhereItGoesWhereItComesFromAndWhatItIs() {
    byte[] frame = EthernetFrame.of(Packets.OTHER_MAC, Packets.MAC, EthernetFrame.TYPE_RARP, 3);

    assertThat(hex(frame)).isEqualTo("06112233aabb02a1b2c3d4e58035000000");
    assertThat(EthernetFrame.destination(frame)).isEqualTo(Packets.OTHER_MAC);
    assertThat(EthernetFrame.source(frame)).isEqualTo(Packets.MAC);
    assertThat(EthernetFrame.type(frame)).isEqualTo(0x8035);
  }

  @ParameterizedTest
  @ValueSource(ints = {14, 15, 59, 60, 1513, 1514})
  void aFrameFromAHeaderToAPayloadOf1500BytesIsWellFormed(int length) {
    assertThat(EthernetFrame.isWellFormed(Packets.cut(bytes(Packets.ARP_REQUEST), length))).isTrue();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 6, 11, 12, 13, 1515, 1518, 9000})
  void aFrameThatIsCutOffOrTooLongIsNot(int length) {
    assertThat(EthernetFrame.isWellFormed(Packets.cut(bytes(Packets.ARP_REQUEST), length))).isFalse();
  }

  @ParameterizedTest
  @CsvSource({"0600, true", "0800, true", "0806, true", "80ff, true", "8100, false", "8101, true", "88b5, true",
      "86dd, true", "ffff, true", "05ff, false", "05dc, false", "0000, false"})
  void lengthsAndVlanTagsAreNoTypesThatAreForwarded(String type, boolean forwarded) {
    assertThat(EthernetFrame.isWellFormed(bytes("06112233aabb02a1b2c3d4e5" + type + "0000"))).isEqualTo(forwarded);
  }

  @ParameterizedTest
  @CsvSource({"02a1b2c3d4e5, true", "000000000001, true", "000000000000, false", "03a1b2c3d4e5, false",
      "ffffffffffff, false", "010000000000, false"})
  void onlyOneStationSendsAFrame(String source, boolean forwarded) {
    assertThat(EthernetFrame.isWellFormed(bytes("06112233aabb" + source + "0800"))).isEqualTo(forwarded);
  }

  @ParameterizedTest
  @ValueSource(strings = {"ffffffffffff", "01005e000001", "02a1b2c3d4e5"})
  void aFrameMayGoToOneOrToMany(String destination) {
    assertThat(EthernetFrame.isWellFormed(bytes(destination + "06112233aabb" + "0800"))).isTrue();
  }
}
