package dev.pageferry.agent.network;

import static dev.pageferry.agent.network.Frames.VNI;
import static dev.pageferry.agent.network.Frames.card;
import static dev.pageferry.agent.network.Frames.mac;
import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.network.SwitchPort.PortService;
import dev.pageferry.agent.network.VirtualSwitch.Tunnels;
import dev.pageferry.agent.network.VirtualSwitch.UplinkOf;
import dev.pageferry.common.packet.ArpPacket;
import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.MacAddress;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Announcements on a loop whose time the test moves. */
final class AnnouncementsTest {
  private final EmbeddedChannel loop = new EmbeddedChannel();
  private final List<byte[]> sent = new ArrayList<>();
  private final SwitchCounters counters = new SwitchCounters();
  private final Tunnels wire = new Tunnels() {
    @Override
    public void tellOthers(int vni, byte[] frame) {
      throw new AssertionError("all of them are on the same uplink");
    }

    @Override
    public void send(RemoteEnd end, int vni, byte[] frame, Learning learning) {
      throw new AssertionError("an announcement is for all");
    }

    @Override
    public void flood(int vni, byte[] frame) {
      assertThat(vni).isEqualTo(VNI);
      sent.add(frame);
    }
  };
  private final VirtualSwitch theSwitch = new VirtualSwitch(new UplinkOf() {
    @Override
    public Uplink of(int vni) {
      return wire;
    }

    @Override
    public Tunnels tunnels() {
      return wire;
    }
  }, (vni, probe) -> Optional.empty(), counters, () -> 1);
  private final Announcements announcements = new Announcements(theSwitch, () -> {
  }, loop.eventLoop());
  private final SwitchPort port = new SwitchPort(card(1), true, new PortService() {
    @Override
    public void schedule(SwitchPort unused) {
    }

    @Override
    public void execute(Runnable task) {
      task.run();
    }

    @Override
    public void drain(SwitchPort unused) {
    }
  }, counters, () -> 1);

  @BeforeEach
  void freeze() {
    loop.freezeTime();
    theSwitch.attach(port);
    theSwitch.activate(port);
  }

  private Set<MacAddress> start(BooleanSupplier isOurs) {
    Set<MacAddress> answers = announcements.start(List.of(port), isOurs);
    loop.runPendingTasks();
    return answers;
  }

  private void passMillis(int millis) {
    loop.advanceTimeBy(millis, TimeUnit.MILLISECONDS);
    loop.runScheduledPendingTasks();
  }

  private long reverseRequests() {
    return sent.stream().filter(each -> EthernetFrame.type(each) == EthernetFrame.TYPE_RARP).count();
  }

  @Test
  void fiveAreSentAtTheTimesThatSwitchesAreKnownToNeed() {
    start(() -> true);
    List<Long> seen = new ArrayList<>();
    seen.add(reverseRequests());
    for (int millis : List.of(49, 1, 149, 1, 249, 1, 349, 1, 5000)) {
      passMillis(millis);
      seen.add(reverseRequests());
    }

    assertThat(seen).containsExactly(1L, 1L, 2L, 2L, 3L, 3L, 4L, 4L, 5L, 5L);
  }

  @Test
  void besideEachGoesAGratuitousArpForTheAddress() {
    start(() -> true);
    passMillis(1000);

    List<ArpPacket> gratuitous = sent.stream()
        .filter(each -> EthernetFrame.type(each) == EthernetFrame.TYPE_ARP).flatMap(each -> ArpPacket.of(each).stream())
        .toList();
    assertThat(gratuitous).hasSize(5).allSatisfy(arp -> {
      assertThat(arp.sender()).isEqualTo(arp.target()).isEqualTo(card(1).address());
      assertThat(arp.senderMac()).isEqualTo(mac(1));
    });
  }

  @Test
  void noFrameIsSentOnceTheVmIsAnotherHosts() {
    boolean[] ours = {true};
    start(() -> ours[0]);
    passMillis(50);
    int before = sent.size();

    ours[0] = false;
    passMillis(5000);

    assertThat(before).isPositive();
    assertThat(sent).hasSize(before);
  }

  @Test
  void theEpochIsAskedBeforeEveryFrameNotOnlyBeforeEachTurn() {
    int[] asked = {0};
    start(() -> ++asked[0] == 1);

    assertThat(asked[0]).isEqualTo(3);
    assertThat(sent).hasSize(1);
  }

  @Test
  void aPortThatWasHandedOverIsNotAnnounced() {
    start(() -> true);
    int before = sent.size();
    theSwitch.handOver(port, null);

    passMillis(5000);

    assertThat(sent).hasSize(before);
  }

  @Test
  void switchesThatAnswerAreCountedOnceEach() {
    Set<MacAddress> answers = start(() -> true);
    passMillis(50);
    List<ReachabilityProbe> questions = sent.stream().filter(
        each -> EthernetFrame.type(each) == EthernetFrame.TYPE_LOCAL_EXPERIMENT)
        .flatMap(each -> ReachabilityProbe.of(each).stream()).toList();

    questions.forEach(each -> announcements.answered(each.answer(mac(50))));
    announcements.answered(questions.getFirst().answer(mac(51)));
    announcements.answered(new ReachabilityProbe(false, mac(52), mac(1), questions.getFirst().nonce() + 1));

    assertThat(questions).hasSize(2);
    assertThat(answers).containsExactlyInAnyOrder(mac(50), mac(51));
  }

  @Test
  void lateAnswersAreNobodys() {
    Set<MacAddress> answers = start(() -> true);
    ReachabilityProbe question = sent.stream().flatMap(each -> ReachabilityProbe.of(each).stream()).findFirst()
        .orElseThrow();
    passMillis(10_000);

    announcements.answered(question.answer(mac(50)));

    assertThat(answers).isEmpty();
  }
}
