package dev.pageferry.ferry.view;

import com.google.protobuf.util.Timestamps;
import dev.pageferry.proto.cluster.v1.CheckHaResponse;
import dev.pageferry.proto.cluster.v1.HaStatus;
import dev.pageferry.proto.cluster.v1.HostDeath;
import dev.pageferry.proto.cluster.v1.HostVerdict;
import dev.pageferry.proto.cluster.v1.UnplacedVm;
import dev.pageferry.proto.cluster.v1.VmPlacement;

/** Where VMs would go, for people to read. */
public final class PlacementText {
  private PlacementText() {
  }

  public static String of(VmPlacement placement, Palette palette) {
    Details details = new Details().add("name", placement.getName()).add("host", placement.getHost())
        .add("would go to", "%s: %s".formatted(placement.hasTo() ? placement.getTo() : "nowhere",
            Output.oneLine(placement.getReason())))
        .add("by itself", placement.getRestartable()
            ? "yes"
            : "no: " + Output.oneLine(placement.getNotRestartableBecause()));
    Table hosts = new Table("HOST", "ELIGIBLE", "REASON");
    for (HostVerdict each : placement.getHostsList()) {
      hosts.row(each.getHost(), each.getEligible() ? "yes" : "no", Output.oneLine(each.getReason()));
    }
    return details.text() + "\n" + hosts.text(palette);
  }

  /** A line for each host, and one for each VM that would not run again by itself. */
  public static String of(CheckHaResponse deaths, Palette palette) {
    Table hosts = new Table("HOST", "RESTARTABLE", "WITHOUT PLACE", "NEVER");
    Table vms = new Table("HOST", "VM", "REASON");
    boolean hasVms = false;
    for (HostDeath death : deaths.getHostsList()) {
      int withoutPlace = withoutPlace(death);
      hosts.row(death.getHost(), death.getRestartable(), withoutPlace, death.getUnplacedCount() - withoutPlace);
      for (UnplacedVm each : death.getUnplacedList()) {
        hasVms = true;
        vms.row(death.getHost(), each.getVm(), (each.getKind() == UnplacedVm.Kind.NEVER ? "never by itself: " : "")
            + Output.oneLine(each.getReason()));
      }
    }
    return hosts.text(palette) + (hasVms ? "\n" + vms.text(palette) : "");
  }

  /** Whether VMs are restarted, and a line for each that waits. */
  public static String of(HaStatus status, Palette palette) {
    Details details = new Details().add("armed", status.getArmed()
        ? "yes: VMs are restarted by themselves when their host stops"
        : "no, since " + Times.text(Timestamps.toMillis(status.getDisarmedAt())));
    if (status.getWaitingCount() == 0) {
      return details.text();
    }
    Table vms = new Table("VM", "HOST", "FAILED STARTS", "REASON");
    status.getWaitingList().forEach(
        each -> vms.row(each.getVm(), each.getHost(), each.getAttempts(), Output.oneLine(each.getReason())));
    return details.text() + "\n" + vms.text(palette);
  }

  /** How many VMs would be restarted, and found no place. */
  public static int withoutPlace(HostDeath death) {
    return (int) death.getUnplacedList().stream().filter(each -> each.getKind() != UnplacedVm.Kind.NEVER).count();
  }
}
