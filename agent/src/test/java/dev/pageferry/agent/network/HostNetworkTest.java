package dev.pageferry.agent.network;

import static dev.pageferry.agent.network.Frames.VNI;
import static dev.pageferry.agent.network.Frames.broadcast;
import static dev.pageferry.agent.network.Frames.card;
import static dev.pageferry.agent.network.Frames.frame;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.VxlanHeader;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A host's network over real sockets; the test is the other end of the tunnel. */
@Timeout(60)
final class HostNetworkTest {
  private static final int CLIENT = 100;

  private final HostNetwork network = new HostNetwork("host-a", Ticker.SYSTEM);
  private DatagramSocket client;
  private int port;

  @BeforeEach
  void open() throws Exception {
    port = network.listenForVxlan(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    client = new DatagramSocket(0, InetAddress.getLoopbackAddress());
    client.setSoTimeout(10_000);
    network.tell(List.of(new TunnelEnd("client", (InetSocketAddress) client.getLocalSocketAddress(), VNI, false)));
  }

  @AfterEach
  void close() {
    client.close();
    network.close();
  }

  private void send(byte[] datagram) throws IOException {
    client.send(new DatagramPacket(datagram, datagram.length, InetAddress.getLoopbackAddress(), port));
  }

  private static byte[] vxlan(int vni, byte[] frame) {
    return ByteBuffer.allocate(VxlanHeader.BYTES + frame.length).putLong(VxlanHeader.encode(vni)).put(frame).array();
  }

  private byte[] receive() throws IOException {
    DatagramPacket packet = new DatagramPacket(new byte[2048], 2048);
    client.receive(packet);
    return Arrays.copyOf(packet.getData(), packet.getLength());
  }

  private SwitchPort live(int number) throws Exception {
    SwitchPort plugged = network.attach(card(number), true);
    network.activate(plugged);
    awaitLoop();
    return plugged;
  }

  /** Sockets are served by the same loop, and may be served first. */
  private void awaitLoop() throws Exception {
    SwitchPort barrier = network.attach(card(99), true);
    var unused = network.handOver(barrier, "nowhere").get();
    network.detach(barrier);
  }

  @Test
  void framesCrossTheTunnelBothWaysAsTheyAre() throws Exception {
    SwitchPort card = live(1);
    byte[] question = frame(CLIENT, 1);
    byte[] answer = frame(1, CLIENT);

    send(vxlan(VNI, question));
    await().until(card::hasFrames);
    assertThat(card.take()).isEqualTo(question);
    card.send(answer);

    assertThat(receive()).isEqualTo(vxlan(VNI, answer));
  }

  @Test
  void aFrameOfTheLargestSizeFits() throws Exception {
    SwitchPort card = live(1);
    byte[] frame = Arrays.copyOf(frame(CLIENT, 1), EthernetFrame.MAX_BYTES);

    send(vxlan(VNI, frame));

    await().until(card::hasFrames);
    assertThat(card.take()).isEqualTo(frame);
  }

  @Test
  void malformedDatagramsOfEveryKindAreDroppedAndCountedAndTheNextGoodOneArrives() throws Exception {
    SwitchPort card = live(1);
    byte[] withoutFlag = vxlan(VNI, frame(CLIENT, 1));
    withoutFlag[0] = 0;

    send(new byte[0]);
    send(new byte[7]);
    send(vxlan(VNI, new byte[13]));
    send(vxlan(VNI, new byte[EthernetFrame.MAX_BYTES + 1]));
    send(vxlan(VNI, new byte[40_000]));
    send(withoutFlag);
    send(vxlan(VNI + 1, frame(CLIENT, 1)));
    byte[] good = frame(CLIENT, 1);
    send(vxlan(VNI, good));

    await().until(card::hasFrames);
    assertThat(card.take()).isEqualTo(good);
    assertThat(card.take()).isNull();
    assertThat(network.counters().dropped(Drop.MALFORMED_DATAGRAM)).isEqualTo(6);
    assertThat(network.counters().dropped(Drop.FOREIGN_NETWORK)).isEqualTo(1);
  }

  @Test
  void randomDatagramsHarmNobody() throws Exception {
    SwitchPort card = live(1);
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int i = 0; i < 20_000; i++) {
      byte[] datagram = new byte[random.nextInt(120)];
      random.nextBytes(datagram);
      if (datagram.length > 8 && random.nextBoolean()) {
        // Past the header's checks now and then.
        ByteBuffer.wrap(datagram).putLong(VxlanHeader.encode(VNI));
      }
      send(datagram);
    }
    byte[] good = frame(CLIENT, 1);
    // The socket's buffer may have been full.
    await().pollInterval(20, TimeUnit.MILLISECONDS).untilAsserted(() -> {
      send(vxlan(VNI, good));
      byte[] taken = card.take();
      while (taken != null && !Arrays.equals(taken, good)) {
        taken = card.take();
      }
      assertThat(taken).as("seed %d", seed).isEqualTo(good);
    });
  }

  @Test
  void aSenderThatNobodyToldUsOfIsNotHeard() throws Exception {
    SwitchPort card = live(1);
    try (DatagramSocket stranger = new DatagramSocket(0, InetAddress.getByName("127.0.0.9"))) {
      byte[] datagram = vxlan(VNI, frame(CLIENT, 1));
      stranger.send(new DatagramPacket(datagram, datagram.length, InetAddress.getLoopbackAddress(), port));
      await().until(() -> network.counters().dropped(Drop.UNKNOWN_SENDER) == 1);
    }
    assertThat(card.hasFrames()).isFalse();
  }

  @Test
  void aLinuxHostIsKnownByItsAddressWhicheverPortItSendsFrom() throws Exception {
    SwitchPort card = live(1);
    try (DatagramSocket sender = new DatagramSocket(0, InetAddress.getByName("127.0.0.8"))) {
      network.tell(List.of(new TunnelEnd("linux", new InetSocketAddress("127.0.0.8", 4789), VNI, true)));
      byte[] datagram = vxlan(VNI, frame(CLIENT, 1));
      await().pollInterval(20, TimeUnit.MILLISECONDS).until(() -> {
        sender.send(new DatagramPacket(datagram, datagram.length, InetAddress.getLoopbackAddress(), port));
        return card.hasFrames();
      });
    }
  }

  @Test
  void aFloodFromOneCardDoesNotKeepAnothersFrameWaitingBehindIt() throws Exception {
    SwitchPort flooding = live(1);
    SwitchPort other = live(2);
    Thread flood = Thread.ofPlatform().daemon().start(() -> {
      // To itself as it were: nobody has that address, and the test's socket is spared.
      byte[] frame = frame(1, 2);
      while (!Thread.currentThread().isInterrupted()) {
        flooding.send(frame.clone());
      }
    });
    try {
      await().until(() -> network.counters().dropped(Drop.PORT_FULL) > 10_000);
      other.send(frame(2, CLIENT));

      assertThat(receive()).isEqualTo(vxlan(VNI, frame(2, CLIENT)));
    } finally {
      flood.interrupt();
      flood.join();
    }
  }

  @Test
  void whoeverWaitsUntilAllIsSentFindsItSent() throws Exception {
    SwitchPort card = live(1);
    for (int i = 0; i < SwitchPort.QUEUE_FRAMES; i++) {
      card.send(broadcast(1));
    }

    assertThat(card.awaitSent()).isTrue();

    assertThat(network.counters().flooded()).isEqualTo(SwitchPort.QUEUE_FRAMES);
  }

  @Test
  void allThatIsHeldForAVmGoesAfterItHoweverLargeItsFramesAre() throws Exception {
    network.tell(List.of(new TunnelEnd("client", (InetSocketAddress) client.getLocalSocketAddress(), VNI, false),
        new TunnelEnd("host-b", (InetSocketAddress) client.getLocalSocketAddress(), 0, false)));
    client.setReceiveBufferSize(4 << 20);
    SwitchPort card = live(1);
    SwitchPort neighbour = live(2);
    byte[] frame = Arrays.copyOf(frame(2, 1), EthernetFrame.MAX_BYTES);
    for (int i = 0; i < SwitchPort.QUEUE_FRAMES; i++) {
      neighbour.send(frame.clone());
    }
    neighbour.awaitSent();

    network.handOver(card, "host-b").get();

    assertThat(network.counters().relayed()).isEqualTo(SwitchPort.QUEUE_FRAMES);
    assertThat(network.counters().dropped(Drop.UPLINK_FULL)).isZero();
    byte[] passedOn = receive();
    assertThat(VxlanHeader.mayBeLearned(ByteBuffer.wrap(passedOn).getLong())).isFalse();
  }

  @Test
  void whileThisHostMayRunNobodyItsVmsAreNotHeard() throws Exception {
    SwitchPort card = live(1);
    network.permitWhile(() -> false);
    card.send(frame(1, CLIENT));
    assertThat(card.awaitSent()).isTrue();
    assertThat(network.counters().dropped(Drop.SILENT)).isEqualTo(1);

    network.permitWhile(() -> true);
    card.send(frame(1, CLIENT));

    assertThat(receive()).isEqualTo(vxlan(VNI, frame(1, CLIENT)));
    assertThat(network.counters().flooded()).isEqualTo(1);
  }

  @Test
  void anAddressThatIsTakenIsRefusedByName() {
    HostNetwork second = new HostNetwork("host-b", Ticker.SYSTEM);
    try {
      assertThatThrownBy(
          () -> second.listenForVxlan(new InetSocketAddress(InetAddress.getLoopbackAddress(), port)))
          .isInstanceOf(IOException.class).hasMessageContaining("cannot listen for VXLAN")
          .hasMessageContaining(String.valueOf(port));
    } finally {
      second.close();
    }
  }

  @Test
  void anInterfaceThatIsNotThereIsRefusedByName() {
    assertThatThrownBy(() -> network.useInterface(InterfaceUplink.parse("nothere0@7")))
        .isInstanceOf(IOException.class).hasMessageContaining("nothere0");
  }
}
