package dev.pageferry.coordinator.availability;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.machines.Machines;
import dev.pageferry.coordinator.ownership.LiveHosts;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.ownership.RowsFrozenException;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.records.v1.Restart;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts of VMs whose hosts stopped: one at a time of each VM, again after a while where one fails, and not without end. That a VM is to run
 * again is in its row from before the first start until it runs, so that another process of this coordinator goes on with it.
 */
final class Restarts {
  private static final Logger log = LoggerFactory.getLogger(Restarts.class);
  static final int MOST_ATTEMPTS = 10;
  private static final int MOST_AT_ONCE = 20;
  private static final int MOST_IN_AN_HOUR = 5;
  private static final Duration SHORT_WAIT = Duration.ofSeconds(1);
  private static final Duration LONGEST_WAIT = Duration.ofSeconds(60);

  private final OwnershipLedger ledger;
  private final Machines machines;
  private final LiveHosts heard;
  private final MembershipLeases leases;
  private final Scheduler scheduler;
  private final Set<VmId> underWay = ConcurrentHashMap.newKeySet();
  /** On the scheduler's clock. */
  private final Map<VmId, Long> notBefore = new ConcurrentHashMap<>();

  Restarts(OwnershipLedger ledger, Machines machines, LiveHosts heard, MembershipLeases leases, Scheduler scheduler) {
    this.leases = leases;
    this.ledger = ledger;
    this.machines = machines;
    this.heard = heard;
    this.scheduler = scheduler;
  }

  /** Those that are being started right now. */
  Set<VmId> underWay() {
    return Set.copyOf(underWay);
  }

  boolean isIdle() {
    return underWay.isEmpty();
  }

  /** Why the VM is not started now, though it might be. */
  Optional<String> obstacle(Row row) {
    Restart note = row.record().getRestart();
    if (note.getAttempts() >= MOST_ATTEMPTS) {
      return Optional.of(
          "it waits for an operator, since %d starts have failed, the last one because %s; 'ferry vm start %s' tries once more"
              .formatted(note.getAttempts(), note.getTrouble(), row.record().getSpec().getName()));
    }
    Optional<Long> turn = turn(row.record());
    if (turn.isPresent()) {
      return turn
          .map(each -> "its hosts stopped %d times within an hour, and it may be the cause; it is started after %s"
              .formatted(MOST_IN_AN_HOUR, Instant.ofEpochMilli(each).truncatedTo(ChronoUnit.SECONDS)));
    }
    Long until = notBefore.get(row.id());
    return until == null || scheduler.nanos() - until >= 0
        ? Optional.empty()
        : Optional.of(note.getAttempts() == 0
            ? "it is tried again in a moment"
            : "start %d failed (%s); the next one is in %d s".formatted(note.getAttempts(), note.getTrouble(),
                Math.max(1, Duration.ofNanos(until - scheduler.nanos()).toSeconds())));
  }

  /** From when on a VM is started again whose hosts stopped one after the other, milliseconds since 1970-01-01 UTC; empty: now. */
  private Optional<Long> turn(VmRecord record) {
    long now = scheduler.wallMillis();
    long hourAgo = now - Duration.ofHours(1).toMillis();
    // Of those before the one that it waits for.
    List<Long> before = record.getRestartsAtMillisList().stream()
        .filter(each -> each > hourAgo && each <= now && each != record.getRestart().getSinceMillis()).toList();
    return before.size() < MOST_IN_AN_HOUR
        ? Optional.empty()
        : Optional.of(before.get(before.size() - MOST_IN_AN_HOUR) + Duration.ofHours(1).toMillis());
  }

  /** Starts the VM, on a task of its own. */
  void begin(Row row, String onHost, String evidence) {
    boolean isStarted = !underWay.add(row.id());
    try {
      if (!isStarted) {
        var _ = scheduler.start("restart-" + row.record().getSpec().getName(), () -> {
          try {
            attempt(row, onHost, evidence);
          } finally {
            underWay.remove(row.id());
          }
        });
        isStarted = true;
      }
    } finally {
      if (!isStarted) {
        underWay.remove(row.id());
      }
    }
  }

  /** How many more may be begun now: hosts have other guests. */
  int room() {
    return Math.max(0, MOST_AT_ONCE - underWay.size());
  }

  private void attempt(Row found, String onHost, String evidence) {
    String name = found.record().getSpec().getName();
    try {
      Row noted = found.record().hasRestart() ? found : noted(found, evidence);
      restart(noted, onHost);
      Restart note = noted.record().getRestart();
      log.info("vm={} id={} runs again, on host={}; host {} was found to have stopped {}: {}", name, found.id(), onHost,
          note.getFromHost(), note.getSinceMillis() == 0
              ? "before"
              : "%d ms ago".formatted(scheduler.wallMillis() - note.getSinceMillis()),
          note.getEvidence());
      forget(found);
    } catch (RequestException | ConflictException | RowsFrozenException e) {
      failed(found, onHost, String.valueOf(e.getMessage()));
    } catch (RuntimeException | Error e) {
      failed(found, onHost, e.toString());
      throw e;
    }
  }

  private void restart(Row row, String onHost) throws RequestException, ConflictException {
    if (!MembershipLeases.isBound(row.record())) {
      machines.restart(row, onHost, heard);
      return;
    }
    try (MembershipLeases.Withheld _ = leases.withholdRenewal(row.id())) {
      // As the row changes: it may have been heard since it was judged, and have its lease again, and be silent again.
      machines.restart(row, onHost, (host, incarnation) -> !leases.isOver(host, incarnation));
    }
  }

  private Row noted(Row row, String evidence) throws ConflictException {
    return ledger.notes().due(row, Restart.newBuilder().setFromHost(row.record().getOwnerHost())
        .setSinceMillis(scheduler.wallMillis()).setEvidence(evidence).build());
  }

  private void failed(Row row, String onHost, String why) {
    String name = row.record().getSpec().getName();
    Optional<Row> now = ledger.find(row.id()).filter(each -> each.record().hasRestart());
    if (now.isEmpty() || !wasTried(row, now.get())) {
      // An operator is at work with it, or its host is heard again: the next look judges anew.
      notBefore.put(row.id(), scheduler.nanos() + SHORT_WAIT.toNanos());
      log.info("vm={} is not restarted now: {}", name, why);
      return;
    }
    Restart note = now.get().record().getRestart();
    int attempts = note.getAttempts() + 1;
    try {
      // Unless it has changed since: an operator may have stopped it.
      Row _ = ledger.notes().restart(now.get(),
          note.toBuilder().setAttempts(attempts).setTrouble(why).setFailedOn(onHost).build());
    } catch (ConflictException | RuntimeException e) {
      log.debug("vm={} it is not noted that it could not be restarted: {}", name, e.toString());
    }
    Duration pause = Duration.ofSeconds(1L << Math.min(attempts - 1, 6));
    notBefore.put(row.id(), scheduler.nanos() + (pause.compareTo(LONGEST_WAIT) < 0 ? pause : LONGEST_WAIT).toNanos());
    log.warn("vm={} could not be restarted on host={} (start {} of {}): {}", name, onHost, attempts, MOST_ATTEMPTS,
        why);
  }

  /** Whether a host was asked at all: each boot takes an epoch, and a restore that fails takes none. */
  private static boolean wasTried(Row before, Row after) {
    return before.record().getEpoch() != after.record().getEpoch()
        || after.record().getPhase() == VmRecord.Phase.SAVED;
  }

  /** Notes that the VM is to run again once what is pending of it is decided. */
  void noteDue(Row row, String evidence) {
    try {
      Row _ = noted(row, evidence);
    } catch (ConflictException e) {
      // It was deleted meanwhile.
      log.debug("vm={} {}", row.record().getSpec().getName(), e.getMessage());
    }
  }

  /** Nothing is due any more: the VM runs, or its host came back with it. */
  void forget(Row row) {
    try {
      Row _ = ledger.notes().forgetRestart(row.id());
      notBefore.remove(row.id());
    } catch (ConflictException | RuntimeException e) {
      // It was deleted; or rows may not change now, and the next look tries again.
      log.debug("vm={} {}", row.record().getSpec().getName(), e.getMessage());
    }
  }
}
