package dev.pageferry.agent.service;

import static dev.pageferry.agent.service.Datagrams.GET;
import static dev.pageferry.agent.service.Datagrams.NOTHING;
import static dev.pageferry.agent.service.Datagrams.PUT;
import static dev.pageferry.agent.service.Datagrams.ascii;
import static dev.pageferry.agent.service.Datagrams.datagram;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.service.Datagrams.Answer;
import dev.pageferry.common.packet.ArpPacket;
import dev.pageferry.common.packet.Endpoints;
import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.IcmpEcho;
import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.common.packet.Ipv4Packet;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.packet.UdpDatagram;
import dev.pageferry.common.page.PageSize;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.SortedSet;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class GuestServicesTest {
  private static final MacAddress PEER = MacAddress.parse("02:a1:b2:c3:d4:e5");
  private static final Ipv4Address PEER_ADDRESS = Ipv4Address.parse("10.1.2.3");
  private static final NetworkCard CARD = NetworkCard.parse("06:11:22:33:aa:bb@1,ip=192.168.77.254");
  private static final NetworkCard SECOND = NetworkCard.parse("06:11:22:33:aa:cc@2,ip=192.168.77.253");
  private static final Endpoints TO_CARD = new Endpoints(PEER, PEER_ADDRESS, CARD.mac(), CARD.address());
  private static final int PROGRAM_PAGES = 3;

  private GuestRam guest;
  private GuestServices services;

  @BeforeEach
  void create() throws Exception {
    guest = new GuestRam(new ServiceMemory(PROGRAM_PAGES, 2, 256));
    services = start();
  }

  @AfterEach
  void close() {
    guest.close();
  }

  private GuestServices start() {
    return new GuestServices(List.of(CARD, SECOND), guest.layout, guest.memory);
  }

  /** Golden bytes computed by another program, as those below. */
  @Test
  void whoeverAsksForTheCardsAddressIsTold() {
    assertThat(exchange("ffffffffffff02a1b2c3d4e50806" + "0001080006040001" + "02a1b2c3d4e50a010203"
        + "000000000000c0a84dfe" + "00".repeat(18))).isEqualTo("02a1b2c3d4e506112233aabb0806" + "0001080006040002"
            + "06112233aabbc0a84dfe" + "02a1b2c3d4e50a010203" + "00".repeat(18));
  }

  @Test
  void nobodyElsesAddressIsAnswered() {
    assertThat(services.receive(0, ArpPacket.request(PEER, PEER_ADDRESS, SECOND.address()))).isEmpty();
    assertThat(services.receive(0, ArpPacket.request(PEER, PEER_ADDRESS, Ipv4Address.ANY))).isEmpty();
    assertThat(services.receive(0, ArpPacket.gratuitous(PEER, PEER_ADDRESS))).isEmpty();
    assertThat(services.receive(1, ArpPacket.request(PEER, PEER_ADDRESS, CARD.address()))).isEmpty();
    assertThat(services.receive(1, ArpPacket.request(PEER, PEER_ADDRESS, SECOND.address()))).hasValueSatisfying(
        answer -> assertThat(EthernetFrame.source(answer)).isEqualTo(SECOND.mac()));
  }

  @Test
  void onlyQuestionsAreAnswered() {
    byte[] request = ArpPacket.request(PEER, PEER_ADDRESS, CARD.address());
    assertThat(services.receive(0, request)).isPresent();
    for (int operation : new int[]{0, 2, 3, 4}) {
      byte[] other = request.clone();
      other[21] = (byte) operation;
      assertThat(services.receive(0, other)).as("operation %d", operation).isEmpty();
    }
    assertThat(services.receive(0, ArpPacket.reverse(PEER))).isEmpty();
  }

  @Test
  void anEchoIsSentBack() {
    assertThat(exchange("06112233aabb02a1b2c3d4e50800" + "46100025abcd00000301ee4f0a010203c0a84dfe01010100"
        + "080093ec123400076665727279" + "000000")).isEqualTo("02a1b2c3d4e506112233aabb0800"
            + "450000210000400040012032c0a84dfe0a010203" + "00009bec123400076665727279");
  }

  @Test
  void aDatagramToTheEchoPortIsSentBack() {
    byte[] answer = services.receive(0, UdpDatagram.frame(TO_CARD, 40_000, 7, ascii("hello"))).orElseThrow();

    UdpDatagram echo = datagramOf(answer);
    assertThat(echo.sourcePort()).isEqualTo(7);
    assertThat(echo.destinationPort()).isEqualTo(40_000);
    assertThat(echo.data()).isEqualTo(ascii("hello"));
    assertThat(EthernetFrame.destination(answer)).isEqualTo(PEER);
    assertThat(echo.packet().destination()).isEqualTo(PEER_ADDRESS);
  }

  @Test
  void theLongestDatagramIsSentBackWhole() {
    byte[] data = new byte[UdpDatagram.MAX_DATA_BYTES];
    new Random(1).nextBytes(data);

    byte[] answer = services.receive(0, UdpDatagram.frame(TO_CARD, 1, 7, data)).orElseThrow();

    assertThat(datagramOf(answer).data()).isEqualTo(data);
  }

  @Test
  void theKeyValueStoreAnswersOnItsPort() throws Exception {
    assertThat(services.receive(0, keyValue(PUT, 1, "value"))).isPresent();
    byte[] answer = services.receive(1, UdpDatagram.frame(
        new Endpoints(PEER, PEER_ADDRESS, SECOND.mac(), SECOND.address()), 5, 7070,
        datagram(GET, ascii("key"), 9, 1, NOTHING))).orElseThrow();

    assertThat(datagramOf(answer).sourcePort()).isEqualTo(7070);
    assertThat(Answer.of(datagramOf(answer).data())).hasToString("OK version 1 'value'");
    assertThat(services.check()).isEqualTo(1);
    assertThat(services.receive(0, UdpDatagram.frame(TO_CARD, 5, 7070, ascii("no request")))).isEmpty();
  }

  @Test
  void otherPortsAndProtocolsAreNotAnswered() {
    for (int port : new int[]{0, 1, 6, 8, 53, 7069, 7071, 65_535}) {
      assertThat(services.receive(0, UdpDatagram.frame(TO_CARD, 7, port, ascii("hello")))).as("port %d", port)
          .isEmpty();
    }
    assertThat(services.receive(0, EthernetFrame.of(CARD.mac(), PEER, 0x86DD, 100))).isEmpty();
    assertThat(services.receive(0, EthernetFrame.of(CARD.mac(), PEER, EthernetFrame.TYPE_IPV4, 100))).isEmpty();
    assertThat(services.receive(0, EthernetFrame.of(CARD.mac(), PEER, EthernetFrame.TYPE_ARP, 46))).isEmpty();
    assertThat(services.receive(0, EthernetFrame.of(CARD.mac(), PEER, 0x88B5, 46))).isEmpty();
  }

  @Test
  void onlyWhatIsForTheCardIsAnswered() {
    List<Endpoints> others = List.of(new Endpoints(PEER, PEER_ADDRESS, MacAddress.BROADCAST, CARD.address()),
        new Endpoints(PEER, PEER_ADDRESS, SECOND.mac(), CARD.address()),
        new Endpoints(PEER, PEER_ADDRESS, CARD.mac(), SECOND.address()),
        new Endpoints(PEER, PEER_ADDRESS, CARD.mac(), Ipv4Address.parse("255.255.255.255")));
    for (Endpoints each : others) {
      assertThat(services.receive(0, IcmpEcho.request(each, 1, 1, 8))).as("echo %s", each).isEmpty();
      assertThat(services.receive(0, UdpDatagram.frame(each, 1, 7, ascii("x")))).as("datagram %s", each).isEmpty();
    }
    assertThat(services.receive(0, IcmpEcho.request(TO_CARD, 1, 1, 8))).isPresent();
    assertThat(services.receive(0, UdpDatagram.frame(TO_CARD, 1, 7, ascii("x")))).isPresent();
  }

  @Test
  void anEchoReplyAndDamagedPacketsAreNotAnswered() {
    byte[] echo = IcmpEcho.request(TO_CARD, 1, 1, 8);
    byte[] answer = services.receive(0, echo).orElseThrow();
    byte[] back = answer.clone();
    System.arraycopy(echo, 0, back, 0, 12);
    // The addresses of a reply to us; the sum over both of them is the same.
    System.arraycopy(echo, 26, back, 26, 8);
    assertThat(Ipv4Packet.of(back).flatMap(IcmpEcho::of)).as("a reply that is whole").isPresent();
    assertThat(services.receive(0, back)).isEmpty();

    for (int offset : new int[]{14, 24, 34, 36, 49}) {
      byte[] damaged = echo.clone();
      damaged[offset] ^= 1;
      assertThat(services.receive(0, damaged)).as("echo, offset %d", offset).isEmpty();
    }
    byte[] datagram = UdpDatagram.frame(TO_CARD, 1, 7, ascii("hello"));
    datagram[44] ^= 1;
    assertThat(services.receive(0, datagram)).isEmpty();
  }

  @Test
  void everyFrameIsCopiedIntoTheNextBufferOfItsCardsRing() {
    Random random = new Random(1);
    for (int i = 0; i < 70; i++) {
      if (i == 40) {
        // On another host: the counters are in RAM.
        services = start();
      }
      for (int card = 0; card < 2; card++) {
        byte[] frame = EthernetFrame.of(PEER, CARD.mac(), 0x1234, random.nextInt(1501));
        random.nextBytes(frame);
        frame[12] = 0x12;
        services.receive(card, frame);

        long buffer = PageSize.bytesOf(PROGRAM_PAGES + card * 17L + 1) + i % 32 * 2048L;
        assertThat(guest.bytes(buffer, frame.length)).as("frame %d of card %d", i, card).isEqualTo(frame);
        assertThat(guest.ram.getLong(PageSize.bytesOf(PROGRAM_PAGES + card * 17L))).isEqualTo(i + 1);
      }
    }
  }

  @Test
  void aFrameThatIsTakenMarksItsBufferAndTheCounter() {
    services.receive(0, EthernetFrame.of(CARD.mac(), PEER, 0x1234, 1500));
    assertThat(guest.harvest()).containsExactly((long) PROGRAM_PAGES, PROGRAM_PAGES + 1L);

    services.receive(1, EthernetFrame.of(SECOND.mac(), PEER, 0x1234, 0));
    assertThat(guest.harvest()).containsExactly(PROGRAM_PAGES + 17L, PROGRAM_PAGES + 18L);

    for (int i = 1; i < 31; i++) {
      services.receive(0, EthernetFrame.of(CARD.mac(), PEER, 0x1234, 1500));
    }
    guest.harvest();
    services.receive(0, EthernetFrame.of(CARD.mac(), PEER, 0x1234, 1500));
    assertThat(guest.harvest()).containsExactly((long) PROGRAM_PAGES, PROGRAM_PAGES + 16L);
  }

  @Test
  void aChangeOfTheKeyValueStoreMarksTheSessionAndTheSlot() {
    assertThat(services.receive(0, keyValue(PUT, 1, "value"))).isPresent();
    SortedSet<Long> marked = guest.harvest();

    assertThat(marked).hasSize(4).contains((long) PROGRAM_PAGES, PROGRAM_PAGES + 1L);
    assertThat(marked.subSet(PROGRAM_PAGES + 34L, PROGRAM_PAGES + 50L)).as("of sessions").hasSize(1);
    assertThat(marked.subSet(PROGRAM_PAGES + 50L, PROGRAM_PAGES + 66L)).as("of slots").hasSize(1);

    assertThat(services.receive(0, keyValue(PUT, 1, "value"))).isPresent();
    assertThat(guest.harvest()).as("a change that comes again").containsExactly((long) PROGRAM_PAGES,
        PROGRAM_PAGES + 1L);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void everyPageThatChangesIsMarkedWhateverComes(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 300; i++) {
      byte[][] before = guest.pages();
      int frames = 1 + random.nextInt(3);
      for (int j = 0; j < frames; j++) {
        services.receive(random.nextInt(2), frame(random));
      }
      byte[][] after = guest.pages();
      SortedSet<Long> marked = guest.harvest();
      SortedSet<Long> changed = new TreeSet<>();
      for (int page = 0; page < after.length; page++) {
        if (!Arrays.equals(before[page], after[page])) {
          changed.add((long) page);
        }
      }
      assertThat(changed).as("seed=%d step=%d", seed, i).isNotEmpty();
      assertThat(marked).as("seed=%d step=%d", seed, i).containsAll(changed);
      assertThat(marked.size()).as("pages marked, seed=%d step=%d", seed, i).isLessThanOrEqualTo(4 * frames);
      assertThat(marked.first()).as("the program's pages are not touched, seed=%d step=%d", seed, i)
          .isGreaterThanOrEqualTo(PROGRAM_PAGES);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {11, 12, 13, 14})
  void anyFrameIsTakenAndItsAnswerIsOneThatASwitchForwards(long seed) throws Exception {
    Random random = new Random(seed);
    int answers = 0;
    for (int i = 0; i < 20_000; i++) {
      int card = random.nextInt(2);
      byte[] frame = frame(random);
      String message = "seed=%d frame=%d: %s".formatted(seed, i, HexFormat.of().formatHex(frame));
      try {
        Optional<byte[]> answer = services.receive(card, frame);
        if (answer.isPresent()) {
          answers++;
          assertThat(EthernetFrame.isWellFormed(answer.get())).as(message).isTrue();
          assertThat(EthernetFrame.source(answer.get())).as(message).isEqualTo((card == 0 ? CARD : SECOND).mac());
        }
      } catch (RuntimeException e) {
        throw new AssertionError(message, e);
      }
    }
    assertThat(answers).as("answers, seed=%d", seed).isGreaterThan(1000);
    for (int page = 0; page < PROGRAM_PAGES; page++) {
      assertThat(guest.ram.isZero(page)).as("the program's page %d, seed=%d", page, seed).isTrue();
    }
    assertThat(services.check()).as("keys, seed=%d", seed).isGreaterThan(0);
  }

  @Test
  void damageOfTheStoreIsReported() {
    assertThat(services.receive(0, keyValue(PUT, 1, "value"))).isPresent();
    guest.damage(guest.layout.slot(77), 1);

    assertThatThrownBy(services::check).isInstanceOf(DamagedException.class).hasMessageStartingWith("slot 77:");
  }

  /** A frame that a switch forwards: one that is answered, or harmed, or anything. */
  private static byte[] frame(Random random) {
    byte[] frame = switch (random.nextInt(7)) {
      case 0 -> ArpPacket.request(PEER, PEER_ADDRESS, CARD.address());
      case 1 -> IcmpEcho.request(TO_CARD, random.nextInt(), random.nextInt(), random.nextInt(1473));
      case 2 -> UdpDatagram.frame(TO_CARD, random.nextInt(65_536), 7, new byte[random.nextInt(1473)]);
      case 3, 4, 5 ->
        UdpDatagram.frame(TO_CARD, 99, 7070, datagram(1 + random.nextInt(4), ascii("k" + random.nextInt(40)),
            1 + random.nextInt(3000), 1 + random.nextInt(3), Datagrams.number(random.nextLong())));
      default -> {
        byte[] any = new byte[14 + random.nextInt(1501)];
        random.nextBytes(any);
        yield any;
      }
    };
    for (int harm = random.nextInt(3); harm > 0; harm--) {
      frame[random.nextInt(Math.min(frame.length, 120))] = (byte) random.nextInt();
    }
    if (!EthernetFrame.isWellFormed(frame)) {
      EthernetFrame.putHeader(frame, CARD.mac(), PEER, 0x0800 + random.nextInt(8));
    }
    return frame;
  }

  private static byte[] keyValue(int operation, long number, String value) {
    return UdpDatagram.frame(TO_CARD, 99, 7070, datagram(operation, ascii("key"), 5, number, ascii(value)));
  }

  private String exchange(String frame) {
    return HexFormat.of().formatHex(services.receive(0, HexFormat.of().parseHex(frame)).orElseThrow());
  }

  private static UdpDatagram datagramOf(byte[] frame) {
    return Ipv4Packet.of(frame).flatMap(UdpDatagram::of).orElseThrow();
  }
}
