package dev.pageferry.coordinator.inventory;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.records.v1.HostRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The hosts. Who a host is survives a restart of the coordinator; whether it lives does not, and is known again with its
 * next heartbeat.
 */
public final class HostInventory {
  private static final Logger log = LoggerFactory.getLogger(HostInventory.class);
  private static final String HOSTS = "hosts/";
  /** More lives of one host than can still be about. */
  private static final int MAX_SUPERSEDED = 64;

  private final RecordStore store;
  private final Duration timeout;
  private final Duration restartSilence;
  private final Ticker ticker;
  private final long openedNanos;
  /** Guarded by this. */
  private final Map<HostId, Entry> hosts = new TreeMap<>((a, b) -> a.value().compareTo(b.value()));

  private static final class Entry {
    private HostRecord record;
    private @Nullable Long lastHeardNanos;
    private long memoryFreeBytes;
    private Map<VmId, VmStatus> vms = new HashMap<>();

    Entry(HostRecord record) {
      this.record = record;
    }
  }

  /**
   * A host as it is known now.
   *
   * @param isUp heard of within the time-out
   * @param vms what its last heartbeat said
   */
  public record Host(HostRecord record, boolean isUp, long memoryFreeBytes, Map<VmId, VmStatus> vms) {
    public HostId id() {
      return new HostId(record.getId());
    }

    public Incarnation incarnation() {
      return new Incarnation(record.getIncarnation());
    }
  }

  /**
   * @param timeout a host that was not heard of for that long is down
   * @param restartSilence an agent that is not heard of for that long has ended if another one registers at its address
   */
  public HostInventory(RecordStore store, Duration timeout, Duration restartSilence, Ticker ticker) {
    this.store = store;
    this.timeout = timeout;
    this.restartSilence = restartSilence;
    this.ticker = ticker;
    this.openedNanos = ticker.nanos();
    store.list(HOSTS).forEach(stored -> {
      HostRecord record = parse(stored.value(), stored.key());
      hosts.put(new HostId(record.getId()), new Entry(record));
    });
  }

  /** What became of a registration. */
  public enum Registration {
    ACCEPTED,
    /** The host's name belongs to an agent that was heard of just now. */
    TAKEN,
    /** Another incarnation has taken the place of this one, for good. */
    SUPERSEDED
  }

  /**
   * Takes a host in, or its new incarnation. A new one must wait until the one before has been silent for a while, or two
   * agents of one name would take turns: a short while at the same address, which looks like a restart; twice the time-out
   * at another one, where the one before may merely be cut off, with its VMs running.
   */
  public synchronized Registration register(HostRecord record, long memoryFreeBytes) {
    HostId id = new HostId(record.getId());
    Entry entry = hosts.get(id);
    if (entry == null) {
      write(record);
      entry = new Entry(record);
      hosts.put(id, entry);
    } else if (entry.record.getIncarnation().equals(record.getIncarnation())) {
      HostRecord again = record.toBuilder().addAllSuperseded(entry.record.getSupersededList()).build();
      write(again);
      entry.record = again;
    } else if (entry.record.getSupersededList().contains(record.getIncarnation())) {
      return Registration.SUPERSEDED;
    } else if (silence(entry).compareTo(silenceBefore(entry.record, record)) < 0) {
      return Registration.TAKEN;
    } else {
      HostRecord next = succeeding(entry.record, record);
      write(next);
      log.warn("host={} incarnation {} replaces {}; what ran on it is down", id, record.getIncarnation(),
          entry.record.getIncarnation());
      entry.vms = new HashMap<>();
      entry.record = next;
    }
    heard(entry, memoryFreeBytes);
    return Registration.ACCEPTED;
  }

  private Duration silenceBefore(HostRecord before, HostRecord next) {
    return before.getAddress().equals(next.getAddress()) ? restartSilence : timeout.multipliedBy(2);
  }

  private static HostRecord succeeding(HostRecord before, HostRecord record) {
    List<String> superseded = new ArrayList<>(before.getSupersededList());
    superseded.add(before.getIncarnation());
    return record.toBuilder()
        .addAllSuperseded(superseded.subList(Math.max(0, superseded.size() - MAX_SUPERSEDED), superseded.size()))
        .build();
  }

  private void write(HostRecord record) {
    store.commit(new Transaction().put(HOSTS + record.getId(), record.toByteArray()));
  }

  /** Notes a heartbeat; false if it comes from an incarnation that is not the host's. */
  public synchronized boolean heartbeat(HostId id, Incarnation incarnation, long memoryFreeBytes,
      Collection<VmStatus> vms) {
    Entry entry = hosts.get(id);
    if (entry == null || !entry.record.getIncarnation().equals(incarnation.value())) {
      return false;
    }
    heard(entry, memoryFreeBytes);
    Map<VmId, VmStatus> reported = new HashMap<>();
    vms.forEach(each -> reported.put(new VmId(each.getId()), each));
    entry.vms = reported;
    return true;
  }

  private void heard(Entry entry, long memoryFreeBytes) {
    entry.lastHeardNanos = ticker.nanos();
    entry.memoryFreeBytes = memoryFreeBytes;
  }

  /** Whether an operator has said that the host's present incarnation is off. */
  public synchronized boolean isConfirmedDead(HostId id) {
    return false;
  }

  /** Whether every host of the records was heard since this process started. */
  public synchronized boolean isEverybodyHeard() {
    return hosts.values().stream().allMatch(each -> each.lastHeardNanos != null);
  }

  /** Takes a host at its word, and notes nothing: the records are not to be changed now. */
  public synchronized void hearOnly(HostRecord record, long memoryFreeBytes) {
    Entry entry = hosts.computeIfAbsent(new HostId(record.getId()), unused -> new Entry(record));
    if (!entry.record.getIncarnation().equals(record.getIncarnation())) {
      entry.vms = new HashMap<>();
    }
    entry.record = record;
    heard(entry, memoryFreeBytes);
  }

  public synchronized Optional<Host> find(HostId id) {
    return Optional.ofNullable(hosts.get(id)).map(this::host);
  }

  public synchronized List<Host> list() {
    return hosts.values().stream().map(this::host).toList();
  }

  /** Whether the incarnation is the one that the host registered last. */
  public synchronized boolean isCurrent(HostId id, Incarnation incarnation) {
    Entry entry = hosts.get(id);
    return entry != null && entry.record.getIncarnation().equals(incarnation.value());
  }

  /**
   * Whether that life of a host is over, as far as can be told: another one registered, or it was silent for the time-out.
   * Silence counts from the start of the coordinator at the earliest, which may have been deaf before.
   */
  public synchronized boolean isLost(HostId id, Incarnation incarnation) {
    Entry entry = hosts.get(id);
    if (entry == null || !entry.record.getIncarnation().equals(incarnation.value())) {
      return true;
    }
    return silence(entry).compareTo(timeout) >= 0;
  }

  private Duration silence(Entry entry) {
    long heardNanos = entry.lastHeardNanos == null ? openedNanos : entry.lastHeardNanos;
    return Duration.ofNanos(ticker.nanos() - heardNanos);
  }

  private Host host(Entry entry) {
    boolean up = entry.lastHeardNanos != null && ticker.nanos() - entry.lastHeardNanos < timeout.toNanos();
    return new Host(entry.record, up, entry.memoryFreeBytes, Map.copyOf(entry.vms));
  }

  private static HostRecord parse(byte[] value, String key) {
    try {
      return HostRecord.parseFrom(value);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(key), e);
    }
  }
}
