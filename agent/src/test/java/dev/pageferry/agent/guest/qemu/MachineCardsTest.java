package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.disk.DiskFormat;
import dev.pageferry.agent.network.Drop;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.agent.network.SwitchPort;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.NetworkCard;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Cards of a machine in a switch that a test holds up. */
@Timeout(60)
class MachineCardsTest {
  private static final int VNI = 7;
  private static final int PAYLOAD_BYTES = 1000;
  private static final int FRAME_BYTES = Integer.BYTES + EthernetFrame.HEADER_BYTES + PAYLOAD_BYTES;
  /** Some twenty times of what sockets and queues between QEMU and the switch hold. */
  private static final int MANY = 20_000;
  /** For as long as it finds no room QEMU counts as held up. */
  private static final long HELD_UP_MILLIS = 500;

  @TempDir
  Path machines;
  private final CountDownLatch switchGoesOn = new CountDownLatch(1);
  private HostNetwork network;
  private MachineFiles files;
  private ServerSocketChannel listener;
  private MachineCards cards;
  private SocketChannel qemu;

  private static NetworkCard card(int number) {
    return new NetworkCard(new MacAddress(0x02_00_00_00_00_00L + number), VNI, new Ipv4Address(10 << 24 | number));
  }

  @BeforeEach
  void plugIn() throws Exception {
    network = new HostNetwork("host-a", Scheduler.SYSTEM);
    network.permitWhile(this::permitted);
    SwitchPort receiver = network.attach(card(2), false);
    network.activate(receiver);
    files = MachineFiles.create(machines.resolve("vm-1"));
    listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    listener.bind(UnixDomainSocketAddress.of(files.card(0)));
    QemuSpec spec = new QemuSpec(new VmId("vm-1"), "tux", 1 << 20, 1, "pc-i440fx-10.0", "qemu64", Accelerator.TCG,
        Optional.empty(), Optional.empty(), List.of(new DiskDescription("boot", DiskFormat.RAW, 512, "")), List.of(),
        List.of(card(1)), List.of());
    cards = new MachineCards(spec, files, network, () -> true, Scheduler.SYSTEM);
    cards.plugIn();
    qemu = listener.accept();
    qemu.configureBlocking(false);
    cards.plugged().orElseThrow().activate(() -> true);
    cards.passFrames();
  }

  @AfterEach
  void close() throws Exception {
    switchGoesOn.countDown();
    cards.close();
    qemu.close();
    listener.close();
    files.close();
    network.close();
  }

  /** The switch's own thread is held up where it asks. */
  private boolean permitted() {
    if (Thread.currentThread().getName().startsWith("switch")) {
      try {
        switchGoesOn.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    return true;
  }

  private static ByteBuffer frames(int count) {
    byte[] frame = EthernetFrame.of(card(2).mac(), card(1).mac(), EthernetFrame.TYPE_IPV4, PAYLOAD_BYTES);
    ByteBuffer all = ByteBuffer.allocate(count * FRAME_BYTES);
    for (int i = 0; i < count; i++) {
      all.putInt(frame.length).put(frame);
    }
    return all.flip();
  }

  /** Writes until all is written, or there was no room for a while. */
  private void writeUntilHeldUp(ByteBuffer frames) throws IOException {
    try (Selector selector = Selector.open()) {
      SelectionKey key = qemu.register(selector, SelectionKey.OP_WRITE);
      while (frames.hasRemaining() && selector.select(HELD_UP_MILLIS) > 0) {
        selector.selectedKeys().clear();
        int unused = qemu.write(frames);
      }
      key.cancel();
    }
  }

  private void assertNothingDropped() {
    assertThat(network.counters().dropped(Drop.PORT_FULL)).isZero();
    assertThat(network.counters().dropped(Drop.SILENT)).isZero();
  }

  @Test
  void aGuestThatSendsFasterThanTheSwitchForwardsWaitsAndGoesOnAfterwards() throws Exception {
    ByteBuffer frames = frames(MANY);
    writeUntilHeldUp(frames);
    assertThat(frames.position()).as("what is kept between QEMU and a switch that does not go on")
        .isLessThan(MANY / 4 * FRAME_BYTES);

    switchGoesOn.countDown();
    writeUntilHeldUp(frames);
    assertThat(frames.hasRemaining()).isFalse();
    await().until(() -> network.counters().forwarded() == MANY);
    assertNothingDropped();
  }

  @Test
  void aPauseWaitsUntilWhatWasHeldUpHasLeftTheSwitch() throws Exception {
    // More than the switch's queue and one read hold.
    int sent = 350;
    ByteBuffer frames = frames(sent);
    writeUntilHeldUp(frames);
    assertThat(frames.hasRemaining()).isFalse();
    cards.holdFrames();
    CountDownLatch asked = new CountDownLatch(1);
    Thread pause = Thread.ofPlatform().start(() -> {
      asked.countDown();
      try {
        cards.awaitSent();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });
    asked.await();
    switchGoesOn.countDown();
    pause.join();
    assertThat(network.counters().forwarded()).isEqualTo(sent);
    assertNothingDropped();
  }
}
