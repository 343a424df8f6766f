package dev.pageferry.agent.guest.builtin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.disk.AllowedPaths;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.HeldDisks;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.agent.network.SwitchPort;
import dev.pageferry.agent.ownership.Rulings;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.packet.ArpPacket;
import dev.pageferry.common.packet.Endpoints;
import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.IcmpEcho;
import dev.pageferry.common.packet.Ipv4Packet;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.packet.UdpDatagram;
import dev.pageferry.common.time.Ticker;
import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A VM's network cards on a host's switch; the test is another station there. */
@Timeout(60)
final class GuestNetworkTest {
  private static final long MEMORY = 8 << 20;
  private static final NetworkCard CARD = NetworkCard.parse("02:00:00:00:00:01@7,ip=10.0.0.5");
  private static final NetworkCard CLIENT = NetworkCard.parse("02:00:00:00:00:99@7,ip=10.0.0.9");

  private final HostMemory memory = new HostMemory(4 * MEMORY);
  private final HostNetwork network = new HostNetwork("host-a", Ticker.SYSTEM);
  private final VmFactory factory = new VmFactory(memory, GuestDisks.NONE, Optional.of(network), AllowedPaths.ANY,
      Ticker.SYSTEM);
  private final HostedGuests guests = new HostedGuests();
  private final SwitchPort client = network.attach(CLIENT, true);

  @AfterEach
  void close() {
    guests.close();
    network.close();
  }

  private static VmSpec spec(String program) {
    ProgramSpec parsed = new ProgramSpec(program, Vms.arguments(), VmSpec.programBytes(MEMORY, 1), 1);
    return new VmSpec(new VmId("vm-1"), "test", MEMORY, 1, parsed, Optional.empty(), Optional.empty(), List.of(),
        List.of(CARD));
  }

  private VirtualMachine boot(String program) throws Exception {
    network.activate(client);
    VirtualMachine vm = Booted.vm(factory, spec(program), 1);
    guests.adopt(vm, new OwnershipEpoch(1));
    vm.resume(PauseReason.OPERATOR);
    return vm;
  }

  private static byte[] ping(int sequence) {
    return IcmpEcho.request(new Endpoints(CLIENT.mac(), CLIENT.address(), CARD.mac(), CARD.address()), 1, sequence, 56);
  }

  /** The next frame for the client that is not an announcement. */
  private byte[] answer() {
    return await().until(this::takeAnswer, Optional::isPresent).orElseThrow();
  }

  private Optional<byte[]> takeAnswer() {
    for (byte[] frame = client.take(); frame != null; frame = client.take()) {
      if (!EthernetFrame.destination(frame).isGroup()) {
        return Optional.of(frame);
      }
    }
    return Optional.empty();
  }

  private static IcmpEcho echo(byte[] frame) {
    return Ipv4Packet.of(frame).flatMap(IcmpEcho::of).orElseThrow();
  }

  @Test
  void aGuestAnswersWhereItsAddressIs() throws Exception {
    try (VirtualMachine vm = boot("idle")) {
      client.send(ArpPacket.request(CLIENT.mac(), CLIENT.address(), CARD.address()));

      assertThat(ArpPacket.of(answer()).orElseThrow())
          .isEqualTo(new ArpPacket(ArpPacket.REPLY, CARD.mac(), CARD.address(), CLIENT.mac(), CLIENT.address()));
      assertThat(vm.networkArrival()).isPresent();
    }
  }

  @Test
  void aPausedGuestAnswersWhenItRunsAgainAndNotBefore() throws Exception {
    try (VirtualMachine vm = boot("idle")) {
      vm.pause(PauseReason.MIGRATION);
      client.send(ping(1));
      client.send(ping(2));
      assertThat(client.awaitSent()).isTrue();
      assertThat(takeAnswer()).isEmpty();

      vm.runOn(Rulings.leaveToRun());

      assertThat(echo(answer()).sequence()).isEqualTo(1);
      assertThat(echo(answer()).sequence()).isEqualTo(2);
    }
  }

  @Test
  void aPausedGuestHasSentAllThatItAnsweredAndChangesNoPage() throws Exception {
    try (VirtualMachine vm = boot("idle")) {
      for (int i = 0; i < 200; i++) {
        client.send(ping(i));
      }
      vm.pause(PauseReason.MIGRATION);
      PageBitmap drained = new PageBitmap(vm.ram().pageCount());
      vm.dirtyLog().harvest(drained);
      String before = vm.digest().memoryDigest();
      client.send(ping(300));
      assertThat(client.awaitSent()).isTrue();

      PageBitmap after = new PageBitmap(vm.ram().pageCount());
      vm.dirtyLog().harvest(after);

      assertThat(after.cardinality()).isZero();
      assertThat(vm.digest().memoryDigest()).isEqualTo(before);
    }
  }

  @Test
  void receivedFramesDirtyPagesAtTheEndOfRam() throws Exception {
    try (VirtualMachine vm = boot("idle")) {
      PageBitmap unused = new PageBitmap(vm.ram().pageCount());
      vm.dirtyLog().harvest(unused);
      client.send(ping(1));
      answer();
      PageBitmap written = new PageBitmap(vm.ram().pageCount());
      vm.pause(PauseReason.MIGRATION);
      vm.dirtyLog().harvest(written);

      assertThat(written.cardinality()).isPositive();
      assertThat(written.next(0, vm.ram().pageCount()))
          .isGreaterThanOrEqualTo(vm.spec().serviceMemory().firstPage());
    }
  }

  @Test
  void aGuestWhoseHostMayRunNobodyAnswersNobody() throws Exception {
    network.activate(client);
    AtomicBoolean permitted = new AtomicBoolean();
    try (VirtualMachine vm = VirtualMachine.skeleton(spec("idle"), memory, Optional.of(network),
        new HeldDisks(GuestDisks.NONE, permitted::get),
        Ticker.SYSTEM)) {
      vm.load(vm.spec().bootState(List.of()), EnumSet.noneOf(PauseReason.class));
      vm.runOn(Rulings.leaveToRun());
      guests.adopt(vm, new OwnershipEpoch(1));
      client.send(ping(1));
      assertThat(client.awaitSent()).isTrue();
      assertThat(takeAnswer()).isEmpty();

      permitted.set(true);

      assertThat(echo(answer()).sequence()).isEqualTo(1);
    }
  }

  @Test
  void aGuestThatIsNotThisHostsYetHoldsFramesAndIsSilent() throws Exception {
    network.activate(client);
    try (VirtualMachine vm = factory.skeleton(spec("idle"))) {
      vm.load(vm.spec().bootState(List.of()), EnumSet.of(PauseReason.MIGRATION));
      assertThat(client.hasFrames()).isFalse();

      guests.adopt(vm, new OwnershipEpoch(2));

      // The first that is heard of it is how switches learn where it is.
      await().until(client::hasFrames);
      assertThat(client.take()).isEqualTo(ArpPacket.reverse(CARD.mac()));
    }
  }

  @Test
  void aVerifiedGuestIsComparedButForWhatTheNetworkFed() throws Exception {
    try (VirtualMachine vm = boot("uniform")) {
      await().until(() -> vm.steps() > 5_000);
      client.send(ping(1));
      answer();

      Replayable.Result result = vm.verify((steps, total) -> {
      });

      assertThat(result.identical()).isTrue();
      assertThat(result.networkPages()).isEqualTo(vm.spec().serviceMemory().pages()).isPositive();
    }
  }

  @Test
  void damageInWhatTheNetworkFedIsFoundByItsOwnChecker() throws Exception {
    try (VirtualMachine vm = boot("idle")) {
      long lastPage = vm.ram().pageCount() - 1;
      vm.pause(PauseReason.OPERATOR);
      vm.ram().putLong(lastPage * 4096, 0x0101010101010101L);

      Replayable.Result result = vm.verify((steps, total) -> {
      });

      assertThat(result.identical()).isFalse();
      assertThat(result.firstDifference()).hasValue(vm.spec().serviceMemory().firstPage());
    }
  }

  @Test
  void datagramsAreEchoed() throws Exception {
    try (VirtualMachine vm = boot("idle")) {
      byte[] data = "over and out".getBytes(StandardCharsets.US_ASCII);
      client.send(UdpDatagram.frame(new Endpoints(CLIENT.mac(), CLIENT.address(), CARD.mac(), CARD.address()), 5555, 7,
          data));

      UdpDatagram echoed = Ipv4Packet.of(answer()).flatMap(UdpDatagram::of).orElseThrow();

      assertThat(echoed.data()).isEqualTo(data);
      assertThat(echoed.destinationPort()).isEqualTo(5555);
      assertThat(vm.isPaused()).isFalse();
    }
  }

  @Test
  void aGuestWithCardsNeedsMemoryForThemAndAHostWithANetwork() throws Exception {
    assertThatIllegalArgumentException().isThrownBy(() -> VmSpec.programBytes(1 << 20, 1))
        .withMessageContaining("4 MiB");
    VmFactory bare = new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM);
    assertThatThrownBy(() -> Booted.vm(bare, spec("idle"), 1))
        .isInstanceOf(IllegalStateException.class).hasMessageContaining("network");
    assertThat(memory.freeBytes()).isEqualTo(4 * MEMORY);
  }
}
