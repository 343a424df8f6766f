package dev.pageferry.coordinator.validation;

import dev.pageferry.common.units.Durations;
import dev.pageferry.coordinator.validation.ClusterLook.ClockLook;
import dev.pageferry.coordinator.validation.ClusterLook.HostLook;
import java.util.List;

/**
 * Whether clocks agree. The time of day matters for certificates and logs alone; leases are counted on clocks since boot, whose
 * rates have to agree to a tenth.
 */
final class ClockChecks {
  private static final String OFFSET = "clock-offset";
  private static final String RATE = "clock-rate";
  private static final double FAR_OFF_SECONDS = 300;
  private static final double OFF_SECONDS = 1;
  private static final double BAD_RATE = 0.05;
  private static final double ODD_RATE = 0.01;
  private static final String SYNCHRONIZE = "run a time service on every host (chrony, systemd-timesyncd)";

  private ClockChecks() {
  }

  static void look(ClusterLook cluster, Findings findings) {
    Findings.Category clocks = findings.of("clocks");
    for (HostLook each : cluster.hosts()) {
      each.clock().ifPresent(it -> look(each.name(), it, clocks));
    }
    if (cluster.hosts().stream().anyMatch(each -> each.clock().isPresent())) {
      clocks.passUnlessFound(OFFSET, "all within %s of the coordinator's".formatted(Durations.format(OFF_SECONDS)));
      clocks.passUnlessFound(RATE, "all go as fast as the coordinator's, to %.0f %%".formatted(ODD_RATE * 100));
    }
  }

  private static void look(String host, ClockLook clock, Findings.Category clocks) {
    double off = Math.abs(clock.offsetSeconds()) - clock.offsetUncertainty();
    String offset = "its time of day is %s %s the coordinator's".formatted(
        Durations.format(Math.abs(clock.offsetSeconds())), clock.offsetSeconds() > 0 ? "ahead of" : "behind");
    if (off > FAR_OFF_SECONDS) {
      clocks.fail(OFFSET, List.of(host), offset + ": certificates may not be valid yet, or not any more", SYNCHRONIZE);
    } else if (off > OFF_SECONDS) {
      clocks.warn(OFFSET, List.of(host), offset + ": logs cannot be compared", SYNCHRONIZE);
    }
    double odd = Math.abs(clock.rateError()) - clock.rateUncertainty();
    String rate = "its clock since boot goes %.1f %% %s than the coordinator's".formatted(
        Math.abs(clock.rateError()) * 100, clock.rateError() > 0 ? "faster" : "slower");
    if (odd > BAD_RATE) {
      clocks.fail(RATE, List.of(host), rate + ": leases are counted on it", "look at the clock source of that kernel");
    } else if (odd > ODD_RATE) {
      clocks.warn(RATE, List.of(host), rate, "look at the clock source of that kernel");
    }
  }
}
