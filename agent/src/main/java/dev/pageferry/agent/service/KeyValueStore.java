package dev.pageferry.agent.service;

import dev.pageferry.agent.service.KeyValueMessage.Status;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * A key-value store over datagrams whose whole state is guest RAM. A client numbers its changes 1, 2, 3, … and sends the next
 * one only when the last is answered; a change that comes again is answered as before and not done again.
 *
 * <p>Keys lie at or behind the place that their hash names, at most {@value #REACH} slots away. For one thread.
 */
final class KeyValueStore {
  static final int PORT = 7070;
  private static final int REACH = 64;
  /** Sessions that may be a client's; the one used longest ago makes room for a new client. */
  private static final int SESSION_REACH = 16;
  private static final byte[] NOTHING = new byte[0];

  private final ServiceMemory layout;
  private final DeviceMemory memory;

  KeyValueStore(ServiceMemory layout, DeviceMemory memory) {
    this.layout = layout;
    this.memory = memory;
  }

  /** Answers a datagram; empty if it is no request. */
  Optional<byte[]> answer(byte[] datagram) {
    return KeyValueMessage.request(datagram).map(request -> answer(request).encode());
  }

  private KeyValueMessage answer(KeyValueMessage request) {
    if (request.key().length == 0 || request.key().length > Slot.MAX_KEY_BYTES
        || request.value().length > Slot.MAX_VALUE_BYTES) {
      return request.answer(Status.BAD_REQUEST, 0, NOTHING);
    }
    try {
      return request.operation().changes() ? changeOnce(request) : get(request);
    } catch (DamagedException e) {
      return request.answer(Status.DAMAGED, 0, NOTHING);
    }
  }

  private KeyValueMessage get(KeyValueMessage request) throws DamagedException {
    int place = find(request.key());
    if (place < 0) {
      return request.answer(Status.NOT_FOUND, 0, NOTHING);
    }
    Slot slot = slot(place);
    return request.answer(Status.OK, slot.version(), slot.value());
  }

  private KeyValueMessage changeOnce(KeyValueMessage request) throws DamagedException {
    long address = session(request.client());
    Session session = Session.read(memory, address);
    boolean known = session.client() == request.client();
    if (!known && request.number() != 1) {
      return request.answer(Status.UNKNOWN_CLIENT, 0, NOTHING);
    }
    if (known && request.number() == session.number()) {
      return request.answer(session.status(), session.version(), NOTHING);
    }
    if (known && request.number() < session.number()) {
      return request.answer(Status.STALE, 0, NOTHING);
    }
    KeyValueMessage answer = change(request);
    // With the change, in one step of the card: a migration sees both or neither.
    write(address, new Session(request.client(), request.number(), answer.status(), answer.version(), tick()).encode());
    return answer;
  }

  /** What tells which session was changed longest ago. */
  private long tick() {
    long now = memory.getLong(layout.changes()) + 1;
    memory.putLong(layout.changes(), now);
    return now;
  }

  private KeyValueMessage change(KeyValueMessage request) throws DamagedException {
    int place = find(request.key());
    if (request.operation() == KeyValueMessage.Operation.DELETE) {
      if (place < 0) {
        return request.answer(Status.NOT_FOUND, 0, NOTHING);
      }
      Slot before = slot(place);
      put(place, new Slot(Slot.State.DELETED, NOTHING, NOTHING, before.version()));
      return request.answer(Status.OK, before.version() + 1, NOTHING);
    }
    byte[] value = request.value();
    if (request.operation() == KeyValueMessage.Operation.ADD) {
      byte[] old = place < 0 ? new byte[Long.BYTES] : slot(place).value();
      if (value.length != Long.BYTES || old.length != Long.BYTES) {
        return request.answer(Status.BAD_REQUEST, 0, NOTHING);
      }
      value = ByteBuffer.allocate(Long.BYTES).putLong(ByteBuffer.wrap(old).getLong() + ByteBuffer.wrap(value).getLong())
          .array();
    }
    long version = place < 0 ? 1 : slot(place).version() + 1;
    int target = place < 0 ? firstFree(request.key()) : place;
    if (target < 0) {
      return request.answer(Status.FULL, 0, NOTHING);
    }
    put(target, new Slot(Slot.State.TAKEN, request.key(), value, version));
    return request.answer(Status.OK, version, NOTHING);
  }

  /** The key's place, or -1. */
  private int find(byte[] key) throws DamagedException {
    for (int i = 0; i < REACH; i++) {
      int place = place(key, i);
      Slot slot = slot(place);
      if (slot.isFor(key)) {
        return place;
      }
      if (slot.state() == Slot.State.FREE) {
        return -1;
      }
    }
    return -1;
  }

  private int firstFree(byte[] key) throws DamagedException {
    for (int i = 0; i < REACH; i++) {
      int place = place(key, i);
      if (slot(place).state() != Slot.State.TAKEN) {
        return place;
      }
    }
    return -1;
  }

  private int place(byte[] key, int offset) {
    long hash = 0xCBF29CE484222325L;
    for (byte each : key) {
      // FNV-1a.
      hash = (hash ^ each & 0xFF) * 0x100000001B3L;
    }
    return (int) (mixed(hash) + offset & layout.slots() - 1);
  }

  private static long mixed(long value) {
    long mixed = (value ^ value >>> 33) * 0xFF51AFD7ED558CCDL;
    return mixed ^ mixed >>> 33;
  }

  private Slot slot(int place) throws DamagedException {
    return Slot.decode(memory.read(layout.slot(place), Slot.BYTES));
  }

  private void put(int place, Slot slot) {
    write(layout.slot(place), slot.encode());
  }

  /** Memory of the store, and with it the fingerprint of all of it. */
  private void write(long address, byte[] bytes) {
    long before = fingerprint(address, memory.read(address, bytes.length));
    memory.write(address, bytes);
    memory.putLong(layout.fingerprint(),
        memory.getLong(layout.fingerprint()) ^ before ^ fingerprint(address, bytes));
  }

  /** Zero for zeros. Depends on where they are, so that two that changed places show. */
  private static long fingerprint(long address, byte[] bytes) {
    boolean zeros = true;
    for (int i = 0; zeros && i < bytes.length; i++) {
      zeros = bytes[i] == 0;
    }
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    return zeros ? 0 : mixed(crc.getValue() << 32 ^ address);
  }

  /** Where the client's session is, or is to be. */
  private long session(long client) {
    int first = (int) (mixed(client) & ServiceMemory.SESSIONS - 1);
    long oldest = 0;
    long least = Long.MAX_VALUE;
    for (int i = 0; i < SESSION_REACH; i++) {
      long address = layout.session(first + i & ServiceMemory.SESSIONS - 1);
      Session session = Session.read(memory, address);
      if (session.client() == client) {
        return address;
      }
      if (session.used() < least) {
        least = session.used();
        oldest = address;
      }
    }
    return oldest;
  }

  /**
   * Checks every slot and session, and that none of them is older than the last change.
   *
   * @return keys that are there
   * @throws DamagedException naming the first slot that does not hold what was written
   */
  int check() throws DamagedException {
    int taken = 0;
    long fingerprint = 0;
    for (int i = 0; i < ServiceMemory.SESSIONS; i++) {
      fingerprint ^= fingerprint(layout.session(i), memory.read(layout.session(i), Session.BYTES));
    }
    for (int i = 0; i < layout.slots(); i++) {
      try {
        taken += slot(i).state() == Slot.State.TAKEN ? 1 : 0;
        fingerprint ^= fingerprint(layout.slot(i), memory.read(layout.slot(i), Slot.BYTES));
      } catch (DamagedException e) {
        throw new DamagedException("slot %d: %s".formatted(i, e.getMessage()));
      }
    }
    if (fingerprint != memory.getLong(layout.fingerprint())) {
      throw new DamagedException("the key-value store has fingerprint %016x, expected %016x: a change is missing"
          .formatted(fingerprint, memory.getLong(layout.fingerprint())));
    }
    return taken;
  }
}
