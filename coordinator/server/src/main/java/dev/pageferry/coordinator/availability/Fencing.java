package dev.pageferry.coordinator.availability;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Whether the owner of a VM can have effects on it no more: the rungs of a ladder, of which the first that holds is taken. One look at the
 * cluster each.
 *
 * <ol>
 * <li>the host itself says so: another agent registered there, which proves or has waited until the one before is over, and does not take
 * the VM over;
 * <li>its lock on the shared storage is free, and its lease there was waited out;
 * <li>an operator said that the host is off, or deleted it.
 * </ol>
 */
final class Fencing {
  /** Two heartbeats missed. That alone decides nothing. */
  private static final Duration QUIET = Duration.ofSeconds(2);

  private final HostInventory inventory;
  private final StorageLooks looks;
  private final List<Host> hosts;
  private final Map<HostId, StorageLooks.Sign> signs = new HashMap<>();

  /** What was found. */
  sealed interface Finding {
    /** The owner is heard. */
    record Heard() implements Finding {
    }

    /** Nobody knows yet. */
    record NotYet(String reason) implements Finding {
    }

    record Gone(String reason) implements Finding {
    }
  }

  Fencing(HostInventory inventory, StorageLooks looks) {
    this.inventory = inventory;
    this.looks = looks;
    this.hosts = inventory.list();
  }

  /** Whether that incarnation is the host's, and was heard a moment ago. */
  static boolean isHeard(HostInventory inventory, HostId host, Incarnation incarnation) {
    return inventory.isCurrent(host, incarnation) && inventory.silenceOf(host)
        .map(each -> each.compareTo(QUIET) < 0).orElseGet(() -> inventory.isAlive(host, incarnation));
  }

  Finding of(Row row) throws InterruptedException {
    VmRecord record = row.record();
    HostId id = new HostId(record.getOwnerHost());
    Incarnation incarnation = new Incarnation(record.getOwnerIncarnation());
    if (isHeard(inventory, id, incarnation)) {
      return new Finding.Heard();
    }
    Optional<Host> host = hosts.stream().filter(each -> each.id().equals(id)).findFirst();
    if (host.isEmpty()) {
      return new Finding.Gone("host %s was deleted by an operator".formatted(id));
    }
    return host.get().incarnation().equals(incarnation) ? ofSilent(host.get(), record) : ofFollowed(host.get(), row);
  }

  private static Finding ofFollowed(Host host, Row row) {
    if (!host.hasReported() && !host.isConfirmedDead()) {
      return new Finding.NotYet("the agent of host %s was started again, and has not said what it takes over"
          .formatted(host.id()));
    }
    return host.coming().contains(row.id())
        ? new Finding.NotYet("the agent of host %s was started again, and takes it over".formatted(host.id()))
        : new Finding.Gone("the agent of host %s was started again, without it".formatted(host.id()));
  }

  private Finding ofSilent(Host host, VmRecord record) throws InterruptedException {
    if (host.isConfirmedDead()) {
      return new Finding.Gone("host %s was confirmed dead by an operator".formatted(host.id()));
    }
    if (record.getSpec().hasQemu()) {
      return new Finding.NotYet(
          "host %s is silent; a machine of QEMU may outlive its agent, so that nothing but the host's return or 'ferry host confirm-dead %s' tells"
              .formatted(host.id(), host.id()));
    }
    if (record.getSpec().getDisksCount() == 0 || !record.getStorageId().equals(host.record().getStorageId())) {
      return new Finding.NotYet(
          "host %s is silent; the VM has nothing on its storage that would tell more; 'ferry host confirm-dead %s' does"
              .formatted(host.id(), host.id()));
    }
    StorageLooks.Sign sign = signs.get(host.id());
    if (sign == null) {
      sign = looks.look(host, hosts);
      signs.put(host.id(), sign);
    }
    String reason = "host %s is silent; %s".formatted(host.id(), sign.reason());
    return sign.isGone() ? new Finding.Gone(reason) : new Finding.NotYet(reason);
  }
}
