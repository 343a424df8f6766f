package dev.pageferry.station;

import dev.pageferry.station.KeyValueClient.Answer;
import dev.pageferry.station.KeyValueClient.Operation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A client that changes keys at random and knows what must come of it: every change that was acknowledged is there, and was
 * done once. For one thread, but for {@link #changes()}.
 */
public final class Conversation {
  private static final int KEYS = 200;
  private static final byte[] NOTHING = new byte[0];

  private record Entry(byte[] value, long version) {
  }

  private final KeyValueClient client;
  private final Random random;
  private final Map<String, Entry> expected = new TreeMap<>();
  private volatile long changes;

  public Conversation(KeyValueClient client, long seed) {
    this.client = client;
    this.random = new Random(seed);
  }

  /** Changes that were acknowledged. */
  public long changes() {
    return changes;
  }

  /** Requests that were sent more than once. */
  public long sentAgain() {
    return client.sentAgain();
  }

  /**
   * Changes a key, and looks at one.
   *
   * @throws IOException if the conversation breaks
   * @throws IllegalStateException if the answer is not the only right one
   */
  public void step() throws IOException, InterruptedException {
    String key = key(random.nextInt(KEYS));
    switch (random.nextInt(4)) {
      case 0 -> put(key);
      case 1 -> delete(key);
      default -> count("counter/" + key);
    }
    look(key(random.nextInt(KEYS)));
  }

  private static String key(int number) {
    return "key-" + number;
  }

  private void put(String key) throws IOException, InterruptedException {
    byte[] value = new byte[random.nextInt(193)];
    random.nextBytes(value);
    changed(key, new Entry(value, version(key) + 1), client.ask(Operation.PUT, key, value));
  }

  private void count(String key) throws IOException, InterruptedException {
    long by = 1 + random.nextInt(1000);
    Entry before = expected.get(key);
    long sum = by + (before == null ? 0 : ByteBuffer.wrap(before.value()).getLong());
    Answer answer = client.ask(Operation.ADD, key, ByteBuffer.allocate(Long.BYTES).putLong(by).array());
    changed(key, new Entry(ByteBuffer.allocate(Long.BYTES).putLong(sum).array(), version(key) + 1), answer);
  }

  private long version(String key) {
    Entry entry = expected.get(key);
    return entry == null ? 0 : entry.version();
  }

  private void changed(String key, Entry now, Answer answer) {
    require(answer.status() == 0 && answer.version() == now.version(), key, now, answer);
    expected.put(key, now);
    changes++;
  }

  private void delete(String key) throws IOException, InterruptedException {
    Answer answer = client.ask(Operation.DELETE, key, NOTHING);
    Entry before = expected.remove(key);
    require(answer.status() == (before == null ? 1 : 0), key, before, answer);
    changes++;
  }

  private void look(String key) throws IOException, InterruptedException {
    Answer answer = client.ask(Operation.GET, key, NOTHING);
    Entry entry = expected.get(key);
    require(entry == null
        ? answer.status() == 1
        : answer.status() == 0 && answer.version() == entry.version() && Arrays.equals(answer.value(), entry.value()),
        key, entry, answer);
  }

  /** Looks at every key. */
  public void checkAll() throws IOException, InterruptedException {
    for (int i = 0; i < KEYS; i++) {
      look(key(i));
      look("counter/" + key(i));
    }
  }

  private void require(boolean right, String key, @Nullable Entry expectedNow, Answer answer) {
    if (!right) {
      throw new IllegalStateException("after %d changes key %s: expected %s, the answer is status %d version %d %s"
          .formatted(changes, key, expectedNow == null
              ? "none"
              : "version " + expectedNow.version() + " "
                  + Arrays.toString(expectedNow.value()),
              answer.status(), answer.version(),
              Arrays.toString(answer.value())));
    }
  }
}
