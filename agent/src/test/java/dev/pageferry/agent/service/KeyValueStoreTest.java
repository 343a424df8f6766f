package dev.pageferry.agent.service;

import static dev.pageferry.agent.service.Datagrams.ADD;
import static dev.pageferry.agent.service.Datagrams.DELETE;
import static dev.pageferry.agent.service.Datagrams.GET;
import static dev.pageferry.agent.service.Datagrams.NOTHING;
import static dev.pageferry.agent.service.Datagrams.PUT;
import static dev.pageferry.agent.service.Datagrams.ascii;
import static dev.pageferry.agent.service.Datagrams.datagram;
import static dev.pageferry.agent.service.Datagrams.number;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.service.Datagrams.Answer;
import dev.pageferry.common.page.PageSize;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class KeyValueStoreTest {
  private static final int SLOTS = 256;
  /** Slots in which a key may lie, and sessions which may be a client's. */
  private static final int REACH = 64;
  private static final int SESSION_REACH = 16;
  private static final long CLIENT = 0x1122334455667788L;
  private static final long OTHER = 0x8899AABBCCDDEEFFL;

  private GuestRam guest;
  private KeyValueStore store;
  private long next = 1;

  @BeforeEach
  void create() throws Exception {
    guest = new GuestRam(new ServiceMemory(1, 1, SLOTS));
    store = new KeyValueStore(guest.layout, guest.memory);
  }

  @AfterEach
  void close() {
    guest.close();
  }

  @Test
  void datagramsOnTheWireAreAnsweredByteForByte() {
    assertThat(exchange("50464b5601020002" + "1122334455667788" + "0000000000000001" + "0000000000000000" + "0003"
        + "6162" + "78797a")).isEqualTo("50464b5601820002" + "1122334455667788" + "0000000000000001"
            + "0000000000000001" + "0000" + "6162");
    assertThat(exchange("50464b5601010002" + "8899aabbccddeeff" + "0102030405060708" + "0000000000000000" + "0000"
        + "6162")).isEqualTo("50464b5601810002" + "8899aabbccddeeff" + "0102030405060708" + "0000000000000001" + "0003"
            + "6162" + "78797a");
    assertThat(exchange("50464b5601040001" + "1122334455667788" + "0000000000000002" + "0000000000000000" + "0000"
        + "6e")).isEqualTo("50464b5601840101" + "1122334455667788" + "0000000000000002" + "0000000000000000" + "0000"
            + "6e");
  }

  @Test
  void whatIsNoRequestIsNotAnswered() {
    assertThat(store.answer(new byte[0])).isEmpty();
    assertThat(store.answer(new byte[100])).isEmpty();
  }

  @Test
  void aValueThatWasPutIsThere() throws Exception {
    assertAnswer(get("key"), "NOT_FOUND", 0, "");
    assertAnswer(put("key", "one"), "OK", 1, "");
    assertAnswer(get("key"), "OK", 1, "one");
    assertAnswer(put("key", "two"), "OK", 2, "");
    assertAnswer(get("key"), "OK", 2, "two");
    assertAnswer(put("key", ""), "OK", 3, "");
    assertAnswer(get("key"), "OK", 3, "");
    assertThat(store.check()).isEqualTo(1);
  }

  @Test
  void keysAreToldApart() {
    put("a", "1");
    put("b", "2");
    put("aa", "3");
    put("a\0", "4");

    assertAnswer(get("a"), "OK", 1, "1");
    assertAnswer(get("b"), "OK", 1, "2");
    assertAnswer(get("aa"), "OK", 1, "3");
    assertAnswer(get("a\0"), "OK", 1, "4");
    assertAnswer(get("A"), "NOT_FOUND", 0, "");
  }

  @Test
  void numbersAreAddedFromZeroOn() {
    assertAnswer(change(ADD, "n", number(5)), "OK", 1, "");
    assertThat(get("n").value()).isEqualTo(number(5));
    assertAnswer(change(ADD, "n", number(-7)), "OK", 2, "");
    assertThat(get("n").value()).isEqualTo(number(-2));
    change(ADD, "n", number(Long.MIN_VALUE));
    assertThat(get("n").value()).as("around the end").isEqualTo(number(Long.MAX_VALUE - 1));
    assertThat(get("n").version()).isEqualTo(3);
  }

  @Test
  void whatIsNoNumberOfEightBytesCannotBeAdded() {
    put("n", "text");

    assertAnswer(change(ADD, "n", number(1)), "BAD_REQUEST", 0, "");
    assertAnswer(change(ADD, "m", ascii("1234567")), "BAD_REQUEST", 0, "");
    assertAnswer(change(ADD, "m", ascii("123456789")), "BAD_REQUEST", 0, "");
    assertAnswer(change(ADD, "m", NOTHING), "BAD_REQUEST", 0, "");
    assertAnswer(get("n"), "OK", 1, "text");
    assertAnswer(get("m"), "NOT_FOUND", 0, "");
  }

  @Test
  void aDeletedKeyIsGone() throws Exception {
    put("a", "1");
    put("b", "2");
    put("a", "3");

    assertAnswer(change(DELETE, "a", NOTHING), "OK", 3, "");
    assertAnswer(get("a"), "NOT_FOUND", 0, "");
    assertAnswer(get("b"), "OK", 1, "2");
    assertAnswer(change(DELETE, "a", NOTHING), "NOT_FOUND", 0, "");
    assertThat(store.check()).isEqualTo(1);
    put("a", "4");
    assertThat(get("a").value()).isEqualTo(ascii("4"));
  }

  @ParameterizedTest
  @CsvSource({"0, 1, BAD_REQUEST", "49, 1, BAD_REQUEST", "255, 1, BAD_REQUEST", "1, 193, BAD_REQUEST",
      "1, 1400, BAD_REQUEST", "48, 192, OK", "1, 0, OK"})
  void keysHaveOneTo48BytesAndValuesUpTo192(int keyBytes, int valueBytes, String status) {
    byte[] key = new byte[keyBytes];
    byte[] value = new byte[valueBytes];
    Arrays.fill(key, (byte) 0xFE);
    Arrays.fill(value, (byte) 0xFD);

    assertThat(send(PUT, key, CLIENT, 1, value)).extracting(KeyValueStoreTest::status).isEqualTo(status);
    if (status.equals("OK")) {
      assertThat(send(GET, key, CLIENT, 1, NOTHING).value()).isEqualTo(value);
    } else {
      assertThat(send(DELETE, key, CLIENT, 1, value)).extracting(KeyValueStoreTest::status).isEqualTo(status);
      assertThat(send(GET, key, CLIENT, 1, value)).extracting(KeyValueStoreTest::status).isEqualTo(status);
      assertThat(guest.harvest()).as("pages written").isEmpty();
    }
  }

  @Test
  void aChangeThatComesAgainIsAnsweredAgainAndNotDoneAgain() {
    for (byte[] each : List.of(datagram(ADD, ascii("n"), CLIENT, 1, number(5)),
        datagram(PUT, ascii("k"), CLIENT, 2, ascii("v")), datagram(DELETE, ascii("k"), CLIENT, 3, NOTHING),
        datagram(DELETE, ascii("k"), CLIENT, 4, NOTHING), datagram(ADD, ascii("n"), CLIENT, 5, ascii("bad")))) {
      byte[] first = store.answer(each).orElseThrow();
      guest.harvest();

      assertThat(store.answer(each).orElseThrow()).isEqualTo(first);
      assertThat(store.answer(each).orElseThrow()).isEqualTo(first);
      assertThat(guest.harvest()).as("pages written").isEmpty();
    }
    assertThat(get("n").value()).isEqualTo(number(5));
  }

  @Test
  void aChangeThatComesAgainAfterAnothersIsNotDoneAgain() {
    send(PUT, ascii("k"), CLIENT, 1, ascii("mine"));
    send(PUT, ascii("k"), OTHER, 1, ascii("theirs"));

    assertAnswer(send(PUT, ascii("k"), CLIENT, 1, ascii("mine")), "OK", 1, "");
    assertAnswer(get("k"), "OK", 2, "theirs");
  }

  @Test
  void anOlderChangeThanTheLastIsStale() {
    send(PUT, ascii("k"), CLIENT, 1, ascii("1"));
    send(PUT, ascii("k"), CLIENT, 2, ascii("2"));
    send(PUT, ascii("k"), CLIENT, 3, ascii("3"));

    assertAnswer(send(PUT, ascii("k"), CLIENT, 1, ascii("1")), "STALE", 0, "");
    assertAnswer(send(PUT, ascii("k"), CLIENT, 2, ascii("2")), "STALE", 0, "");
    assertAnswer(send(DELETE, ascii("k"), CLIENT, 0, NOTHING), "STALE", 0, "");
    assertAnswer(get("k"), "OK", 3, "3");
    assertAnswer(send(PUT, ascii("k"), CLIENT, 3, ascii("3")), "OK", 3, "");
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 2, 3, -1, Long.MAX_VALUE})
  void aClientThatBeginsWithAnotherNumberThanOneIsUnknown(long first) {
    assertAnswer(send(PUT, ascii("k"), CLIENT, first, ascii("v")), "UNKNOWN_CLIENT", 0, "");
    assertAnswer(get("k"), "NOT_FOUND", 0, "");
    assertAnswer(send(PUT, ascii("k"), CLIENT, 1, ascii("v")), "OK", 1, "");
  }

  @Test
  void whoeverOnlyReadsNeedsNoSessionAndLeavesNoTrace() {
    put("k", "v");
    guest.harvest();

    assertAnswer(send(GET, ascii("k"), OTHER, 77, NOTHING), "OK", 1, "v");
    assertAnswer(send(GET, ascii("k"), OTHER, 3, NOTHING), "OK", 1, "v");
    assertThat(guest.harvest()).isEmpty();
  }

  @Test
  void allStateIsInRam() {
    put("k", "v");
    KeyValueStore other = new KeyValueStore(guest.layout, guest.memory);

    assertAnswer(Answer.of(other.answer(datagram(GET, ascii("k"), OTHER, 1, NOTHING)).orElseThrow()), "OK", 1, "v");
    assertThat(Answer.of(other.answer(datagram(PUT, ascii("k"), CLIENT, 1, ascii("v"))).orElseThrow()).version())
        .as("the first change again").isEqualTo(1);
  }

  @Test
  void aStoreWhoseSlotsAreTakenIsFull() throws Exception {
    try (GuestRam small = new GuestRam(new ServiceMemory(0, 1, REACH))) {
      store = new KeyValueStore(small.layout, small.memory);
      for (int i = 0; i < REACH; i++) {
        assertAnswer(put("key-" + i, "v" + i), "OK", 1, "");
      }

      assertAnswer(put("more", "v"), "FULL", 0, "");
      assertAnswer(change(ADD, "more", number(1)), "FULL", 0, "");
      assertAnswer(get("more"), "NOT_FOUND", 0, "");
      assertAnswer(put("key-7", "new"), "OK", 2, "");
      for (int i = 0; i < REACH; i++) {
        assertAnswer(get("key-" + i), "OK", i == 7 ? 2 : 1, i == 7 ? "new" : "v" + i);
      }
      assertThat(store.check()).isEqualTo(REACH);
    }
  }

  @Test
  void keysOfOnePlaceLieBehindItAndTheirReachIsFullThoughTheStoreIsNot() throws Exception {
    List<String> keys = keysOfOnePlace(REACH + 1);
    for (String each : keys.subList(0, REACH)) {
      assertAnswer(put(each, each), "OK", 1, "");
    }

    assertAnswer(put(keys.get(REACH), "v"), "FULL", 0, "");
    for (String each : keys.subList(0, REACH)) {
      assertAnswer(get(each), "OK", 1, each);
    }
    assertThat(store.check()).isEqualTo(REACH);
  }

  @Test
  void aSearchGoesOnBehindADeletedKeyWhoseSlotIsUsedAgain() throws Exception {
    List<String> keys = keysOfOnePlace(REACH + 1);
    keys.subList(0, REACH).forEach(each -> put(each, each));
    List<Integer> taken = takenSlots();

    change(DELETE, keys.get(3), NOTHING);
    for (String each : keys.subList(4, REACH)) {
      assertAnswer(get(each), "OK", 1, each);
    }
    assertAnswer(put(keys.get(REACH - 1), "changed"), "OK", 2, "");
    assertThat(store.check()).as("a key behind the gap is not there twice").isEqualTo(REACH - 1);
    assertThat(put(keys.get(REACH), "late")).extracting(KeyValueStoreTest::status).isEqualTo("OK");

    assertThat(takenSlots()).isEqualTo(taken);
    assertThat(get(keys.get(REACH)).value()).isEqualTo(ascii("late"));
    assertThat(store.check()).isEqualTo(REACH);
    assertAnswer(put(keys.get(3), "again"), "FULL", 0, "");
  }

  @Test
  void aDamagedSlotIsReportedAndItsKeyIsNeitherReadNorChanged() throws Exception {
    put("k", "v");
    int slot = takenSlots().getFirst();
    guest.damage(guest.layout.slot(slot) + 200, 0x10);
    guest.harvest();

    assertAnswer(get("k"), "DAMAGED", 0, "");
    assertAnswer(put("k", "new"), "DAMAGED", 0, "");
    assertAnswer(change(DELETE, "k", NOTHING), "DAMAGED", 0, "");
    assertAnswer(change(ADD, "k", number(1)), "DAMAGED", 0, "");
    assertThat(guest.harvest()).as("pages written").isEmpty();
    assertThatThrownBy(store::check).isInstanceOf(DamagedException.class).hasMessageStartingWith("slot " + slot + ":");
  }

  @Test
  void aChangeThatFailedForDamageIsDoneWhenItComesAgainToWholeMemory() {
    put("k", "v");
    long address = guest.layout.slot(takenSlots().getFirst());
    guest.damage(address, 1);
    byte[] change = datagram(PUT, ascii("k"), CLIENT, 2, ascii("new"));
    assertAnswer(Answer.of(store.answer(change).orElseThrow()), "DAMAGED", 0, "");

    guest.damage(address, 1);

    assertAnswer(Answer.of(store.answer(change).orElseThrow()), "OK", 2, "");
    assertAnswer(get("k"), "OK", 2, "new");
  }

  @Test
  void theFirstOfSeveralDamagedSlotsIsNamed() {
    for (int i = 0; i < 30; i++) {
      put("key-" + i, "v");
    }
    List<Integer> taken = takenSlots();
    guest.damage(guest.layout.slot(taken.get(20)) + 16, 1);
    guest.damage(guest.layout.slot(taken.get(10)) + 16, 1);

    assertThatThrownBy(store::check).hasMessageStartingWith("slot " + taken.get(10) + ":");
  }

  @Test
  void damageOfTheLastSlotIsFound() {
    guest.damage(guest.layout.slot(SLOTS - 1), 1);

    assertThatThrownBy(store::check).hasMessageStartingWith("slot " + (SLOTS - 1) + ":");
  }

  @Test
  void theClientThatWasSilentLongestMakesRoomForANewOne() throws Exception {
    List<Long> clients = clientsOfOnePlace(SESSION_REACH + 1, 1020);
    List<Long> first = clients.subList(0, SESSION_REACH);
    long late = clients.get(SESSION_REACH);
    first.forEach(each -> send(PUT, ascii("k"), each, 1, number(each)));
    // All but the one that came third are heard of again.
    long silent = first.get(2);
    first.stream().filter(each -> each != silent).forEach(each -> send(PUT, ascii("k"), each, 2, number(each)));
    long version = get("k").version();

    assertAnswer(send(PUT, ascii("k"), late, 1, number(late)), "OK", version + 1, "");

    assertAnswer(send(PUT, ascii("k"), silent, 2, number(silent)), "UNKNOWN_CLIENT", 0, "");
    for (int i = 0; i < SESSION_REACH; i++) {
      if (first.get(i) != silent) {
        assertThat(send(PUT, ascii("k"), first.get(i), 2, NOTHING)).extracting(KeyValueStoreTest::status)
            .as("client %d of %d again", i, SESSION_REACH).isEqualTo("OK");
      }
    }
    assertThat(get("k").value()).isEqualTo(number(late));
    assertThat(store.check()).as("keys behind the sessions").isEqualTo(1);
  }

  @Test
  void clientsOfOnePlaceAreToldApart() throws Exception {
    List<Long> clients = clientsOfOnePlace(SESSION_REACH, 1015);
    for (int i = 0; i < SESSION_REACH; i++) {
      assertAnswer(send(ADD, ascii("n"), clients.get(i), 1, number(1)), "OK", i + 1, "");
    }
    for (int i = 0; i < SESSION_REACH; i++) {
      assertAnswer(send(ADD, ascii("n"), clients.get(i), 1, number(1)), "OK", i + 1, "");
    }

    assertThat(get("n").value()).isEqualTo(number(SESSION_REACH));
    assertThat(store.check()).as("keys behind the sessions").isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void neitherDatagramsNorMemoryOfAnyKindMakeItThrow(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 20_000; i++) {
      byte[] datagram = datagram(1 + random.nextInt(4), ascii("key-" + random.nextInt(50)), 1 + random.nextInt(20),
          1 + random.nextInt(5), random.nextBoolean() ? number(random.nextLong()) : ascii("text"));
      if (random.nextInt(3) == 0) {
        datagram[random.nextInt(datagram.length)] = (byte) random.nextInt();
      }
      if (random.nextInt(10) == 0) {
        guest.damage(PageSize.bytesOf(1) + random.nextLong(PageSize.bytesOf(guest.layout.pages())), 1 + random.nextInt(
            255));
      }
      try {
        store.answer(datagram);
      } catch (RuntimeException e) {
        throw new AssertionError("seed=%d datagram=%d: %s".formatted(seed, i, HexFormat.of().formatHex(datagram)), e);
      }
    }
    assertThat(guest.ram.isZero(0)).as("the program's page is as it was, seed=%d", seed).isTrue();
  }

  @Test
  void aPageThatIsOlderThanTheLastChangeIsFound() throws Exception {
    put("a", "first");
    int place = takenSlots().getFirst();
    byte[] older = guest.bytes(guest.layout.slot(place), Slot.BYTES);
    put("a", "second");
    assertThat(store.check()).isEqualTo(1);

    guest.ram.write(guest.layout.slot(place), older);
    assertThatThrownBy(store::check).isInstanceOf(DamagedException.class).hasMessageContaining("a change is missing");
    wipe(guest.layout.slot(place), Slot.BYTES);
    assertThatThrownBy(store::check).isInstanceOf(DamagedException.class).hasMessageContaining("a change is missing");
  }

  /** Keys whose place is the same, which is not the store's first. */
  private List<String> keysOfOnePlace(int count) {
    List<String> keys = new ArrayList<>();
    int wanted = -1;
    for (int i = 0; keys.size() < count; i++) {
      put("key-" + i, "");
      int place = takenSlots().getFirst();
      // Near the end, so that the reach goes on at the beginning.
      if (place > SLOTS - 20 && (wanted < 0 || wanted == place)) {
        wanted = place;
        keys.add("key-" + i);
      }
      wipe(guest.layout.slot(place), Slot.BYTES);
    }
    acceptWhatWasWiped();
    return keys;
  }

  /** Clients whose session lies in one place. */
  private List<Long> clientsOfOnePlace(int count, int wanted) {
    List<Long> clients = new ArrayList<>();
    for (long client = 1; clients.size() < count; client++) {
      send(DELETE, ascii("none"), client, 1, NOTHING);
      int place = 0;
      while (guest.ram.getLong(guest.layout.session(place)) == 0) {
        place++;
      }
      assertThat(guest.ram.getLong(guest.layout.session(place))).isEqualTo(client);
      if (place == wanted) {
        clients.add(client);
      }
      wipe(guest.layout.session(place), Session.BYTES);
    }
    acceptWhatWasWiped();
    return clients;
  }

  /** The store takes its memory as it is now for what it has written. */
  private void acceptWhatWasWiped() {
    try {
      int unused = store.check();
    } catch (DamagedException e) {
      Matcher found = Pattern.compile("has fingerprint ([0-9a-f]{16})").matcher(String.valueOf(e.getMessage()));
      assertThat(found.find()).as(e.getMessage()).isTrue();
      guest.ram.putLong(guest.layout.fingerprint(), Long.parseUnsignedLong(found.group(1), 16));
    }
  }

  private void wipe(long address, int bytes) {
    guest.ram.write(address, new byte[bytes]);
  }

  private List<Integer> takenSlots() {
    List<Integer> taken = new ArrayList<>();
    for (int i = 0; i < SLOTS; i++) {
      if (guest.bytes(guest.layout.slot(i), Slot.BYTES)[4] == 1) {
        taken.add(i);
      }
    }
    return taken;
  }

  private Answer get(String key) {
    return send(GET, ascii(key), OTHER, 0, NOTHING);
  }

  private Answer put(String key, String value) {
    return change(PUT, key, ascii(value));
  }

  private Answer change(int operation, String key, byte[] value) {
    return send(operation, ascii(key), CLIENT, next++, value);
  }

  private Answer send(int operation, byte[] key, long client, long number, byte[] value) {
    return Answer.of(store.answer(datagram(operation, key, client, number, value)).orElseThrow());
  }

  private String exchange(String datagram) {
    return HexFormat.of().formatHex(store.answer(HexFormat.of().parseHex(datagram)).orElseThrow());
  }

  private static String status(Answer answer) {
    return KeyValueMessage.Status.values()[answer.status()].name();
  }

  private static void assertAnswer(Answer answer, String status, long version, String value) {
    assertThat(answer).hasToString("%s version %d '%s'".formatted(status, version, value));
  }
}
