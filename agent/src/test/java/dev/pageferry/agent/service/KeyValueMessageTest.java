package dev.pageferry.agent.service;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.service.KeyValueMessage.Operation;
import dev.pageferry.agent.service.KeyValueMessage.Status;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Golden bytes computed by another program from the format in {@link KeyValueMessage}. */
final class KeyValueMessageTest {
  private static final String PUT = "50464b5601020002" + "1122334455667788" + "0000000000000001" + "0000000000000000"
      + "0003" + "6162" + "78797a";
  private static final String PUT_ANSWER = "50464b5601820002" + "1122334455667788" + "0000000000000001"
      + "0000000000000001" + "0000" + "6162";
  private static final String GET = "50464b5601010002" + "8899aabbccddeeff" + "0102030405060708" + "0000000000000000"
      + "0000" + "6162";
  private static final String GET_ANSWER = "50464b5601810002" + "8899aabbccddeeff" + "0102030405060708"
      + "0000000000000001" + "0003" + "6162" + "78797a";
  private static final String ADD = "50464b5601030001" + "0000000000000001" + "0000000000000002" + "0000000000000000"
      + "0008" + "6e" + "fffffffffffffffe";
  private static final String DELETE = "50464b5601040001" + "0000000000000001" + "0000000000000003"
      + "0000000000000000" + "0000" + "6e";
  private static final String DELETE_ANSWER_NOT_FOUND = "50464b5601840101" + "0000000000000001" + "0000000000000003"
      + "0000000000000000" + "0000" + "6e";

  @Test
  void aRequestIsRead() {
    KeyValueMessage put = request(PUT);

    assertThat(put.operation()).isEqualTo(Operation.PUT);
    assertThat(put.isAnswer()).isFalse();
    assertThat(put.status()).isEqualTo(Status.OK);
    assertThat(put.client()).isEqualTo(0x1122334455667788L);
    assertThat(put.number()).isEqualTo(1);
    assertThat(put.version()).isZero();
    assertThat(put.key()).isEqualTo(bytes("6162"));
    assertThat(put.value()).isEqualTo(bytes("78797a"));
  }

  @ParameterizedTest
  @CsvSource({GET + ", GET", PUT + ", PUT", ADD + ", ADD", DELETE + ", DELETE"})
  void everyOperationIsReadAndWrittenAlike(String datagram, Operation operation) {
    assertThat(request(datagram).operation()).isEqualTo(operation);
    assertThat(HexFormat.of().formatHex(request(datagram).encode())).isEqualTo(datagram);
  }

  @Test
  void onlyAGetChangesNothing() {
    assertThat(Operation.values()).filteredOn(each -> !each.changes()).containsExactly(Operation.GET);
  }

  @Test
  void anAnswerRepeatsItsRequestAndSaysWhatCameOfIt() {
    assertThat(HexFormat.of().formatHex(request(PUT).answer(Status.OK, 1, new byte[0]).encode()))
        .isEqualTo(PUT_ANSWER);
    assertThat(HexFormat.of().formatHex(request(GET).answer(Status.OK, 1, bytes("78797a")).encode()))
        .isEqualTo(GET_ANSWER);
    assertThat(HexFormat.of().formatHex(request(DELETE).answer(Status.NOT_FOUND, 0, new byte[0]).encode()))
        .isEqualTo(DELETE_ANSWER_NOT_FOUND);
  }

  @Test
  void everyStatusHasItsNumber() {
    for (int i = 0; i < 7; i++) {
      Status status = Status.values()[i];
      assertThat(request(GET).answer(status, 0, new byte[0]).encode()[6]).isEqualTo((byte) i);
    }
    assertThat(Status.values()).containsExactly(Status.OK, Status.NOT_FOUND, Status.FULL, Status.STALE,
        Status.BAD_REQUEST, Status.UNKNOWN_CLIENT, Status.DAMAGED);
  }

  @Test
  void keysAndValuesUpToWhatTheirLengthsCanSayAreRead() {
    byte[] datagram = Arrays.copyOf(bytes(PUT), 34 + 255 + 1000);
    datagram[7] = (byte) 255;
    datagram[32] = (byte) (1000 >> 8);
    datagram[33] = (byte) 1000;

    KeyValueMessage request = KeyValueMessage.request(datagram).orElseThrow();

    assertThat(request.key()).hasSize(255);
    assertThat(request.value()).hasSize(1000);
  }

  @ParameterizedTest
  @CsvSource({"0, 51", "3, 57", "4, 00", "4, 02", "5, 00", "5, 05", "5, 81", "5, 82", "5, ff", "6, 01", "7, 01",
      "7, 03",
      "24, 80", "31, 01", "32, 01", "33, 02", "33, 04"})
  void whatIsNoRequestIsNone(int offset, String other) {
    byte[] datagram = bytes(PUT);
    datagram[offset] = bytes(other)[0];

    assertThat(KeyValueMessage.request(datagram)).isEmpty();
  }

  @Test
  void aRequestOfNobodyIsNone() {
    byte[] datagram = bytes(PUT);
    Arrays.fill(datagram, 8, 16, (byte) 0);

    assertThat(KeyValueMessage.request(datagram)).isEmpty();
  }

  @Test
  void aRequestThatIsCutOffOrGoesOnIsNone() {
    for (int length = 0; length < 100; length++) {
      assertThat(KeyValueMessage.request(Arrays.copyOf(bytes(PUT), length)).isPresent()).as("%d bytes", length)
          .isEqualTo(length == 39);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {PUT_ANSWER, GET_ANSWER, DELETE_ANSWER_NOT_FOUND})
  void anAnswerIsNoRequest(String answer) {
    assertThat(KeyValueMessage.request(bytes(answer))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void anyDatagramIsARequestOrNone(long seed) {
    Random random = new Random(seed);
    int requests = 0;
    for (int i = 0; i < 20_000; i++) {
      byte[] datagram = bytes(random.nextBoolean() ? PUT : GET);
      for (int harm = random.nextInt(4); harm > 0; harm--) {
        datagram[random.nextInt(datagram.length)] = (byte) random.nextInt();
      }
      datagram = random.nextInt(4) > 0 ? datagram : Arrays.copyOf(datagram, random.nextInt(60));
      try {
        var request = KeyValueMessage.request(datagram);
        if (request.isPresent()) {
          requests++;
          assertThat(request.get().encode()).isEqualTo(datagram);
        }
      } catch (RuntimeException | AssertionError e) {
        throw new AssertionError("seed=%d datagram=%d: %s".formatted(seed, i, HexFormat.of().formatHex(datagram)), e);
      }
    }
    assertThat(requests).as("requests among them, seed=%d", seed).isGreaterThan(2_000);
  }

  private static KeyValueMessage request(String datagram) {
    return KeyValueMessage.request(bytes(datagram)).orElseThrow();
  }

  private static byte[] bytes(String hex) {
    return HexFormat.of().parseHex(hex);
  }
}
