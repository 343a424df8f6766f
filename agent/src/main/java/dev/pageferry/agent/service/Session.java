package dev.pageferry.agent.service;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * What the key-value store remembers of a client, so that a request that comes again is answered again and not done again.
 * Five numbers of eight bytes in guest RAM:
 * client, its last change's number, the answer's status, the answer's version, and when that was, by the store's count
 * of changes.
 *
 * @param client never 0; a session of zeros is free
 */
record Session(long client, long number, KeyValueMessage.Status status, long version,
    long used) {
  static final int BYTES = 64;

  static Session read(DeviceMemory memory, long address) {
    int status = (int) memory.getLong(address + 16);
    KeyValueMessage.Status[] known = KeyValueMessage.Status.values();
    return new Session(memory.getLong(address), memory.getLong(address + 8),
        known[Math.clamp(status, 0, known.length - 1)],
        memory.getLong(address + 24), memory.getLong(address + 32));
  }

  byte[] encode() {
    return ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(client).putLong(number)
        .putLong(status.ordinal()).putLong(version).putLong(used).array();
  }
}
