package dev.pageferry.coordinator.events;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Timestamp;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.proto.cluster.v1.Event;
import dev.pageferry.proto.records.v1.EventRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentSkipListMap;

/** The newest events, kept over restarts. One thread adds, all may read. */
public final class EventLog {
  private static final String EVENTS = "events/";
  private static final int MOST = 10_000;
  private static final Duration LONGEST_WAIT = Duration.ofSeconds(30);

  private final RecordStore store;
  private final Scheduler scheduler;
  private final Signal added;
  private final ConcurrentSkipListMap<Long, Event> events = new ConcurrentSkipListMap<>();

  public EventLog(RecordStore store, Scheduler scheduler) {
    this.store = store;
    this.scheduler = scheduler;
    this.added = scheduler.newSignal();
    for (Versioned each : store.list(EVENTS)) {
      Event event = parse(each);
      events.put(event.getNumber(), event);
    }
  }

  /** Adds what was seen at one moment, in one write. */
  void add(List<Event.Builder> seen) {
    if (seen.isEmpty()) {
      return;
    }
    long millis = scheduler.wallMillis();
    Timestamp at = Timestamp.newBuilder().setSeconds(Math.floorDiv(millis, 1000L))
        .setNanos((int) Math.floorMod(millis, 1000L) * 1_000_000).build();
    long number = last();
    Transaction transaction = new Transaction();
    List<Event> numbered = new ArrayList<>();
    for (Event.Builder each : seen) {
      number++;
      Event event = each.setNumber(number).setAt(at).build();
      numbered.add(event);
      transaction.put(key(number), EventRecord.newBuilder().setEvent(event).build().toByteArray());
    }
    List<Long> old = List.copyOf(events.headMap(number - MOST, true).keySet());
    old.forEach(each -> transaction.delete(key(each)));
    boolean _ = store.commit(transaction);
    numbered.forEach(each -> events.put(each.getNumber(), each));
    old.forEach(events::remove);
    added.raise();
  }

  /** The greatest number; 0: there is no event. */
  public long last() {
    return events.isEmpty() ? 0 : events.lastKey();
  }

  /** The newest, oldest first. */
  public List<Event> newest(int limit, String about) {
    return events.descendingMap().values().stream().filter(each -> isAbout(each, about)).limit(limit).toList()
        .reversed();
  }

  /**
   * The next ones, oldest first; where there is none yet, it is waited for.
   *
   * @param after numbers that are greater; one that was never given, as records that went back have it: from the first on
   */
  public List<Event> next(long after, int limit, String about, Duration atMost) throws InterruptedException {
    long from = after > last() ? 0 : after;
    boolean _ = added.await(() -> events.tailMap(from, false).values().stream().anyMatch(each -> isAbout(each, about)),
        atMost.compareTo(LONGEST_WAIT) < 0 ? atMost : LONGEST_WAIT);
    return events.tailMap(from, false).values().stream().filter(each -> isAbout(each, about)).limit(limit).toList();
  }

  private static boolean isAbout(Event event, String about) {
    return about.isEmpty() || event.getHost().equals(about) || event.getFromHost().equals(about)
        || event.getVm().equals(about);
  }

  private static String key(long number) {
    return "%s%016d".formatted(EVENTS, number);
  }

  private static Event parse(Versioned stored) {
    try {
      return EventRecord.parseFrom(stored.value()).getEvent();
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(stored.key()), e);
    }
  }
}
