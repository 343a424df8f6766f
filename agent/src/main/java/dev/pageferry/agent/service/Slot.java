package dev.pageferry.agent.service;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * One slot of the key-value store in guest RAM, little-endian:
 *
 * <pre>
 *  0  CRC32C of all that follows (4)
 *  4  state: 0 free, 1 taken, 2 deleted (1)
 *  5  bytes of the key (1)
 *  6  bytes of the value (2)
 *  8  version: how often the key was changed since it was put there (8)
 * 16  key (48)
 * 64  value (192)
 * </pre>
 *
 * A slot of zeros is free.
 */
record Slot(State state, byte[] key, byte[] value, long version) {
  static final int BYTES = 256;
  static final int MAX_KEY_BYTES = 48;
  static final int MAX_VALUE_BYTES = 192;
  private static final int KEY = 16;
  private static final int VALUE = KEY + MAX_KEY_BYTES;
  private static final byte[] ZEROS = new byte[BYTES];
  private static final Slot FREE = new Slot(State.FREE, new byte[0], new byte[0], 0);

  enum State {
    FREE,
    TAKEN,
    /** Was taken: a search goes on behind it. */
    DELETED
  }

  /** @throws DamagedException if these bytes are no slot */
  static Slot decode(byte[] bytes) throws DamagedException {
    ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int state = bytes[4];
    if (Arrays.equals(bytes, ZEROS)) {
      return FREE;
    }
    int keyBytes = bytes[5] & 0xFF;
    int valueBytes = in.getShort(6) & 0xFFFF;
    if (in.getInt(0) != checksum(bytes) || state < 1 || state > 2 || keyBytes > MAX_KEY_BYTES
        || valueBytes > MAX_VALUE_BYTES) {
      throw new DamagedException("a slot of the key-value store has checksum %08x, expected %08x".formatted(
          in.getInt(0), checksum(bytes)));
    }
    return new Slot(State.values()[state], Arrays.copyOfRange(bytes, KEY, KEY + keyBytes),
        Arrays.copyOfRange(bytes, VALUE, VALUE + valueBytes), in.getLong(8));
  }

  byte[] encode() {
    byte[] bytes = new byte[BYTES];
    ByteBuffer out = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    out.put(4, (byte) state.ordinal()).put(5, (byte) key.length).putShort(6, (short) value.length)
        .putLong(8, version).put(KEY, key).put(VALUE, value);
    return out.putInt(0, checksum(bytes)).array();
  }

  boolean isFor(byte[] wanted) {
    return state == State.TAKEN && Arrays.equals(key, wanted);
  }

  private static int checksum(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 4, BYTES - 4);
    return (int) crc.getValue();
  }
}
