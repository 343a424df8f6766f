package dev.pageferry.coordinator.inventory;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.proto.records.v1.HostStop;
import dev.pageferry.proto.records.v1.HostStopsRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How often hosts stopped with VMs on them. One that does so again and again is quarantined: no VM is brought to it by itself for a while
 * (as Hyper-V does: three times within an hour, for two hours). An operator may start VMs there, and may end it.
 */
public final class HostStops {
  private static final Logger log = LoggerFactory.getLogger(HostStops.class);
  public static final int MOST = 3;
  private static final Duration WINDOW = Duration.ofHours(1);
  private static final Duration QUARANTINE = Duration.ofHours(2);
  private static final String PREFIX = "stops/";

  private final RecordStore store;
  private final Map<String, HostStopsRecord> hosts = new ConcurrentHashMap<>();

  HostStops(RecordStore store) {
    this.store = store;
    store.list(PREFIX).forEach(each -> hosts.put(each.key(), parse(each.value(), each.key())));
  }

  /** Notes that an incarnation of a host has stopped and left VMs. One counts once. */
  public void note(HostId host, Incarnation incarnation, long wallMillis) {
    HostStopsRecord before = hosts.getOrDefault(PREFIX + host, HostStopsRecord.getDefaultInstance());
    if (before.getStopsList().stream().anyMatch(each -> each.getIncarnation().equals(incarnation.value()))) {
      return;
    }
    HostStopsRecord.Builder next = before.toBuilder().clearStops().addAllStops(recent(before, wallMillis))
        .addStops(HostStop.newBuilder().setIncarnation(incarnation.value()).setAtMillis(wallMillis));
    if (next.getStopsCount() >= MOST) {
      next.setQuarantinedUntilMillis(wallMillis + QUARANTINE.toMillis());
    }
    put(PREFIX + host, next.build());
  }

  private static List<HostStop> recent(HostStopsRecord record, long wallMillis) {
    List<HostStop> recent = record.getStopsList().stream()
        .filter(each -> wallMillis - each.getAtMillis() < WINDOW.toMillis())
        // What is to come was noted by a clock that was wrong.
        .filter(each -> each.getAtMillis() <= wallMillis).toList();
    return recent.subList(Math.max(0, recent.size() - MOST), recent.size());
  }

  /** Until when no VM is brought to the host by itself; empty: it takes VMs. */
  public Optional<Instant> quarantinedUntil(HostId host) {
    return Optional.ofNullable(hosts.get(PREFIX + host)).map(HostStopsRecord::getQuarantinedUntilMillis)
        .filter(each -> each != 0).map(Instant::ofEpochMilli);
  }

  /** Ends what is over by now. */
  public void expire(long wallMillis) {
    hosts.forEach((key, record) -> {
      boolean isOver = record.getQuarantinedUntilMillis() <= wallMillis
          || record.getQuarantinedUntilMillis() > wallMillis + QUARANTINE.toMillis();
      if (isOver && recent(record, wallMillis).isEmpty()) {
        forget(key);
      } else if (isOver && record.getQuarantinedUntilMillis() != 0) {
        put(key, record.toBuilder().clearStops().clearQuarantinedUntilMillis().build());
      }
    });
  }

  /** An operator takes the host back. */
  public void forgive(HostId host) {
    if (hosts.containsKey(PREFIX + host)) {
      forget(PREFIX + host);
    }
  }

  private void put(String key, HostStopsRecord record) {
    hosts.put(key, record);
    write(new Transaction().put(key, record.toByteArray()));
  }

  private void forget(String key) {
    hosts.remove(key);
    write(new Transaction().delete(key));
  }

  /** What cannot be written down is known to this process alone: VMs are started all the same. */
  private void write(Transaction transaction) {
    try {
      boolean _ = store.commit(transaction);
    } catch (RuntimeException e) {
      log.error("how often hosts stopped is not written down", e);
    }
  }

  private static HostStopsRecord parse(byte[] value, String key) {
    try {
      return HostStopsRecord.parseFrom(value);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(key), e);
    }
  }
}
