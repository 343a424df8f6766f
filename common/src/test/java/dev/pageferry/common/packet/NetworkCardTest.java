package dev.pageferry.common.packet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class NetworkCardTest {
  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {"02:00:00:00:00:01                       | 1        | 10.0.0.1",
      "02-FF-FE-80-81-82@1                     | 1        | 10.128.129.130",
      "02:00:00:ff:ff:ff@16777215              | 16777215 | 10.255.255.255",
      "02:00:00:00:00:01,ip=192.168.1.2        | 1        | 192.168.1.2",
      "02:00:00:00:00:01@77,ip=223.255.255.255 | 77       | 223.255.255.255"})
  void aCardIsReadAndGetsANetworkAndAnAddressWhereNoneIsGiven(String text, int vni, String address) {
    NetworkCard card = NetworkCard.parse(text);

    assertThat(card.mac()).isEqualTo(MacAddress.parse(text.substring(0, 17)));
    assertThat(card.vni()).isEqualTo(vni);
    assertThat(card.address()).hasToString(address);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {"02:00:00:00:00 | 02:00:00:00:00", "@5 | MAC", ",ip=10.0.0.1 | MAC",
      "01:00:00:00:00:01 | group bit", "00:00:00:00:00:00 | zero", "02:00:00:00:00:01@ | VNI ''",
      "02:00:00:00:00:01@0 | VNI 0", "02:00:00:00:00:01@-1 | VNI -1", "02:00:00:00:00:01@16777216 | VNI 16777216",
      "02:00:00:00:00:01@x | VNI 'x'", "02:00:00:00:00:01@1@2 | VNI '1@2'",
      "02:00:00:00:00:01@99999999999 | VNI '99999999999'", "02:00:00:00:00:01, | '' of network card",
      "02:00:00:00:00:01,10.0.0.1 | '10.0.0.1' of network card", "02:00:00:00:00:01,IP=10.0.0.1 | IP=10.0.0.1",
      "02:00:00:00:00:01,ip= | ''", "02:00:00:00:00:01,ip=10.0.0.256 | 10.0.0.256",
      "02:00:00:00:00:01,ip=10.0.0.1,ip=10.0.0.2 | 10.0.0.1,ip=10.0.0.2",
      "02:00:00:00:00:01,ip=10.0.0.1@2 | 10.0.0.1@2", "02:00:00:00:00:01,ip=127.0.0.1 | 127.0.0.1",
      "02:00:00:00:00:01,ip=0.0.0.0 | 0.0.0.0", "02:00:00:00:00:01,ip=224.0.0.1 | 224.0.0.1"})
  void whatIsNoCardIsRefusedByName(String text, String named) {
    assertThatIllegalArgumentException().isThrownBy(() -> NetworkCard.parse(text)).withMessageContaining(named);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 0xFFFFFF})
  void networksHaveNumbersOf24BitsWithoutZero(int vni) {
    assertThat(NetworkCard.checkVni(vni)).isEqualTo(vni);
    assertThat(NetworkCard.parseVni(Integer.toString(vni))).isEqualTo(vni);
  }

  @Test
  void aCardIsNamedByItsAddressAndNetwork() {
    assertThat(NetworkCard.parse("02-AB-00-00-00-01@7,ip=10.9.9.9")).hasToString("02:ab:00:00:00:01@7");
  }
}
