package dev.pageferry.agent.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class TunnelEndsTest {
  private final TunnelEnd a = new TunnelEnd("host-a", socket(1, 4789), 0);
  private final TunnelEnd b = new TunnelEnd("host-b", socket(2, 4789), 0);
  private final TunnelEnd b2 = new TunnelEnd("host-b2", socket(2, 4790), 0);
  private final TunnelEnd visitor = new TunnelEnd("visitor/1", socket(3, 5000), 7);
  private final TunnelEnds ends = new TunnelEnds(List.of(a, b, b2, visitor));

  @Test
  void aSenderIsKnownByItsAddressAndPort() {
    assertThat(ends.sender(socket(1, 4789))).isEqualTo(a);
    assertThat(ends.sender(socket(2, 4789))).isEqualTo(b);
    assertThat(ends.sender(socket(2, 4790))).isEqualTo(b2);
    assertThat(ends.sender(socket(3, 5000))).isEqualTo(visitor);
  }

  @Test
  void oneThatIsAloneAtItsAddressMaySendFromAnyPort() {
    assertThat(ends.sender(socket(1, 40_000))).isEqualTo(a);
    assertThat(ends.sender(socket(3, 1))).isEqualTo(visitor);
  }

  @Test
  void oneOfSeveralAtAnAddressIsNotGuessed() {
    assertThat(ends.sender(socket(2, 40_000))).isNull();
  }

  @Test
  void nobodyElseIsKnown() {
    assertThat(ends.sender(socket(4, 4789))).isNull();
    assertThat(TunnelEnds.NONE.sender(socket(1, 4789))).isNull();
    assertThat(TunnelEnds.NONE.all()).isEmpty();
  }

  @Test
  void anEndIsFoundByItsName() {
    assertThat(ends.named("host-b2")).contains(b2);
    assertThat(ends.named("visitor/1")).contains(visitor);
    assertThat(ends.named("host-c")).isEmpty();
  }

  @Test
  void allEndsAreThereOnce() {
    assertThat(ends.all()).containsExactlyInAnyOrder(a, b, b2, visitor);
  }

  @ParameterizedTest
  @CsvSource({"0, 1, true", "0, 16777215, true", "7, 7, true", "7, 8, false", "7, 1, false"})
  void anEndIsOnAllNetworksOrOnOne(int vni, int network, boolean isOn) {
    assertThat(new TunnelEnd("x", socket(1, 1), vni).isOn(network)).isEqualTo(isOn);
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0x1000000})
  void networksThatThereAreNotAreRefused(int vni) {
    assertThatIllegalArgumentException().isThrownBy(() -> new TunnelEnd("x", socket(1, 1), vni))
        .withMessageContaining(Integer.toString(vni));
  }

  @Test
  void addressesToWhichNothingCanBeSentAreRefused() {
    assertThatIllegalArgumentException().isThrownBy(() -> new TunnelEnd("host-x", socket(1, 0), 0))
        .withMessageContaining("host-x");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new TunnelEnd("host-x", InetSocketAddress.createUnresolved("nowhere", 4789), 0))
        .withMessageContaining("nowhere");
  }

  private static InetSocketAddress socket(int host, int port) {
    try {
      return new InetSocketAddress(InetAddress.getByAddress(new byte[]{10, 0, 0, (byte) host}), port);
    } catch (UnknownHostException e) {
      throw new AssertionError(e);
    }
  }
}
