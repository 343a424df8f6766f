package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonObject;
import java.util.Comparator;

/** A release of QEMU. */
record QemuVersion(int major, int minor, int micro) implements Comparable<QemuVersion> {
  /** Its emulation loses dirty pages before, and a source cannot be kept from switching over. */
  static final QemuVersion OLDEST = new QemuVersion(8, 2, 2);
  /** Has {@code exit-on-error} of {@code migrate-incoming}. */
  static final QemuVersion STAYS_AFTER_A_BAD_STATE = new QemuVersion(9, 1, 0);

  private static final Comparator<QemuVersion> ORDER = Comparator.comparingInt(QemuVersion::major)
      .thenComparingInt(QemuVersion::minor).thenComparingInt(QemuVersion::micro);

  /** @param greeting the first line of a monitor. Source: QEMU's {@code docs/interop/qmp-spec.rst} */
  static QemuVersion of(JsonObject greeting) {
    JsonObject version = greeting.getAsJsonObject("QMP").getAsJsonObject("version").getAsJsonObject("qemu");
    return new QemuVersion(version.get("major").getAsInt(), version.get("minor").getAsInt(),
        version.get("micro").getAsInt());
  }

  boolean isAtLeast(QemuVersion other) {
    return compareTo(other) >= 0;
  }

  @Override
  public int compareTo(QemuVersion other) {
    return ORDER.compare(this, other);
  }

  @Override
  public String toString() {
    return "%d.%d.%d".formatted(major, minor, micro);
  }
}
