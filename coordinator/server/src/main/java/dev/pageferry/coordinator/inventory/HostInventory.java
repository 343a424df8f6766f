package dev.pageferry.coordinator.inventory;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.coordinator.inventory.Admission.Plan;
import dev.pageferry.coordinator.inventory.Admission.Writing;
import dev.pageferry.coordinator.plans.MovePlans;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.records.v1.HostRecord;
import java.time.Duration;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The hosts. Who a host is survives a restart of the coordinator; whether it lives does not, and is known again with its
 * next heartbeat. Nothing is written under this object's monitor, so that no heartbeat waits for a disk here.
 */
public final class HostInventory {
  private static final Logger log = LoggerFactory.getLogger(HostInventory.class);
  /** How hosts are switched off, which goes with them. */
  public static final String FENCING = "fencing/";
  private static final String HOSTS = "hosts/";

  private final RecordStore store;
  private final MovePlans plans;
  private final HostStops stops;
  private final HostConnections connections = new HostConnections();
  private final Duration timeout;
  private final Admission admission;
  private final Ticker ticker;
  /** Guarded by this, as all that follows. */
  private final OwnStalls stalls;
  private final Map<HostId, HostEntry> hosts = new TreeMap<>((a, b) -> a.value().compareTo(b.value()));
  private final Set<Displaced> displaced = new TreeSet<>(Comparator.comparing(Displaced::toString));
  /** Hosts whose record is being written. */
  private final Map<HostId, Writing> writing = new HashMap<>();

  /**
   * A host as it is known now.
   *
   * @param isUp heard of within the time-out
   * @param vms what its last heartbeat said
   * @param doubts copies that it keeps paused because it does not know whose they are
   * @param coming VMs that were being received, restored or built there, and were not among the others yet
   * @param hasReported whether its present incarnation has said what it has
   * @param reportedRevision rows that this revision of the records had, or an earlier one, are older than its last two
   *     heartbeats; 0: there were fewer
   */
  public record Host(HostRecord record, boolean isUp, long memoryFreeBytes, Map<VmId, VmStatus> vms,
      List<InDoubt> doubts, Set<VmId> coming, boolean hasReported, long reportedRevision) {
    public HostId id() {
      return new HostId(record.getId());
    }

    public Incarnation incarnation() {
      return new Incarnation(record.getIncarnation());
    }

    /** Whether it is known that this incarnation is off for good. */
    public boolean isConfirmedDead() {
      return record.getConfirmedDead().equals(record.getIncarnation());
    }

    /** How that is known. */
    public String deathEvidence() {
      return HostEntry.deathEvidence(record);
    }
  }

  /**
   * @param timeout a host that was not heard of for that long is down
   * @param lease how long what a heartbeat's answer permits can last
   */
  public HostInventory(RecordStore store, Duration timeout, Duration lease, Ticker ticker) {
    this.store = store;
    this.plans = new MovePlans(store);
    this.stops = new HostStops(store);
    this.timeout = timeout;
    this.admission = new Admission(timeout, lease);
    this.ticker = ticker;
    this.stalls = new OwnStalls(ticker);
    store.list(HOSTS).forEach(stored -> {
      HostEntry entry = HostEntry.stored(stored, stalls.awakeSinceNanos());
      hosts.put(new HostId(entry.record().getId()), entry);
    });
  }

  /** What is planned with hosts. */
  public MovePlans plans() {
    return plans;
  }

  public HostStops stops() {
    return stops;
  }

  /** By which hosts call. */
  public HostConnections connections() {
    return connections;
  }

  /** Begins to notice when this process did not run for a while; see {@link OwnStalls}. The caller ends the task. */
  public Task noticeStalls(Scheduler scheduler) {
    return OwnStalls.notice(scheduler, this::tick);
  }

  /** This process runs. */
  synchronized void tick() {
    stalls.begin();
    long _ = now();
  }

  /** The clock for judgements of silence; guarded by this. */
  private long now() {
    OwnStalls.Look look = stalls.look();
    if (look.stalledAtNanos() != null) {
      log.warn("this coordinator did not run for {} ms; who was silent meanwhile is given time to be heard",
          Duration.ofNanos(look.nowNanos() - look.stalledAtNanos()).toMillis());
      hosts.values().forEach(each -> each.excuse(look.stalledAtNanos(), look.nowNanos(), timeout));
    }
    return look.nowNanos();
  }

  /** As {@link #register(HostRecord, long, Set, UnfencedGuests)}, by an agent that proves nothing of the one before. */
  public Registration register(HostRecord record, long memoryFreeBytes) {
    return register(record, memoryFreeBytes, Set.of(), (host, incarnation) -> List.of());
  }

  /**
   * Takes a host in, or its new incarnation. A new one is taken in at once where it proves that the one before has ended.
   * Otherwise it must wait until all that the one before was permitted is over, or two agents of one name would let guests
   * run; and at another address, where the one before may merely be cut off, until an operator has said that it is off, unless
   * leases on shared storage end all that it could run.
   *
   * @param ended incarnations that ended on the boot of the kernel that the record names
   * @param unfenced asked what the one before may run on
   */
  public Registration register(HostRecord record, long memoryFreeBytes, Set<Incarnation> ended,
      UnfencedGuests unfenced) {
    HostId id = new HostId(record.getId());
    Plan first = plan(record, ended);
    if (first instanceof Plan.Write asking && asking.needsWord() && asking.before() != null) {
      List<String> guests = unfenced.of(id, new Incarnation(asking.before().getIncarnation()));
      if (!guests.isEmpty()) {
        return new Registration.Unconfirmed(guests);
      }
    }
    Plan.Write write;
    synchronized (this) {
      // Once more: time has passed since, and the one before may have been heard.
      switch (plan(record, ended)) {
        case Plan.Refuse refuse -> {
          return refuse.refusal();
        }
        case Plan.Write planned when planned.needsWord() && !planned.equals(first) -> {
          return new Registration.Busy();
        }
        case Plan.Write planned -> write = planned;
      }
      writing.put(id, write.kind());
    }
    written(id, write, () -> {
      HostEntry entry = hosts.computeIfAbsent(id, _ -> new HostEntry(write.next(), ticker.nanos()));
      if (write.kind() == Writing.ITS_END) {
        entry.replace(write.next());
      } else {
        entry.become(write.next());
      }
      entry.heard(now(), memoryFreeBytes);
    });
    return new Registration.Accepted();
  }

  /** Writes what was reserved in {@link #writing}, then makes it known. */
  private void written(HostId id, Plan.Write write, Runnable makeKnown) {
    boolean isDone = write.next().equals(write.before());
    try {
      isDone = isDone || store.commit(new Transaction().put(HOSTS + id, write.next().toByteArray()));
    } finally {
      synchronized (this) {
        writing.remove(id);
        if (isDone) {
          makeKnown.run();
        }
      }
    }
    if (write.kind() == Writing.ITS_END && write.before() != null
        && !write.before().getIncarnation().equals(write.next().getIncarnation())) {
      log.warn("host={} incarnation {} replaces {}; what it does not take over is down", id,
          write.next().getIncarnation(),
          write.before().getIncarnation());
    }
  }

  private synchronized Plan plan(HostRecord record, Set<Incarnation> ended) {
    HostId id = new HostId(record.getId());
    if (writing.containsKey(id)) {
      return new Plan.Refuse(new Registration.Busy());
    }
    return admission.plan(hosts.get(id), record, ended, silentFor(id));
  }

  /** Notes for good that an incarnation which is silent is off: it is never taken in again. An empty reason: an operator said so. */
  public Confirmation confirmDead(HostId id, Incarnation incarnation, String because) {
    Plan.Write write;
    synchronized (this) {
      HostEntry entry = hosts.get(id);
      if (entry == null || writing.containsKey(id) || !entry.isIncarnation(incarnation.value())) {
        return Confirmation.CHANGED;
      }
      if (silenceSince(entry.silentSinceNanos()).compareTo(timeout) < 0) {
        return Confirmation.STILL_HEARD;
      }
      write = new Plan.Write(entry.record(), HostEntry.dead(entry.record(), because), Writing.ITS_END, false);
      writing.put(id, write.kind());
    }
    written(id, write, () -> Objects.requireNonNull(hosts.get(id)).become(write.next()));
    return Confirmation.CONFIRMED;
  }

  /** Forgets a host that is down. False if there is none of that id, or it is up, or its record is being written. */
  public boolean forget(HostId id) {
    synchronized (this) {
      HostEntry there = hosts.get(id);
      if (there == null || writing.containsKey(id) || there.host(now(), timeout).isUp()) {
        return false;
      }
      hosts.remove(id);
      displaced.removeIf(each -> each.host().equals(id));
    }
    // Another machine of that name has other power supplies.
    plans.forget(id, new Transaction().delete(HOSTS + id).delete(FENCING + id));
    return true;
  }

  /** As the other, by a host where nothing is in doubt or on its way. */
  public boolean heartbeat(HostId id, Incarnation incarnation, long memoryFreeBytes, Collection<VmStatus> vms) {
    return heartbeat(id, incarnation, memoryFreeBytes, new HostContent(vms, List.of(), Set.of()));
  }

  /** Notes a heartbeat; false if it comes from an incarnation that is not the host's, or may be so no more. */
  public synchronized boolean heartbeat(HostId id, Incarnation incarnation, long memoryFreeBytes, HostContent content) {
    HostEntry entry = hosts.get(id);
    if (entry == null || !entry.isIncarnation(incarnation.value()) || entry.isConfirmedDead()
        || writing.get(id) == Writing.ITS_END) {
      return false;
    }
    long now = now();
    entry.heard(now, memoryFreeBytes);
    entry.beats(content, store.revision(), now);
    return true;
  }

  /**
   * Notes what an agent answered of one VM, so that it shows at once. For operators' eyes: nothing is decided by it.
   *
   * @param address where the agent was asked; one that no host has is ignored
   */
  public synchronized void noteAnswer(String address, VmStatus status) {
    hosts.values().stream().filter(each -> each.record().getAddress().equals(address))
        .forEach(each -> each.answers(status));
  }

  /** VMs that some host's last heartbeat had in that state, whoever owns them. */
  public synchronized List<VmId> reported(VmStatus.State state) {
    return hosts.values().stream().flatMap(host -> host.reported(state)).distinct().toList();
  }

  /** What the host told last of the VM, in a heartbeat or an answer; empty: nothing. */
  public synchronized Optional<VmStatus> lastTold(HostId id, VmId vm) {
    return Optional.ofNullable(hosts.get(id)).flatMap(host -> host.lastTold(vm));
  }

  /** How many steps a second the VM did between the host's last two heartbeats; 0: not known. */
  public synchronized double stepsPerSecond(HostId id, VmId vm) {
    return Optional.ofNullable(hosts.get(id)).map(host -> host.stepsPerSecond(vm)).orElse(0.0);
  }

  /** Whether every host of the records was heard since this process started, or is known to be off. */
  public synchronized boolean isEverybodyHeard() {
    return hosts.values().stream().allMatch(each -> each.isHeard() || each.isConfirmedDead());
  }

  /** Takes a host at its word, and notes nothing: the records are not to be changed now. Only one that is known to be over is not. */
  public synchronized Registration hearOnly(HostRecord record, long memoryFreeBytes, Set<Incarnation> ended) {
    HostId id = new HostId(record.getId());
    HostEntry known = hosts.get(id);
    if (known != null && Admission.isOver(known, record)) {
      return new Registration.Superseded();
    }
    HostEntry entry = hosts.computeIfAbsent(id, _ -> new HostEntry(record, ticker.nanos()));
    HostRecord heard = record.toBuilder().addAllSuperseded(entry.record().getSupersededList()).build();
    displaced.remove(new Displaced(id, new Incarnation(record.getIncarnation())));
    if (entry.isIncarnation(record.getIncarnation())) {
      entry.become(heard);
    } else {
      if (!Admission.isProvenDead(entry, record, ended)) {
        // It may run guests yet, of which nobody hears.
        displaced.add(new Displaced(id, entry.incarnation()));
      }
      entry.replace(heard);
    }
    entry.heard(now(), memoryFreeBytes);
    return new Registration.Accepted();
  }

  public synchronized List<Displaced> displaced() {
    return List.copyOf(displaced);
  }

  /** An operator says that it is off: it is never taken in again. False if it is not among them. */
  public synchronized boolean confirmDisplaced(Displaced incarnation) {
    HostEntry entry = hosts.get(incarnation.host());
    if (entry == null || !displaced.remove(incarnation)) {
      return false;
    }
    // Written down with the host, once anything is.
    entry.become(entry.record().toBuilder().addSuperseded(incarnation.incarnation().value()).build());
    return true;
  }

  /** Writes down whoever was heard while nothing was to be noted. */
  public void noteHeard() {
    Transaction transaction = new Transaction();
    synchronized (this) {
      hosts.forEach((id, entry) -> transaction.put(HOSTS + id, entry.record().toByteArray()));
    }
    store.commit(transaction);
  }

  public synchronized Optional<Host> find(HostId id) {
    long now = now();
    return Optional.ofNullable(hosts.get(id)).map(each -> each.host(now, timeout));
  }

  public synchronized List<Host> list() {
    long now = now();
    return hosts.values().stream().map(each -> each.host(now, timeout)).toList();
  }

  /** Whether the incarnation is the one that the host registered last, and was not called dead since. */
  public synchronized boolean isCurrent(HostId id, Incarnation incarnation) {
    HostEntry entry = hosts.get(id);
    return entry != null && entry.isIncarnation(incarnation.value()) && !entry.isConfirmedDead();
  }

  /**
   * Whether that life of a host is over, as far as can be told: another one registered, an operator said so, or it was silent
   * for the time-out. Silence counts from when the coordinator started or woke at the earliest, which was deaf before.
   */
  public synchronized boolean isLost(HostId id, Incarnation incarnation) {
    HostEntry entry = hosts.get(id);
    return entry == null || !entry.isIncarnation(incarnation.value()) || entry.isSilent(now(), timeout);
  }

  /** Whether that incarnation of a host may live: it is not {@linkplain #isLost lost}. */
  public boolean isAlive(HostId id, Incarnation incarnation) {
    return !isLost(id, incarnation);
  }

  /** How long a host has been silent, counted in the same way; empty if this coordinator never heard it. */
  public synchronized Optional<Duration> silenceOf(HostId id) {
    long now = now();
    return Optional.ofNullable(hosts.get(id)).filter(HostEntry::isHeard)
        .map(each -> Duration.ofNanos(now - each.silentSinceNanos()));
  }

  /** How long a host has been silent, counted in the same way, also if this coordinator never heard it; zero: there is none. */
  public synchronized Duration silentFor(HostId id) {
    HostEntry entry = hosts.get(id);
    return entry == null ? Duration.ZERO : silenceSince(entry.silentSinceNanos());
  }

  /** The clock that {@link #silenceSince} counts on. */
  public long nanos() {
    return ticker.nanos();
  }

  /** How long somebody has been silent, counted from when this coordinator started or woke at the earliest. */
  public synchronized Duration silenceSince(long heardNanos) {
    long now = now();
    return Duration.ofNanos(Math.min(now - heardNanos, now - stalls.awakeSinceNanos()));
  }
}
