package dev.pageferry.coordinator.availability;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.proto.agent.v1.HostSigns.Verdict;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Whether the owner of a VM can have effects on it no more. Of one look at the cluster each, so that a host is asked for once. One of these
 * is enough:
 *
 * <ul>
 * <li>another agent registered under the host's name, which has proved, or waited long enough, that the one before has ended, and does not
 * take the VM over;
 * <li>an operator said that the host is off, or its fence agents did;
 * <li>the host is silent, and hosts that share its storage see there that it is gone;
 * <li>the VM works by a lease that its host has from the coordinator, and that has run out.
 * </ul>
 */
final class Fencing {
  /** A heartbeat missed, and the next one late. That alone decides nothing. */
  private static final Duration QUIET = Duration.ofMillis(1500);
  private static final String KEPT = "%s; its machine is kept there for the next agent, as long as --keep-guests says";
  private static final Duration LONGEST_LOOK = Duration.ofSeconds(5);

  private final HostInventory inventory;
  private final StorageLooks looks;
  private final MembershipLeases leases;
  private final OwnershipLedger ledger;
  private final List<Host> hosts;
  private final Map<Owner, StorageLooks.Sign> signs = new ConcurrentHashMap<>();
  private @Nullable Map<String, Long> copied;

  /** Whoever has, or had, a VM. */
  private record Owner(HostId host, Incarnation incarnation) {
    static Owner of(VmRecord record) {
      return new Owner(new HostId(record.getOwnerHost()), new Incarnation(record.getOwnerIncarnation()));
    }
  }

  /** What was found. */
  sealed interface Finding {
    /** The owner is heard. */
    record Heard() implements Finding {
    }

    /**
     * Nobody knows yet.
     *
     * @param within when it is known that it is gone, unless it is heard or seen to live; empty: nobody can say
     */
    record NotYet(String reason, Optional<Duration> within) implements Finding {
      NotYet(String reason) {
        this(reason, Optional.empty());
      }
    }

    /** The host is silent, and nothing but its power will tell more. */
    record Undecided(String reason) implements Finding {
    }

    record Gone(String reason) implements Finding {
    }
  }

  Fencing(HostInventory inventory, OwnershipLedger ledger, StorageLooks looks, MembershipLeases leases) {
    this.leases = leases;
    this.inventory = inventory;
    this.ledger = ledger;
    this.looks = looks;
    this.hosts = inventory.list();
  }

  /** Whether that incarnation is the host's, was heard a moment ago, and has not closed its connection since. */
  static boolean isHeard(HostInventory inventory, HostId host, Incarnation incarnation) {
    return inventory.isCurrent(host, incarnation) && !inventory.connections().isBroken(host)
        && inventory.silenceOf(host).map(each -> each.compareTo(QUIET) < 0)
            .orElseGet(() -> inventory.isAlive(host, incarnation));
  }

  /** Has the storage looked at for all owners that this needs it for, at once: each answer may take a while. */
  void lookAtStorage(List<Row> rows, Scheduler scheduler) throws InterruptedException {
    List<Host> heard = hosts.stream().filter(each -> isHeard(inventory, each.id(), each.incarnation())).toList();
    Map<Owner, Host> silent = new HashMap<>();
    Map<Owner, Set<String>> machines = new HashMap<>();
    for (Row each : rows) {
      toLookAt(each.record()).ifPresent(host -> silent.put(Owner.of(each.record()), host));
      if (each.record().getSpec().hasQemu()) {
        machines.computeIfAbsent(Owner.of(each.record()), _ -> new TreeSet<>()).add(each.id().value());
      }
    }
    List<Task> tasks = new ArrayList<>();
    silent.forEach((owner, host) -> tasks.add(scheduler.start("looks-at-" + owner.host(), () -> {
      try {
        signs.put(owner, looks.look(host, owner.incarnation(), machines.getOrDefault(owner, Set.of()), heard));
      } catch (InterruptedException e) {
        scheduler.current().interrupt();
      }
    })));
    for (Task each : tasks) {
      boolean _ = each.join(LONGEST_LOOK);
    }
  }

  /** The host of an owner of which storage tells more. */
  private Optional<Host> toLookAt(VmRecord record) {
    Incarnation incarnation = new Incarnation(record.getOwnerIncarnation());
    return host(record).filter(host -> !isHeard(inventory, host.id(), incarnation) && !host.isConfirmedDead()
        && (hasDisksOn(host, record) || isMachineWithKeeper(host, record)));
  }

  private Optional<Host> host(VmRecord record) {
    return hosts.stream().filter(each -> each.id().value().equals(record.getOwnerHost())).findFirst();
  }

  /** Its keeper has a lock on the storage of its host, whether or not the machine has a disk there. */
  private static boolean isMachineWithKeeper(Host host, VmRecord record) {
    return record.getSpec().hasQemu() && !host.record().getStorageId().isEmpty();
  }

  /** Rows of before do not say where disks are: on what the host has. */
  private static boolean hasDisksOn(Host host, VmRecord record) {
    return record.getSpec().getDisksCount() > 0
        && (record.getStorageId().isEmpty() || record.getStorageId().equals(host.record().getStorageId()));
  }

  /** Of a row that was among those whose owners were looked at. */
  Finding of(Row row) {
    VmRecord record = row.record();
    HostId id = new HostId(record.getOwnerHost());
    Incarnation incarnation = new Incarnation(record.getOwnerIncarnation());
    if (isHeard(inventory, id, incarnation)) {
      return new Finding.Heard();
    }
    Optional<Host> host = host(record);
    if (host.isEmpty()) {
      // No host goes while it has VMs, but in records that were put right.
      return new Finding.NotYet("host %s is not known any more; if it is off: 'ferry vm start'".formatted(id));
    }
    if (isBeingCopied(row)) {
      return new Finding.NotYet(
          "its disks were just copied to the storage of host %s, which has not said that they are in place; 'ferry vm start' boots it there"
              .formatted(id));
    }
    if (host.get().isConfirmedDead()) {
      return new Finding.Gone(host.get().deathEvidence());
    }
    return host.get().incarnation().equals(incarnation) ? ofSilent(host.get(), row) : ofFollowed(host.get(), row);
  }

  /** Elsewhere there may be an older copy of its disks, until its owner has opened these. */
  private boolean isBeingCopied(Row row) {
    VmRecord record = row.record();
    boolean isTold = inventory.lastTold(new HostId(record.getOwnerHost()), row.id())
        .filter(each -> each.getEpoch() == record.getEpoch()).isPresent();
    return !isTold && record.getSpec().getDisksCount() > 0
        && copied().getOrDefault(row.id().value(), 0L) == record.getEpoch();
  }

  /** The latest epoch of each VM that a move brought which copied its disks, and did not come to its end. */
  private Map<String, Long> copied() {
    Map<String, Long> known = copied;
    if (known == null) {
      known = new HashMap<>();
      for (MigrationRecord each : ledger.migrations()) {
        if (!each.getDestinationStorage().isEmpty() && each.getDecision() == MigrationRecord.Decision.COMMITTED
            && each.getDocument().getState() != Migration.State.COMPLETED) {
          known.merge(each.getVmId(), each.getDecidedEpoch(), Math::max);
        }
      }
      copied = known;
    }
    return known;
  }

  private Finding ofFollowed(Host host, Row row) {
    boolean mayTakeOver = !host.hasReported() || host.coming().contains(row.id());
    if (mayTakeOver && !isHeard(inventory, host.id(), host.incarnation())) {
      // That one may have ended, too: it is not waited for without an end.
      return ofSilent(host, row);
    }
    if (!host.hasReported()) {
      return new Finding.NotYet("the agent of host %s was started again, and has not said what it takes over"
          .formatted(host.id()));
    }
    if (host.coming().contains(row.id())) {
      return new Finding.NotYet("the agent of host %s was started again, and takes it over".formatted(host.id()));
    }
    StorageLooks.Sign sign = signs.get(Owner.of(row.record()));
    // The one before may be cut off, and have the storage yet.
    return sign != null && sign.verdict() == Verdict.LIVES
        ? new Finding.NotYet("another agent of host %s was started; %s".formatted(host.id(), sign.reason()))
        : new Finding.Gone("the agent of host %s was started again, without it".formatted(host.id()));
  }

  private Finding ofSilent(Host host, Row row) {
    VmRecord record = row.record();
    StorageLooks.Sign sign = signs.get(Owner.of(record));
    // It has no effects without its agent: it could be started elsewhere, and loses its memory then.
    boolean isKept = sign != null && sign.kept().contains(row.id().value());
    if (MembershipLeases.isBound(record)) {
      String since = "host %s is silent for %d s".formatted(host.id(), leases.silence(host.id()).toSeconds());
      // Once: it may run out in between.
      boolean isOver = leases.isOver(host.id(), host.incarnation());
      if (isKept && isOver) {
        return new Finding.NotYet(KEPT.formatted(since));
      }
      return isOver
          ? new Finding.Gone(since + "; the membership lease that the VM worked by there has run out")
          : new Finding.NotYet(
              "%s; the membership lease that the VM works by there runs out after %d s".formatted(since,
                  MembershipLeases.WAITED_OUT.toSeconds()),
              Optional.of(MembershipLeases.WAITED_OUT.minus(leases.silence(host.id()))));
    }
    if (!hasDisksOn(host, record)) {
      return new Finding.Undecided(
          "host %s is silent, and the VM has no disk on its storage that would show whether it has ended; if the host is off: 'ferry host confirm-dead %s'"
              .formatted(host.id(), host.id()));
    }
    if (sign == null) {
      return new Finding.NotYet("host %s is silent; hosts that share its storage are asked".formatted(host.id()));
    }
    String reason = "host %s is silent; %s".formatted(host.id(), sign.reason());
    if (sign.verdict() == Verdict.GONE && record.getSpec().getQemu().getArgumentsCount() > 0) {
      // Options of QEMU's own may give it disks and cards that are not its agent's.
      return new Finding.Undecided(
          "%s; it has options by --qemu-arg, and may have effects without its agent; if the host is off: 'ferry host confirm-dead %s'"
              .formatted(reason, host.id()));
    }
    return switch (sign.verdict()) {
      case GONE -> isKept ? new Finding.NotYet(KEPT.formatted(reason)) : new Finding.Gone(reason);
      case WAITING -> new Finding.NotYet(reason, sign.within());
      default -> new Finding.Undecided(reason);
    };
  }
}
