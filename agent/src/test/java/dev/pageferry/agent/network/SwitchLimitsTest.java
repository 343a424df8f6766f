package dev.pageferry.agent.network;

import static dev.pageferry.agent.network.Frames.VNI;
import static dev.pageferry.agent.network.Frames.broadcast;
import static dev.pageferry.agent.network.Frames.card;
import static dev.pageferry.agent.network.Frames.frame;
import static dev.pageferry.agent.network.Frames.mac;
import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.network.Uplink.Learning;
import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.MacAddress;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the switch does not let through, and what it keeps no longer. */
final class SwitchLimitsTest extends SwitchFixture {
  @Test
  void noFrameOfOneNetworkReachesAnother() {
    SwitchPort here = live(card(1));
    // The same addresses on another network.
    SwitchPort there = live(card(1, 8));
    SwitchPort thereToo = live(card(2, 8));

    theSwitch.fromPort(here, frame(1, 2));
    theSwitch.fromUplink(HOST_B, VNI, frame(CLIENT, 2), Learning.ALLOWED);
    theSwitch.fromUplink(HOST_B, VNI, broadcast(CLIENT), Learning.ALLOWED);

    assertThat(taken(there)).isEmpty();
    assertThat(taken(thereToo)).isEmpty();
    assertThat(taken(here)).hasSize(1);
    assertThat(tunnels.sent).allSatisfy(sent -> assertThat(sent.vni()).isEqualTo(VNI));
  }

  @Test
  void whatComesOverAnUplinkNeverLeavesOverOne() {
    SwitchPort port = live(card(1));

    fromHost(HOST_B, broadcast(CLIENT));
    fromHost(HOST_B, frame(CLIENT, 55));
    fromHost(HOST_C, frame(55, CLIENT));

    assertThat(tunnels.sent).isEmpty();
    assertThat(taken(port)).hasSize(1);
    assertThat(counters.dropped(Drop.NOT_HERE)).isEqualTo(2);
  }

  @Test
  void aCardSendsOnlyWithItsOwnAddress() {
    SwitchPort port = live(card(1));

    theSwitch.fromPort(port, frame(2, CLIENT));

    assertThat(tunnels.sent).isEmpty();
    assertThat(counters.dropped(Drop.SPOOFED)).isEqualTo(1);
  }

  @Test
  void nobodyTakesTheAddressOfACardThatIsHere() {
    SwitchPort port = live(card(1));
    SwitchPort other = live(card(2));

    fromHost(HOST_B, broadcast(1));
    theSwitch.fromPort(other, frame(2, 1));

    assertThat(counters.dropped(Drop.ADDRESS_CLAIMED)).isEqualTo(1);
    assertThat(taken(port)).hasSize(1);
    assertThat(tunnels.sent).isEmpty();
  }

  @Test
  void whatWasPassedOnTeachesNobodyWhereItsSenderIs() {
    SwitchPort port = live(card(1));
    theSwitch.fromUplink(HOST_B, VNI, frame(CLIENT, 1), Learning.FORBIDDEN);

    theSwitch.fromPort(port, frame(1, CLIENT));

    assertThat(tunnels.receivers()).containsExactly((RemoteEnd) null);
  }

  @Test
  void framesThatNobodyTakesFillABoundedQueueAndNoMore() {
    byte[] last = new byte[0];
    SwitchPort port = live(card(1));
    SwitchPort neighbour = live(card(2));

    for (int i = 0; i < 10_000; i++) {
      byte[] frame = frame(CLIENT, 1);
      last = frame;
      fromHost(HOST_B, frame);
    }
    fromHost(HOST_B, frame(CLIENT, 2));

    // The newest are those that somebody still waits for.
    assertThat(taken(port)).hasSize(SwitchPort.QUEUE_FRAMES).last().isSameAs(last);
    assertThat(counters.dropped(Drop.CARD_FULL)).isEqualTo(10_000 - SwitchPort.QUEUE_FRAMES);
    assertThat(taken(neighbour)).hasSize(1);
  }

  @Test
  void whatWasHeldForTooLongIsDroppedAndCounted() {
    SwitchPort port = live(card(1));
    fromHost(HOST_B, frame(CLIENT, 1));
    now += SwitchPort.LONGEST_HOLD.toNanos() + 1;
    byte[] fresh = frame(CLIENT, 1);
    fromHost(HOST_B, fresh);

    assertThat(taken(port)).containsExactly(fresh);
    assertThat(counters.dropped(Drop.HELD_TOO_LONG)).isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 13, EthernetFrame.MAX_BYTES + 1, 9000})
  void framesOfImpossibleLengthAreDroppedAndCounted(int bytes) {
    SwitchPort port = live(card(1));
    byte[] frame = new byte[bytes];

    fromHost(HOST_B, frame);
    theSwitch.fromPort(port, frame);

    assertThat(counters.dropped(Drop.MALFORMED_FRAME)).isEqualTo(2);
    assertThat(taken(port)).isEmpty();
    assertThat(tunnels.sent).isEmpty();
  }

  @Test
  void sendersThatCannotBeAndTagsAndLengthsInsteadOfTypesAreDropped() {
    SwitchPort port = live(card(1));

    fromHost(HOST_B, frame(MacAddress.BROADCAST, mac(1)));
    fromHost(HOST_B, frame(MacAddress.ZERO, mac(1)));
    fromHost(HOST_B, EthernetFrame.of(mac(1), mac(CLIENT), EthernetFrame.TYPE_VLAN, 46));
    fromHost(HOST_B, EthernetFrame.of(mac(1), mac(CLIENT), 0x0026, 46));

    assertThat(counters.dropped(Drop.MALFORMED_FRAME)).isEqualTo(4);
    assertThat(taken(port)).isEmpty();
  }
}
