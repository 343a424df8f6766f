package dev.pageferry.agent.network;

import static dev.pageferry.agent.network.Frames.VNI;
import static dev.pageferry.agent.network.Frames.broadcast;
import static dev.pageferry.agent.network.Frames.card;
import static dev.pageferry.agent.network.Frames.frame;
import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.network.Uplink.Learning;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class VirtualSwitchTest extends SwitchFixture {
  @Test
  void framesBetweenCardsOfOneHostStayThere() {
    SwitchPort one = live(card(1));
    SwitchPort other = live(card(2));
    byte[] frame = frame(1, 2);

    theSwitch.fromPort(one, frame);

    assertThat(taken(other)).containsExactly(frame);
    assertThat(taken(one)).isEmpty();
    assertThat(tunnels.sent).isEmpty();
  }

  @Test
  void aFrameForAnUnknownStationIsFloodedAndTheAnswerIsLearned() {
    SwitchPort port = live(card(1));

    theSwitch.fromPort(port, frame(1, CLIENT));
    fromHost(HOST_B, frame(CLIENT, 1));
    theSwitch.fromPort(port, frame(1, CLIENT));

    assertThat(tunnels.receivers()).containsExactly(null, HOST_B);
    assertThat(taken(port)).hasSize(1);
  }

  @Test
  void aStationThatMovesIsLearnedAnew() {
    SwitchPort port = live(card(1));
    fromHost(HOST_B, broadcast(CLIENT));
    fromHost(HOST_C, broadcast(CLIENT));

    theSwitch.fromPort(port, frame(1, CLIENT));

    assertThat(tunnels.receivers()).containsExactly(HOST_C);
  }

  @Test
  void whatWasNotHeardOfForFiveMinutesIsFloodedAgain() {
    SwitchPort port = live(card(1));
    fromHost(HOST_B, broadcast(CLIENT));
    now += AddressTable.AGE.toNanos() + 1;

    theSwitch.fromPort(port, frame(1, CLIENT));

    assertThat(tunnels.receivers()).containsExactly((RemoteEnd) null);
  }

  @Test
  void aBroadcastGoesToAllOthersOfItsNetworkAndOverTheUplinkOnce() {
    SwitchPort sender = live(card(1));
    SwitchPort neighbour = live(card(2));
    SwitchPort stranger = live(card(3, 8));

    theSwitch.fromPort(sender, broadcast(1));

    assertThat(taken(neighbour)).hasSize(1);
    assertThat(taken(sender)).isEmpty();
    assertThat(taken(stranger)).isEmpty();
    assertThat(tunnels.sent).singleElement().satisfies(sent -> assertThat(sent.vni()).isEqualTo(VNI));
  }

  @Test
  void aCardThatStandsByIsSilentAndHoldsWhatComesFromElsewhere() {
    SwitchPort port = standby(card(1));

    theSwitch.fromPort(port, broadcast(1));
    theSwitch.announce(port, broadcast(1));
    fromHost(HOST_B, frame(CLIENT, 1));

    assertThat(tunnels.sent).isEmpty();
    assertThat(counters.dropped(Drop.SILENT)).isEqualTo(1);
    assertThat(taken(port)).hasSize(1);
  }

  @Test
  void untilAVmIsActivatedItsNeighboursReachItAtItsSource() {
    SwitchPort neighbour = live(card(2));
    SwitchPort arriving = standby(card(1));
    fromHost(HOST_B, broadcast(1));

    theSwitch.fromPort(neighbour, frame(2, 1));
    theSwitch.fromPort(neighbour, broadcast(2));

    assertThat(tunnels.receivers()).containsExactly(HOST_B, null);
    // Only the frame that came over the tunnel.
    assertThat(taken(arriving)).hasSize(1);
  }

  @Test
  void anActivatedVmIsReachedHereAtOnce() {
    SwitchPort neighbour = live(card(2));
    fromHost(HOST_B, broadcast(1));
    SwitchPort arriving = live(card(1));

    theSwitch.fromPort(neighbour, frame(2, 1));

    assertThat(taken(arriving)).hasSize(1);
    assertThat(tunnels.sent).isEmpty();
  }

  @Test
  void whatIsHeldForAVmGoesAfterItWhenItMoves() {
    SwitchPort port = live(card(1));
    byte[] request = frame(CLIENT, 1);
    fromHost(HOST_C, request);
    fromHost(HOST_C, broadcast(CLIENT));

    theSwitch.handOver(port, HOST_B);

    // Not the broadcast, which the destination got itself.
    assertThat(tunnels.sent).singleElement()
        .isEqualTo(new Sent(HOST_B, VNI, request, Learning.FORBIDDEN));
  }

  @Test
  void whatStillComesForAVmThatMovedGoesAfterItForTwoSeconds() {
    SwitchPort port = live(card(1));
    theSwitch.handOver(port, HOST_B);

    fromHost(HOST_C, frame(CLIENT, 1));
    now += TimeUnit.SECONDS.toNanos(2) + 1;
    fromHost(HOST_C, frame(CLIENT, 1));

    assertThat(tunnels.receivers()).containsExactly(HOST_B);
    assertThat(counters.dropped(Drop.NOT_HERE)).isEqualTo(1);
  }

  @Test
  void nothingIsSentBackToWhereItCameFrom() {
    SwitchPort port = live(card(1));
    theSwitch.handOver(port, HOST_B);

    fromHost(HOST_B, frame(CLIENT, 1));

    assertThat(tunnels.sent).isEmpty();
  }

  @Test
  void theSourceForgetsTheAddressAtOnce() {
    SwitchPort neighbour = live(card(2));
    SwitchPort leaving = live(card(1));

    theSwitch.handOver(leaving, HOST_B);
    theSwitch.fromPort(neighbour, frame(2, 1));
    theSwitch.fromPort(leaving, broadcast(1));

    assertThat(tunnels.receivers()).containsExactly(HOST_B);
    assertThat(counters.dropped(Drop.SILENT)).isEqualTo(1);
  }

  @Test
  void aRelayFollowsAVmThatMovesOn() {
    SwitchPort port = live(card(1));
    theSwitch.handOver(port, HOST_B);
    fromHost(HOST_C, broadcast(1));

    fromHost(HOST_B, frame(CLIENT, 1));

    assertThat(tunnels.receivers()).containsExactly(HOST_C);
  }

  @Test
  void aVmThatComesBackIsNotRelayedAnyMore() {
    SwitchPort port = live(card(1));
    theSwitch.handOver(port, HOST_B);
    SwitchPort back = live(card(1));

    fromHost(HOST_C, frame(CLIENT, 1));

    assertThat(taken(back)).hasSize(1);
    assertThat(tunnels.sent).isEmpty();
  }

  @Test
  void aVmThatIsGivenBackIsHereAgain() {
    SwitchPort port = live(card(1));
    theSwitch.handOver(port, HOST_B);
    theSwitch.activate(port);

    fromHost(HOST_C, frame(CLIENT, 1));
    theSwitch.fromPort(port, frame(1, CLIENT));

    assertThat(taken(port)).hasSize(1);
    assertThat(tunnels.receivers()).containsExactly(HOST_C);
  }

  @Test
  void aSecondHandOverChangesNothing() {
    SwitchPort neighbour = live(card(2));
    SwitchPort port = live(card(1));
    theSwitch.handOver(port, HOST_B);
    fromHost(HOST_C, broadcast(1));

    theSwitch.handOver(port, HOST_B);
    theSwitch.fromPort(neighbour, frame(2, 1));

    assertThat(tunnels.receivers()).containsExactly(HOST_C);
  }

  @Test
  void aClosedPortDoesNotComeBack() {
    SwitchPort port = live(card(1));
    theSwitch.detach(port);
    theSwitch.activate(port);

    fromHost(HOST_B, frame(CLIENT, 1));
    fromHost(HOST_B, broadcast(1));

    assertThat(taken(port)).isEmpty();
    assertThat(counters.dropped(Drop.ADDRESS_CLAIMED)).isZero();
  }

  @Test
  void onlyAHostMakesARelayFollowIt() {
    SwitchPort port = live(card(1));
    TunnelEnd visitor = new TunnelEnd("visitor/1", HOST_C.address(), VNI, false);
    theSwitch.handOver(port, HOST_B);
    fromHost(visitor, broadcast(1));

    fromHost(HOST_C, frame(CLIENT, 1));

    assertThat(tunnels.receivers()).containsExactly(HOST_B);
  }

  @Test
  void aVisitorOfANetworkOnAnInterfaceIsAnsweredThroughItsTunnelAndHearsAnnouncements() {
    TunnelEnd visitor = new TunnelEnd("visitor/1", HOST_C.address(), WIRED_VNI, false);
    SwitchPort port = live(card(1, WIRED_VNI));
    theSwitch.fromUplink(visitor, WIRED_VNI, frame(CLIENT, 1), Learning.ALLOWED);

    theSwitch.fromPort(port, frame(1, CLIENT));
    theSwitch.fromPort(port, frame(1, 55));
    theSwitch.announce(port, broadcast(1));

    assertThat(tunnels.receivers()).containsExactly(visitor);
    assertThat(wire.receivers()).containsExactly(null, null);
    assertThat(tunnels.told).isEqualTo(1);
  }

  @Test
  void whatIsHeldForAVmOnAnInterfaceGoesAfterItThroughTheTunnel() {
    SwitchPort port = live(card(1, WIRED_VNI));
    theSwitch.fromUplink(PacketUplink.Wire.INSTANCE, WIRED_VNI, frame(CLIENT, 1), Learning.ALLOWED);

    theSwitch.handOver(port, HOST_B);

    assertThat(tunnels.receivers()).containsExactly(HOST_B);
    assertThat(wire.sent).isEmpty();
  }

  @Test
  void whereNobodyKnowsTheDestinationWhatIsHeldIsDroppedAndCounted() {
    SwitchPort port = live(card(1));
    fromHost(HOST_C, frame(CLIENT, 1));

    theSwitch.handOver(port, null);

    assertThat(tunnels.sent).isEmpty();
    assertThat(counters.dropped(Drop.LEFT_BEHIND)).isEqualTo(1);
  }

  @Test
  void aCardThatIsPluggedInAgainTakesThePlaceOfTheOneBefore() {
    SwitchPort before = live(card(1));
    SwitchPort after = live(card(1));
    theSwitch.detach(before);

    fromHost(HOST_B, frame(CLIENT, 1));

    assertThat(taken(after)).hasSize(1);
    assertThat(taken(before)).isEmpty();
  }

  @Test
  void whatWasBehindAHostThatIsGoneIsForgotten() {
    SwitchPort port = live(card(1));
    fromHost(HOST_B, broadcast(CLIENT));
    theSwitch.retain(Set.of(HOST_C));

    theSwitch.fromPort(port, frame(1, CLIENT));

    assertThat(tunnels.receivers()).containsExactly((RemoteEnd) null);
  }
}
