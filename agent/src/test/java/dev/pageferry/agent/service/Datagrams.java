package dev.pageferry.agent.service;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.nio.ByteBuffer;

/** Datagrams of clients of the key-value store, by the format in {@link KeyValueMessage} and not by its code. */
final class Datagrams {
  static final int GET = 1;
  static final int PUT = 2;
  static final int ADD = 3;
  static final int DELETE = 4;
  static final byte[] NOTHING = new byte[0];

  /** What an answer says. */
  record Answer(int status, long version, byte[] value) {
    static Answer of(byte[] datagram) {
      ByteBuffer in = ByteBuffer.wrap(datagram);
      byte[] value = new byte[in.getShort(32) & 0xFFFF];
      in.position(34 + (in.get(7) & 0xFF)).get(value);
      return new Answer(in.get(6), in.getLong(24), value);
    }

    @Override
    public String toString() {
      return "%s version %d '%s'".formatted(KeyValueMessage.Status.values()[status], version,
          new String(value, US_ASCII));
    }
  }

  private Datagrams() {
  }

  static byte[] datagram(int operation, byte[] key, long client, long number, byte[] value) {
    return ByteBuffer.allocate(34 + key.length + value.length).put(ascii("PFKV")).put((byte) 1).put((byte) operation)
        .put((byte) 0).put((byte) key.length).putLong(client).putLong(number).putLong(0).putShort((short) value.length)
        .put(key).put(value).array();
  }

  static byte[] ascii(String text) {
    return text.getBytes(US_ASCII);
  }

  static byte[] number(long value) {
    return ByteBuffer.allocate(8).putLong(value).array();
  }
}
