package dev.pageferry.station;

import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.common.packet.UdpDatagram;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Random;

/**
 * A client of a guest's key-value store that goes by what docs/NETWORK.md says of its datagrams, and by nothing else. It
 * numbers its changes and sends them again until they are answered. For one thread.
 */
public final class KeyValueClient {
  private static final int PORT = 7070;
  private static final Duration FIRST_PATIENCE = Duration.ofMillis(20);
  private static final Duration LONGEST_PATIENCE = Duration.ofMillis(640);
  private static final Duration CONVERSATION_BREAKS = Duration.ofSeconds(60);
  private static final int HEADER_BYTES = 34;
  private static final int ANSWER = 128;

  /** What a client can ask. */
  public enum Operation {
    GET,
    PUT,
    ADD,
    DELETE
  }

  /**
   * An answer.
   *
   * @param status 0: done; 1: there is no such key
   * @param version how often the key was changed
   */
  public record Answer(int status, long version, byte[] value) {
  }

  private final UdpStation station;
  private final Ipv4Address server;
  private final long client;
  private final int sourcePort;
  private final Duration conversationBreaks;
  private long number;
  private long reads;
  private long sentAgain;

  public KeyValueClient(UdpStation station, Ipv4Address server) {
    this(station, server, CONVERSATION_BREAKS);
  }

  /** @param conversationBreaks how long it asks the same again before it gives up */
  public KeyValueClient(UdpStation station, Ipv4Address server, Duration conversationBreaks) {
    this.conversationBreaks = conversationBreaks;
    this.station = station;
    this.server = server;
    Random random = new Random();
    this.client = random.nextLong() | 1;
    this.sourcePort = 20_000 + random.nextInt(20_000);
  }

  /** Requests that were sent more than once. */
  public long sentAgain() {
    return sentAgain;
  }

  /**
   * Asks, again and again, until there is an answer.
   *
   * @throws IOException if the conversation breaks: there is none for a minute, or as long as was said
   */
  public Answer ask(Operation operation, String key, byte[] value) throws IOException, InterruptedException {
    // Reads are not numbered among the changes; the number only tells answers apart.
    long asked = operation == Operation.GET ? Long.MIN_VALUE + reads++ : ++number;
    byte[] request = request(operation, asked, key, value);
    long end = System.nanoTime() + conversationBreaks.toNanos();
    Duration patience = FIRST_PATIENCE;
    while (System.nanoTime() - end < 0) {
      station.send(server, sourcePort, PORT, request);
      long sent = System.nanoTime();
      Duration left = patience;
      while (!left.isNegative()) {
        UdpDatagram datagram = station.receive(left);
        if (datagram != null && isAnswer(datagram, operation, asked)) {
          return answer(datagram.data());
        }
        left = patience.minusNanos(System.nanoTime() - sent);
      }
      sentAgain++;
      patience = patience.multipliedBy(2).compareTo(LONGEST_PATIENCE) < 0
          ? patience.multipliedBy(2)
          : LONGEST_PATIENCE;
    }
    throw new IOException("no answer to request %d for %s".formatted(asked, conversationBreaks));
  }

  private byte[] request(Operation operation, long asked, String key, byte[] value) {
    byte[] keyBytes = key.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(HEADER_BYTES + keyBytes.length + value.length)
        .put("PFKV".getBytes(StandardCharsets.US_ASCII)).put((byte) 1).put((byte) (operation.ordinal() + 1))
        .put((byte) 0).put((byte) keyBytes.length).putLong(client).putLong(asked).putLong(0)
        .putShort((short) value.length).put(keyBytes).put(value).array();
  }

  private boolean isAnswer(UdpDatagram datagram, Operation operation, long asked) {
    ByteBuffer bytes = ByteBuffer.wrap(datagram.data());
    return datagram.sourcePort() == PORT && datagram.destinationPort() == sourcePort
        && bytes.remaining() >= HEADER_BYTES && (bytes.get(5) & 0xFF) == ANSWER + operation.ordinal() + 1
        && bytes.getLong(8) == client && bytes.getLong(16) == asked;
  }

  private static Answer answer(byte[] data) {
    ByteBuffer bytes = ByteBuffer.wrap(data);
    byte[] value = new byte[bytes.getShort(32) & 0xFFFF];
    bytes.position(HEADER_BYTES + (bytes.get(7) & 0xFF)).get(value);
    return new Answer(bytes.get(6), bytes.getLong(24), value);
  }
}
