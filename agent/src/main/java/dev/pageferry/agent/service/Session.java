package dev.pageferry.agent.service;

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

  void write(DeviceMemory memory, long address) {
    memory.putLong(address, client);
    memory.putLong(address + 8, number);
    memory.putLong(address + 16, status.ordinal());
    memory.putLong(address + 24, version);
    memory.putLong(address + 32, used);
  }
}
