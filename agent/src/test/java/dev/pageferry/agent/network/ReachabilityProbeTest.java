package dev.pageferry.agent.network;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.MacAddress;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Golden bytes written down by the format in {@link ReachabilityProbe}. */
final class ReachabilityProbeTest {
  private static final MacAddress VM = MacAddress.parse("02:a1:b2:c3:d4:e5");
  private static final MacAddress SWITCH = MacAddress.parse("02:00:de:ad:be:ef");
  private static final long NONCE = 0xFEDCBA9876543210L;
  private static final String QUESTION = "ffffffffffff02a1b2c3d4e588b5" + "504652500100" + "fedcba9876543210"
      + "00".repeat(32);
  private static final String ANSWER = "02a1b2c3d4e50200deadbeef88b5" + "504652500200" + "fedcba9876543210"
      + "00".repeat(32);

  @Test
  void aQuestionOfAVmGoesToAll() {
    assertThat(hex(ReachabilityProbe.question(VM, NONCE).frame())).isEqualTo(QUESTION);
  }

  @Test
  void anAnswerGoesToTheVmFromTheSwitchThatAnswers() {
    ReachabilityProbe question = ReachabilityProbe.of(bytes(QUESTION)).orElseThrow();

    assertThat(hex(question.answer(SWITCH).frame())).isEqualTo(ANSWER);
  }

  @Test
  void questionsAndAnswersAreRead() {
    assertThat(ReachabilityProbe.of(bytes(QUESTION)))
        .contains(new ReachabilityProbe(true, VM, MacAddress.BROADCAST, NONCE));
    assertThat(ReachabilityProbe.of(bytes(ANSWER))).contains(new ReachabilityProbe(false, SWITCH, VM, NONCE));
  }

  @Test
  void bothAreFramesThatSwitchesForward() {
    assertThat(EthernetFrame.isWellFormed(bytes(QUESTION))).isTrue();
    assertThat(EthernetFrame.isWellFormed(bytes(ANSWER))).isTrue();
  }

  @ParameterizedTest
  @CsvSource({"14, 51", "17, 51", "18, 00", "18, 03", "18, 81", "18, ff"})
  void whatIsNoProbeIsNone(int offset, String other) {
    byte[] frame = bytes(QUESTION);
    frame[offset] = bytes(other)[0];

    assertThat(ReachabilityProbe.of(frame)).isEmpty();
  }

  @Test
  void theReservedByteAndThePaddingAreIgnored() {
    byte[] frame = bytes(QUESTION);
    Arrays.fill(frame, 28, 60, (byte) 0x55);
    frame[19] = 0x55;

    assertThat(ReachabilityProbe.of(frame)).isEqualTo(ReachabilityProbe.of(bytes(QUESTION))).isPresent();
  }

  @Test
  void aProbeWithoutPaddingIsRead() {
    assertThat(ReachabilityProbe.of(Arrays.copyOf(bytes(QUESTION), 28))).isPresent();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 13, 14, 17, 18, 19, 27})
  void aProbeThatIsCutOffIsNone(int length) {
    assertThat(ReachabilityProbe.of(Arrays.copyOf(bytes(QUESTION), length))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2})
  void whateverIsReadIsAnsweredWellFormed(long seed) {
    Random random = new Random(seed);
    int read = 0;
    for (int i = 0; i < 20_000; i++) {
      byte[] frame = Arrays.copyOf(bytes(random.nextBoolean() ? QUESTION : ANSWER), 14 + random.nextInt(60));
      for (int harm = random.nextInt(3); harm > 0; harm--) {
        frame[random.nextInt(frame.length)] = (byte) random.nextInt();
      }
      String message = "seed=%d frame=%d: %s".formatted(seed, i, hex(frame));
      try {
        var probe = ReachabilityProbe.of(frame);
        if (probe.isPresent()) {
          read++;
          byte[] answer = probe.get().answer(SWITCH).frame();
          assertThat(EthernetFrame.isWellFormed(answer)).as(message).isTrue();
          assertThat(ReachabilityProbe.of(answer)).as(message).contains(
              new ReachabilityProbe(false, SWITCH, EthernetFrame.source(frame), probe.get().nonce()));
        }
      } catch (RuntimeException e) {
        throw new AssertionError(message, e);
      }
    }
    assertThat(read).as("probes read, seed=%d", seed).isGreaterThan(5_000);
  }

  private static byte[] bytes(String hex) {
    return HexFormat.of().parseHex(hex);
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }
}
