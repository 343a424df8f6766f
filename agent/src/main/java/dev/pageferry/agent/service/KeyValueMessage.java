package dev.pageferry.agent.service;

import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * Datagrams of the key-value store, in network byte order (docs/NETWORK.md):
 *
 * <pre>
 *  0  "PFKV" (4)
 *  4  version 1 (1)
 *  5  request: 1 GET, 2 PUT, 3 ADD, 4 DELETE; answer: 128 + that (1)
 *  6  request: 0; answer: status (1)
 *  7  bytes of the key (1)
 *  8  client, chosen at random, not 0 (8)
 * 16  number of the request (8)
 * 24  request: 0; answer: how often the key was changed since it was put there (8)
 * 32  bytes of the value (2)
 * 34  key, value
 * </pre>
 */
record KeyValueMessage(Operation operation, boolean isAnswer, Status status, byte[] key, long client, long number,
    long version, byte[] value) {
  static final int HEADER_BYTES = 34;
  private static final int MAGIC = 0x50464B56;
  private static final byte FORMAT = 1;
  private static final int ANSWER = 0x80;

  enum Operation {
    GET,
    PUT,
    /** Adds a number of eight bytes to the value, which is one, too; 0 where there is none. */
    ADD,
    DELETE;

    boolean changes() {
      return this != GET;
    }
  }

  enum Status {
    OK,
    NOT_FOUND,
    /** No room near the key's place. */
    FULL,
    /** An older request than the client's last. */
    STALE,
    /** The request makes no sense: too long, or no number where one is needed. */
    BAD_REQUEST,
    /** A client that never sent its request 1, or so long ago that it was forgotten. */
    UNKNOWN_CLIENT,
    /** Memory does not hold what was written. */
    DAMAGED
  }

  /** The request in a datagram; empty if it is none. */
  static Optional<KeyValueMessage> request(byte[] datagram) {
    if (datagram.length < HEADER_BYTES) {
      return Optional.empty();
    }
    ByteBuffer in = ByteBuffer.wrap(datagram);
    int operation = in.get(5) - 1;
    int keyBytes = in.get(7) & 0xFF;
    int valueBytes = in.getShort(32) & 0xFFFF;
    if (in.getInt(0) != MAGIC || in.get(4) != FORMAT || operation < 0 || operation >= Operation.values().length
        || in.get(6) != 0 || in.getLong(8) == 0 || in.getLong(24) != 0
        || datagram.length != HEADER_BYTES + keyBytes + valueBytes) {
      return Optional.empty();
    }
    byte[] key = new byte[keyBytes];
    byte[] value = new byte[valueBytes];
    in.position(HEADER_BYTES).get(key).get(value);
    return Optional.of(new KeyValueMessage(Operation.values()[operation], false, Status.OK, key, in.getLong(8),
        in.getLong(16), 0, value));
  }

  KeyValueMessage answer(Status outcome, long changed, byte[] found) {
    return new KeyValueMessage(operation, true, outcome, key, client, number, changed, found);
  }

  byte[] encode() {
    return ByteBuffer.allocate(HEADER_BYTES + key.length + value.length).putInt(MAGIC).put(FORMAT)
        .put((byte) (operation.ordinal() + 1 | (isAnswer ? ANSWER : 0))).put((byte) status.ordinal())
        .put((byte) key.length).putLong(client).putLong(number).putLong(version).putShort((short) value.length)
        .put(key).put(value).array();
  }
}
