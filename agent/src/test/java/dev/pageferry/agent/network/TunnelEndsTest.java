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
  private final TunnelEnd a = new TunnelEnd("host-a", socket(1, 4789), 0, false);
  private final TunnelEnd b = new TunnelEnd("host-b", socket(2, 4789), 0, false);
  private final TunnelEnd b2 = new TunnelEnd("host-b2", socket(2, 4790), 0, false);
  private final TunnelEnd visitor = new TunnelEnd("visitor/1", socket(3, 5000), 7, false);
  private final TunnelEnd linux = new TunnelEnd("linux", socket(3, 4789), 7, true);
  private final TunnelEnd linux8 = new TunnelEnd("linux8", socket(3, 4790), 8, true);
  private final TunnelEnds ends = new TunnelEnds(List.of(a, b, b2, visitor, linux, linux8));

  @Test
  void aSenderIsKnownByItsAddressAndPort() {
    assertThat(ends.sender(socket(1, 4789), 1)).isEqualTo(a);
    assertThat(ends.sender(socket(2, 4789), 1)).isEqualTo(b);
    assertThat(ends.sender(socket(2, 4790), 1)).isEqualTo(b2);
    assertThat(ends.sender(socket(3, 5000), 7)).isEqualTo(visitor);
  }

  @Test
  void aHostSendsFromItsPortOnly() {
    assertThat(ends.sender(socket(1, 40_000), 1)).isNull();
    assertThat(ends.isKnown(socket(1, 40_000))).isFalse();
  }

  @Test
  void aLinuxHostSendsFromAnyPortWhoeverElseIsAtItsAddress() {
    assertThat(ends.sender(socket(3, 40_000), 7)).isEqualTo(linux);
    assertThat(ends.sender(socket(3, 40_000), 8)).isEqualTo(linux8);
    assertThat(ends.isKnown(socket(3, 40_000))).isTrue();
  }

  @Test
  void nobodyIsOnANetworkThatItWasNotLetInto() {
    assertThat(ends.sender(socket(3, 40_000), 9)).isNull();
    assertThat(ends.sender(socket(3, 5000), 9)).isNull();
  }

  @Test
  void nobodyElseIsKnown() {
    assertThat(ends.sender(socket(4, 4789), 1)).isNull();
    assertThat(ends.isKnown(socket(4, 4789))).isFalse();
    assertThat(TunnelEnds.NONE.sender(socket(1, 4789), 1)).isNull();
    assertThat(TunnelEnds.NONE.all()).isEmpty();
  }

  @Test
  void onlyAHostIsFoundByItsName() {
    assertThat(ends.host("host-b2")).contains(b2);
    assertThat(ends.host("visitor/1")).isEmpty();
    assertThat(ends.host("linux")).isEmpty();
    assertThat(ends.host("host-c")).isEmpty();
  }

  @Test
  void allEndsAreThereOnce() {
    assertThat(ends.all()).containsExactlyInAnyOrder(a, b, b2, visitor, linux, linux8);
  }

  @ParameterizedTest
  @CsvSource({"0, 1, true", "0, 16777215, true", "7, 7, true", "7, 8, false", "7, 1, false"})
  void anEndIsOnAllNetworksOrOnOne(int vni, int network, boolean isOn) {
    assertThat(new TunnelEnd("x", socket(1, 1), vni, false).isOn(network)).isEqualTo(isOn);
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0x1000000})
  void networksThatThereAreNotAreRefused(int vni) {
    assertThatIllegalArgumentException().isThrownBy(() -> new TunnelEnd("x", socket(1, 1), vni, false))
        .withMessageContaining(Integer.toString(vni));
  }

  @Test
  void addressesToWhichNothingCanBeSentAreRefused() {
    assertThatIllegalArgumentException().isThrownBy(() -> new TunnelEnd("host-x", socket(1, 0), 0, false))
        .withMessageContaining("host-x");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new TunnelEnd("host-x", InetSocketAddress.createUnresolved("nowhere", 4789), 0, false))
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
