package dev.pageferry.coordinator.availability;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.machines.Wishes;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.proto.cluster.v1.Ha;
import dev.pageferry.proto.records.v1.Bond;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Leases of hosts by which those of their VMs work that have no disks and are to be restarted ({@code --ha on}). A host counts its own from
 * when it sent the heartbeat whose answer renews it, and this coordinator from when it heard that heartbeat, which is later; so once it has
 * heard none for the lease and a tenth, such a VM has no effects there.
 *
 * <p>That is so only for a VM of which its host has said that it is bound, under the epoch that it has it under. The row says so before it is
 * counted on, and the host keeps to it until it is told otherwise by name.
 */
public final class MembershipLeases {
  private static final Logger log = LoggerFactory.getLogger(MembershipLeases.class);
  public static final Duration LEASE = Duration.ofSeconds(10);
  /** As with leases on storage: clocks may run at rates that differ by a tenth. */
  static final Duration WAITED_OUT = LEASE.plus(LEASE.dividedBy(10));

  private final HostInventory inventory;
  private final OwnershipLedger ledger;
  private final Scheduler scheduler;
  /** VMs that are just being given to other hosts. */
  private final Set<VmId> leaving = ConcurrentHashMap.newKeySet();
  /** VMs whose row is being written. */
  private final Set<VmId> noting = ConcurrentHashMap.newKeySet();

  /**
   * What a host that has just been heard is answered.
   *
   * @param binds VMs of it whose lease is renewed
   * @param frees VMs of it that work without one from now on
   */
  public record Answer(Map<VmId, OwnershipEpoch> binds, List<VmId> frees) {
  }

  public MembershipLeases(HostInventory inventory, OwnershipLedger ledger, Scheduler scheduler) {
    this.inventory = inventory;
    this.ledger = ledger;
    this.scheduler = scheduler;
  }

  /**
   * Judges what a host said. After it was noted that it was heard: who gives a VM away meanwhile then finds that it was.
   *
   * @param vms that it has
   * @param bound those that it says are bound
   */
  public Answer heard(HostId host, Incarnation incarnation, Collection<VmId> vms, Map<VmId, OwnershipEpoch> bound) {
    Map<VmId, OwnershipEpoch> binds = new LinkedHashMap<>();
    List<VmId> frees = new ArrayList<>();
    for (VmId each : vms) {
      if (leaving.contains(each)) {
        continue;
      }
      Optional<Row> row = ledger.find(each).filter(it -> isOf(it.record(), host, incarnation));
      if (row.isEmpty()) {
        // Another host's by now, perhaps: it keeps what it is bound by, and that runs out.
        continue;
      }
      OwnershipEpoch epoch = new OwnershipEpoch(row.get().record().getEpoch());
      if (isToBeBound(row.get().record())) {
        binds.put(each, epoch);
        note(row.get(), epoch.equals(bound.get(each)));
      } else if (epoch.equals(bound.get(each))) {
        frees.add(each);
      }
    }
    return new Answer(binds, frees);
  }

  private static boolean isOf(VmRecord record, HostId host, Incarnation incarnation) {
    return record.getPhase() == VmRecord.Phase.ACTIVE && record.getOwnerHost().equals(host.value())
        && record.getOwnerIncarnation().equals(incarnation.value());
  }

  private static boolean isToBeBound(VmRecord record) {
    return record.getSpec().getDisksCount() == 0 && Wishes.of(record).ha() == Ha.Name.ON;
  }

  /** Not by the caller's thread: no heartbeat waits for a disk. Only if the row is as it was read: by that the host was answered. */
  private void note(Row row, boolean isBound) {
    if (isBound == hasBond(row.record()) || !noting.add(row.id())) {
      return;
    }
    boolean isStarted = false;
    try {
      Task _ = scheduler.start("bond-" + row.record().getSpec().getName(), () -> {
        try {
          VmRecord record = row.record();
          Row _ = ledger.notes().bond(row, isBound
              ? Optional.of(Bond.newBuilder().setIncarnation(record.getOwnerIncarnation()).setEpoch(record.getEpoch())
                  .build())
              : Optional.empty());
        } catch (ConflictException | RuntimeException e) {
          // The next heartbeat has it noted.
          log.debug("vm={} {}", row.id(), e.toString());
        } finally {
          noting.remove(row.id());
        }
      });
      isStarted = true;
    } finally {
      if (!isStarted) {
        noting.remove(row.id());
      }
    }
  }

  private static boolean hasBond(VmRecord record) {
    Bond bond = record.getBond();
    return record.hasBond() && bond.getIncarnation().equals(record.getOwnerIncarnation())
        && bond.getEpoch() == record.getEpoch();
  }

  /** Whether a VM works only as long as its owner's lease lasts, by what that has said. */
  static boolean isBound(VmRecord record) {
    return record.getPhase() == VmRecord.Phase.ACTIVE && isToBeBound(record) && hasBond(record);
  }

  /** Whether the lease of that incarnation has surely run out, whatever it was answered. */
  boolean isOver(HostId host, Incarnation incarnation) {
    return !inventory.isCurrent(host, incarnation) || silence(host).compareTo(WAITED_OUT) >= 0;
  }

  /** From when this process started, if it has not heard the host. */
  Duration silence(HostId host) {
    return inventory.silentFor(host);
  }

  /**
   * Gives a bound VM to another host. While that lasts, no answer to its owner renews its lease; so if that is over now, it stays over until
   * the row has changed, and from then on no answer names it.
   */
  Leaving leaves(VmId vm) {
    leaving.add(vm);
    return () -> leaving.remove(vm);
  }

  /** Ends without fail. */
  @FunctionalInterface
  interface Leaving extends AutoCloseable {
    @Override
    void close();
  }
}
