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
import org.jspecify.annotations.Nullable;
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
  /** For how long after its heartbeat a host's bound VMs work by the answer. */
  public static final Duration LEASE = Duration.ofSeconds(10);
  /** As with leases on storage: clocks may run at rates that differ by a tenth. */
  static final Duration WAITED_OUT = LEASE.plus(LEASE.dividedBy(10));

  private final HostInventory inventory;
  private final OwnershipLedger ledger;
  private final HaSettings settings;
  private final Scheduler scheduler;
  /** On the inventory's clock: from when on hosts could have been heard by this process. */
  private final long sinceNanos;
  /** VMs that are just being given to other hosts. */
  private final Set<VmId> leaving = ConcurrentHashMap.newKeySet();
  /** VMs whose row is being written. */
  private final Set<VmId> noting = ConcurrentHashMap.newKeySet();

  /**
   * A VM that is bound.
   *
   * @param token counts the changes of the wish that it be
   */
  public record Binding(OwnershipEpoch epoch, long token) {
    static Binding of(VmRecord record) {
      return new Binding(new OwnershipEpoch(record.getEpoch()), record.getBondToken());
    }
  }

  /**
   * What a host says of a VM that is bound there.
   *
   * @param hasRunOut whether its lease had run out, and it stood still, when the heartbeat was sent
   */
  public record Said(Binding binding, boolean hasRunOut) {
  }

  /**
   * What a host that has just been heard is answered.
   *
   * @param binds VMs of it whose lease is renewed
   * @param frees VMs of it that work without one from now on
   */
  public record Answer(Map<VmId, Binding> binds, List<VmId> frees) {
  }

  public MembershipLeases(HostInventory inventory, OwnershipLedger ledger, HaSettings settings, Scheduler scheduler) {
    this.inventory = inventory;
    this.ledger = ledger;
    this.settings = settings;
    this.scheduler = scheduler;
    this.sinceNanos = inventory.nanos();
  }

  /**
   * Judges what a host said. After it was noted that it was heard: who gives a VM away meanwhile then finds that it was.
   *
   * @param vms that it has
   * @param said of those that are bound there
   * @param wentBack whether the records are known to have gone back in time
   */
  public Answer heard(HostId host, Incarnation incarnation, Collection<VmId> vms, Map<VmId, Said> said,
      boolean wentBack) {
    Map<VmId, Binding> binds = new LinkedHashMap<>();
    List<VmId> frees = new ArrayList<>();
    boolean maySpeak = !wentBack && (inventory.isEverybodyHeard() || isOldEnough());
    for (VmId each : vms) {
      if (leaving.contains(each)) {
        continue;
      }
      Said bound = said.get(each);
      if (!maySpeak) {
        // One that never stood still was not started elsewhere, whatever these records have missed. Others wait.
        if (bound != null && !bound.hasRunOut()) {
          binds.put(each, bound.binding());
        }
        continue;
      }
      Optional<Row> row = ledger.find(each).filter(it -> isOf(it.record(), host, incarnation));
      // Else it is another host's by now, perhaps: it keeps what it is bound by, and that runs out.
      row.ifPresent(it -> judge(it, bound, binds, frees));
    }
    return new Answer(binds, frees);
  }

  private void judge(Row row, @Nullable Said said, Map<VmId, Binding> binds, List<VmId> frees) {
    VmRecord record = row.record();
    Binding wished = Binding.of(record);
    // The settings after the row: see unbindAll.
    if (isToBeBound(record) && settings.isArmed()) {
      binds.put(row.id(), wished);
      note(row, said != null && said.binding().equals(wished));
    } else if (hasBond(record)) {
      // It is counted on until the row says otherwise.
      binds.put(row.id(), wished);
      note(row, false);
    } else if (said != null && said.binding().epoch().equals(wished.epoch())) {
      frees.add(row.id());
    }
  }

  /** Whoever may have been given a VM that these records do not know of has stopped it by now, if it was not heard. */
  private boolean isOldEnough() {
    return inventory.silenceSince(sinceNanos).compareTo(WAITED_OUT) >= 0;
  }

  /**
   * Takes all bonds out of rows once restarts are disarmed, so that work on the network stops no VM: hosts are freed as they are heard.
   * Each row is written, whether it has one or not: whoever judged it while restarts were armed, and is late to note a bond, finds that it changed,
   * and whatever hosts said until then is of no use.
   */
  void unbindAll() {
    for (Row each : ledger.list()) {
      if (isToBeBound(each.record())) {
        try {
          Row _ = ledger.notes().unbind(each.id());
        } catch (ConflictException | RuntimeException e) {
          // Deleted, or rows may not change now: the bond is taken out when its host is heard.
          log.debug("vm={} {}", each.id(), e.toString());
        }
      }
    }
  }

  private static boolean isOf(VmRecord record, HostId host, Incarnation incarnation) {
    return record.getPhase() == VmRecord.Phase.ACTIVE && record.getOwnerHost().equals(host.value())
        && record.getOwnerIncarnation().equals(incarnation.value());
  }

  private static boolean isToBeBound(VmRecord record) {
    // Options of QEMU's own may give it disks and cards that no agent stops.
    return record.getSpec().getDisksCount() == 0 && record.getSpec().getQemu().getArgumentsCount() == 0
        && Wishes.of(record).ha() == Ha.Name.ON;
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

  /**
   * Whether the leases of that incarnation have surely run out, whatever it was answered. One that is not the host's any more has ended, or was
   * waited for, before another took its place, or is off by an operator's or a fence agent's word.
   */
  boolean isOver(HostId host, Incarnation incarnation) {
    return !inventory.isCurrent(host, incarnation) || silence(host).compareTo(WAITED_OUT) >= 0;
  }

  /** Since its last heartbeat; since this process started, if there was none. */
  Duration silence(HostId host) {
    return inventory.silentFor(host);
  }

  /**
   * Gives a bound VM to another host. While that lasts, no answer to its owner renews its lease; so if that is over now, it stays over until
   * the row has changed, and from then on no answer names it.
   */
  Withheld withholdRenewal(VmId vm) {
    leaving.add(vm);
    return () -> leaving.remove(vm);
  }

  /** Ends without fail. */
  @FunctionalInterface
  interface Withheld extends AutoCloseable {
    @Override
    void close();
  }
}
