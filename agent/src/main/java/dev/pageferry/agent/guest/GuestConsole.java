package dev.pageferry.agent.guest;

import java.io.IOException;
import java.time.Duration;

/**
 * A guest's serial console. What the guest wrote is numbered by bytes since its first boot, through moves and saves; the newest
 * part of it is kept. Any number may watch and write.
 */
public interface GuestConsole {
  /** The most that one answer has, in bytes. */
  int MOST_BYTES = 64 << 10;

  /**
   * Something that the guest wrote.
   *
   * @param offset of its first byte
   * @param data empty: there is nothing from there on yet
   */
  @SuppressWarnings("ArrayRecordComponent") // neither compared nor changed
  record Output(long offset, byte[] data) {
    public long next() {
      return offset + data.length;
    }
  }

  /** The number of bytes that the guest has written. */
  long written();

  /**
   * What the guest wrote from there on, or from where it is kept; at once where there is something, else as soon as there is.
   *
   * @param offset beyond what was written: as if at its end
   * @param atMost to wait
   */
  Output read(long offset, Duration atMost) throws InterruptedException;

  /**
   * Types.
   *
   * @throws IOException if the machine does not take it
   */
  void write(byte[] data) throws IOException, InterruptedException;
}
