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

import dev.pageferry.agent.service.Datagrams.Answer;
import dev.pageferry.agent.service.KeyValueMessage.Status;
import dev.pageferry.common.page.PageSize;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The store against a map, under clients whose datagrams come twice or late, while its RAM moves between hosts: only pages that
 * are marked in the dirty log go along. What happens follows from the seed alone.
 */
final class KeyValueModelTest {
  private static final int STEPS = 10_000;
  private static final int CLIENTS = 5;
  private static final int KEYS = 60;
  private static final int REACH = 64;

  private record Entry(byte[] value, long version) {
  }

  private record Sent(byte[] change, byte[] answer) {
  }

  private final Map<Integer, Entry> model = new HashMap<>();
  /** The last change of each client. */
  private final Map<Integer, Sent> last = new HashMap<>();
  private final long[] numbers = new long[CLIENTS];
  private int repeats;
  private int moves;

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6})
  void theStoreAnswersAsAMapDoes(long seed) throws Exception {
    Random random = new Random(seed);
    // With few slots keys lie behind one another; there are always fewer than the reach.
    ServiceMemory layout = new ServiceMemory(0, 1, seed % 2 == 0 ? REACH : 4 * REACH);
    try (GuestRam one = new GuestRam(layout); GuestRam other = new GuestRam(layout)) {
      GuestRam here = one;
      KeyValueStore store = new KeyValueStore(layout, here.memory);
      for (int step = 0; step < STEPS; step++) {
        String message = "seed=%d step=%d".formatted(seed, step);
        if (random.nextInt(200) == 0) {
          GuestRam there = here == one ? other : one;
          move(here, there);
          here = there;
          store = new KeyValueStore(layout, here.memory);
        }
        int client = random.nextInt(CLIENTS);
        switch (random.nextInt(10)) {
          case 0, 1 -> repeat(store, client, message);
          case 2 -> late(store, client, message);
          case 3, 4, 5 -> read(store, random.nextInt(KEYS), client, message);
          default -> change(store, random, client, message);
        }
      }
      for (int key = 0; key < KEYS; key++) {
        read(store, key, 0, "seed=%d at the end".formatted(seed));
      }
      assertThat(store.check()).as("keys, seed=%d", seed).isEqualTo(model.size());
    }
    assertThat(repeats).as("datagrams that came again, seed=%d", seed).isGreaterThan(1000);
    assertThat(moves).as("moves, seed=%d", seed).isGreaterThan(10);
  }

  private void move(GuestRam from, GuestRam to) {
    moves++;
    for (long page : from.harvest()) {
      to.ram.write(PageSize.bytesOf(page), from.bytes(PageSize.bytesOf(page), PageSize.BYTES));
    }
    // What came along is not a write of a device.
    to.harvest();
  }

  private void change(KeyValueStore store, Random random, int client, String message) {
    int operation = new int[]{PUT, PUT, ADD, DELETE}[random.nextInt(4)];
    int key = random.nextInt(KEYS);
    byte[] value = value(random, operation);
    byte[] change = datagram(operation, key(key), client(client), ++numbers[client], value);
    Answer expected = apply(operation, key, value);

    byte[] answer = store.answer(change).orElseThrow();

    assertAnswer(answer, expected, message);
    last.put(client, new Sent(change, answer));
  }

  private Answer apply(int operation, int key, byte[] value) {
    Entry before = model.get(key);
    long version = before == null ? 1 : before.version() + 1;
    switch (operation) {
      case PUT -> model.put(key, new Entry(value, version));
      case ADD -> {
        if (value.length != 8 || (before != null && before.value().length != 8)) {
          return new Answer(Status.BAD_REQUEST.ordinal(), 0, NOTHING);
        }
        long old = before == null ? 0 : ByteBuffer.wrap(before.value()).getLong();
        model.put(key, new Entry(number(old + ByteBuffer.wrap(value).getLong()), version));
      }
      default -> {
        if (model.remove(key) == null) {
          return new Answer(Status.NOT_FOUND.ordinal(), 0, NOTHING);
        }
      }
    }
    return new Answer(Status.OK.ordinal(), version, NOTHING);
  }

  private void repeat(KeyValueStore store, int client, String message) {
    Sent sent = last.get(client);
    if (sent != null) {
      repeats++;
      assertThat(store.answer(sent.change()).orElseThrow()).as(message).isEqualTo(sent.answer());
    }
  }

  private void late(KeyValueStore store, int client, String message) {
    if (numbers[client] > 1) {
      byte[] late = datagram(PUT, key(0), client(client), numbers[client] - 1, ascii("late"));
      assertAnswer(store.answer(late).orElseThrow(), new Answer(Status.STALE.ordinal(), 0, NOTHING), message);
    }
  }

  private void read(KeyValueStore store, int key, int client, String message) {
    Entry entry = model.get(key);
    Answer expected = entry == null
        ? new Answer(Status.NOT_FOUND.ordinal(), 0, NOTHING)
        : new Answer(Status.OK.ordinal(), entry.version(), entry.value());
    assertAnswer(store.answer(datagram(GET, key(key), client(client), 0, NOTHING)).orElseThrow(), expected, message);
  }

  private static void assertAnswer(byte[] answer, Answer expected, String message) {
    assertThat(Answer.of(answer)).as(message).usingRecursiveComparison().isEqualTo(expected);
  }

  private static byte[] key(int key) {
    return Arrays.copyOf(ascii("key-" + key), 6 + key % 43);
  }

  private static long client(int client) {
    return 0x8000_0000_0000_0001L + client * 0x1234_5678_9ABCL;
  }

  private static byte[] value(Random random, int operation) {
    if (operation == DELETE) {
      return NOTHING;
    }
    if (random.nextInt(3) > 0) {
      return number(random.nextLong());
    }
    byte[] value = new byte[random.nextInt(193)];
    random.nextBytes(value);
    return value;
  }
}
