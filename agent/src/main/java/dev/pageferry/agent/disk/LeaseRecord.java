package dev.pageferry.agent.disk;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * Who has something on shared storage: a host its name, a VM its disk. 512 bytes of text, so that one write of one sector
 * changes it whole, and so that an operator can read it:
 *
 * <pre>
 * pageferry-lease 1
 * state=held
 * vm=1f0c...            the VM's id; empty in a host's lease
 * host=host-a
 * incarnation=77ab...   the life of the agent
 * boot=0e1d...          the boot of that machine's kernel (/proc/sys/kernel/random/boot_id)
 * epoch=3               of the VM's ownership; 0 in a host's lease
 * migration=            the migration that a released disk is meant for
 * counter=17            counts renewals; in hosts' leases
 * millis=10000          a host whose counter did not change for so long has lost what it held
 * crc32c=6b1f93aa       of everything above
 * (spaces)
 * </pre>
 *
 * There is no time of day in it: hosts' clocks are not compared. Whoever waits for an expiry watches the counter and
 * measures on a clock of its own.
 */
record LeaseRecord(State state, String vm, String host, String incarnation, String boot, long epoch, String migration,
    long counter, Duration duration) {
  static final int BYTES = 512;
  static final Duration MAX_DURATION = Duration.ofHours(1);
  private static final String FIRST_LINE = "pageferry-lease 1\n";
  private static final String CHECKSUM = "crc32c=";

  /** What the holder does with it. */
  enum State {
    HELD,
    RELEASED,
    /** A mark for the holder: another host is to have it. */
    FENCED
  }

  LeaseRecord released(String forMigration) {
    return new LeaseRecord(State.RELEASED, vm, host, incarnation, boot, epoch, forMigration, counter, duration);
  }

  LeaseRecord ofUnknownBoot() {
    return new LeaseRecord(state, vm, host, incarnation, "", epoch, migration, counter, duration);
  }

  LeaseRecord renewed() {
    return new LeaseRecord(state, vm, host, incarnation, boot, epoch, migration, counter + 1, duration);
  }

  boolean isOfLife(String otherIncarnation) {
    return incarnation.equals(otherIncarnation);
  }

  ByteBuffer encode() {
    StringBuilder text = new StringBuilder(FIRST_LINE);
    line(text, "state", state.name().toLowerCase(Locale.ROOT));
    line(text, "vm", vm);
    line(text, "host", host);
    line(text, "incarnation", incarnation);
    line(text, "boot", boot);
    line(text, "epoch", epoch);
    line(text, "migration", migration);
    line(text, "counter", counter);
    line(text, "millis", duration.toMillis());
    String checksum = "%08x".formatted(checksum(text.toString()));
    text.append(CHECKSUM).append(checksum).append('\n');
    if (text.length() > BYTES) {
      throw new IllegalArgumentException("a lease of %d bytes exceeds %d".formatted(text.length(), BYTES));
    }
    text.append(" ".repeat(BYTES - text.length()));
    return ByteBuffer.wrap(text.toString().getBytes(StandardCharsets.US_ASCII));
  }

  private static void line(StringBuilder text, String key, Object value) {
    text.append(key).append('=').append(value).append('\n');
  }

  /** @throws DiskException if these bytes are no lease, or a torn one */
  static LeaseRecord decode(byte[] bytes) throws DiskException {
    String text = new String(bytes, StandardCharsets.US_ASCII);
    int checksumAt = text.indexOf(CHECKSUM);
    if (!text.startsWith(FIRST_LINE) || checksumAt < 0 || text.length() < checksumAt + CHECKSUM.length() + 8) {
      throw new DiskException("it is no lease of version 1");
    }
    String found = text.substring(checksumAt + CHECKSUM.length(), checksumAt + CHECKSUM.length() + 8);
    String expected = "%08x".formatted(checksum(text.substring(0, checksumAt)));
    if (!found.equals(expected)) {
      throw new DiskException("checksum of a lease is %s, expected %s".formatted(found, expected));
    }
    Map<String, String> values = new HashMap<>();
    text.substring(FIRST_LINE.length(), checksumAt).lines().forEach(line -> {
      int equals = line.indexOf('=');
      values.put(line.substring(0, Math.max(0, equals)), line.substring(equals + 1));
    });
    try {
      long millis = Long.parseLong(value(values, "millis"));
      if (millis < 1 || millis > MAX_DURATION.toMillis()) {
        throw new IllegalArgumentException("millis=%d is not between 1 and %d".formatted(millis,
            MAX_DURATION.toMillis()));
      }
      return new LeaseRecord(State.valueOf(value(values, "state").toUpperCase(Locale.ROOT)),
          value(values, "vm"), value(values, "host"), value(values, "incarnation"), value(values, "boot"),
          Long.parseLong(value(values, "epoch")), value(values, "migration"), Long.parseLong(value(values, "counter")),
          Duration.ofMillis(millis));
    } catch (IllegalArgumentException e) {
      throw new DiskException("a lease cannot be read: " + e.getMessage(), e);
    }
  }

  private static String value(Map<String, String> values, String key) {
    String value = values.get(key);
    if (value == null) {
      throw new IllegalArgumentException("no " + key);
    }
    return value;
  }

  private static int checksum(String text) {
    CRC32C crc = new CRC32C();
    crc.update(text.getBytes(StandardCharsets.US_ASCII));
    return (int) crc.getValue();
  }
}
