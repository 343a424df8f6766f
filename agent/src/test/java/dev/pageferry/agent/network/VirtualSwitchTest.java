package dev.pageferry.agent.network;

import static dev.pageferry.agent.network.Frames.VNI;
import static dev.pageferry.agent.network.Frames.broadcast;
import static dev.pageferry.agent.network.Frames.card;
import static dev.pageferry.agent.network.Frames.frame;
import static dev.pageferry.agent.network.Frames.host;
import static dev.pageferry.agent.network.Frames.mac;
import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.network.SwitchPort.PortService;
import dev.pageferry.agent.network.Uplink.Learning;
import dev.pageferry.agent.network.VirtualSwitch.Tunnels;
import dev.pageferry.agent.network.VirtualSwitch.UplinkOf;
import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.NetworkCard;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class VirtualSwitchTest {
  private static final TunnelEnd HOST_B = host("host-b", 2);
  private static final TunnelEnd HOST_C = host("host-c", 3);
  private static final int CLIENT = 100;
  /** A network on a real interface. */
  private static final int WIRED_VNI = 9;

  private long now = 1;
  private final Recorded tunnels = new Recorded();
  private final Recorded wire = new Recorded();
  private final SwitchCounters counters = new SwitchCounters();
  private final VirtualSwitch theSwitch = new VirtualSwitch(new UplinkOf() {
    @Override
    public Uplink of(int vni) {
      return vni == WIRED_VNI ? wire : tunnels;
    }

    @Override
    public Tunnels tunnels() {
      return tunnels;
    }
  }, (vni, probe) -> Optional.empty(), counters, () -> now);

  private record Sent(@Nullable RemoteEnd end, int vni, byte[] frame, Learning learning) {
  }

  /** What left the host. */
  private static final class Recorded implements Tunnels {
    private final List<Sent> sent = new ArrayList<>();
    private int told;

    @Override
    public void send(RemoteEnd end, int vni, byte[] frame, Learning learning) {
      sent.add(new Sent(end, vni, frame, learning));
    }

    @Override
    public void flood(int vni, byte[] frame) {
      sent.add(new Sent(null, vni, frame, Learning.ALLOWED));
    }

    @Override
    public void tellOthers(int vni, byte[] frame) {
      told++;
    }

    List<@Nullable RemoteEnd> receivers() {
      return sent.stream().<@Nullable RemoteEnd>map(Sent::end).toList();
    }
  }

  private SwitchPort standby(NetworkCard card) {
    SwitchPort port = new SwitchPort(card, new PortService() {
      @Override
      public void schedule(SwitchPort unused) {
        throw new AssertionError("the test forwards by hand");
      }

      @Override
      public void execute(Runnable task) {
        task.run();
      }

      @Override
      public void drain(SwitchPort unused) {
        throw new AssertionError("the test forwards by hand");
      }
    }, counters, () -> now);
    theSwitch.attach(port);
    return port;
  }

  private SwitchPort live(NetworkCard card) {
    SwitchPort port = standby(card);
    theSwitch.activate(port);
    return port;
  }

  private void fromHost(TunnelEnd end, byte[] frame) {
    theSwitch.fromUplink(end, VNI, frame, Learning.ALLOWED);
  }

  private static List<byte[]> taken(SwitchPort port) {
    List<byte[]> frames = new ArrayList<>();
    for (byte[] frame = port.take(); frame != null; frame = port.take()) {
      frames.add(frame);
    }
    return frames;
  }

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
  void whatWasPassedOnTeachesNobodyWhereItsSenderIs() {
    SwitchPort port = live(card(1));
    theSwitch.fromUplink(HOST_B, VNI, frame(CLIENT, 1), Learning.FORBIDDEN);

    theSwitch.fromPort(port, frame(1, CLIENT));

    assertThat(tunnels.receivers()).containsExactly((RemoteEnd) null);
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
