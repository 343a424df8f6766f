package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.guest.GuestConsole.Output;

/** The newest bytes of a stream, numbered from its beginning. Safe for use by several threads. */
final class ConsoleBuffer {
  private static final int FIRST_BYTES = 16 << 10;

  private final int mostBytes;
  /** The byte of number n is at n modulo its length; it grows up to the most that is kept. */
  private byte[] ring = new byte[FIRST_BYTES];
  /** Bytes that ever came. */
  private long end;
  /** Bytes that are there. */
  private int kept;

  /** @param mostBytes that are kept, at least 16 KiB */
  ConsoleBuffer(int mostBytes) {
    this.mostBytes = mostBytes;
  }

  /** Begins in the middle of a stream, in place of whatever is there. */
  synchronized void begin(long offset, byte[] data) {
    end = offset;
    kept = 0;
    add(data, data.length);
  }

  synchronized void add(byte[] data, int length) {
    int size = ring.length;
    while (size < mostBytes && size < kept + length) {
      size = Math.min(mostBytes, 2 * size);
    }
    if (size > ring.length) {
      Output old = from(end - kept, kept);
      ring = new byte[size];
      put(old.offset(), old.data(), kept);
    }
    put(end, data, length);
    end += length;
    kept = Math.min(ring.length, kept + length);
  }

  private void put(long offset, byte[] data, int length) {
    for (int i = Math.max(0, length - ring.length); i < length; i++) {
      ring[(int) ((offset + i) % ring.length)] = data[i];
    }
  }

  synchronized long end() {
    return end;
  }

  /** What is there from an offset on; from the oldest byte where that one is gone, and nothing beyond the end. */
  synchronized Output from(long offset, int atMost) {
    long first = Math.clamp(offset, end - kept, end);
    byte[] data = new byte[(int) Math.min(atMost, end - first)];
    for (int i = 0; i < data.length; i++) {
      data[i] = ring[(int) ((first + i) % ring.length)];
    }
    return new Output(first, data);
  }
}
