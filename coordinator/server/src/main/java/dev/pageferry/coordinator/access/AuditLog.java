package dev.pageferry.coordinator.access;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Timestamp;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.proto.cluster.v1.AuditEntry;
import dev.pageferry.proto.records.v1.AuditRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What was asked, by whom, and how it ended: written before a change is begun, and again when it is over. Bounded. For all
 * threads.
 */
public final class AuditLog {
  private static final Logger log = LoggerFactory.getLogger(AuditLog.class);
  private static final String ENTRIES = "audit/";
  private static final long MAX_ENTRIES = 10_000;

  private final RecordStore store;
  private final Scheduler scheduler;
  private final AtomicLong last;

  public AuditLog(RecordStore store, Scheduler scheduler) {
    this.store = store;
    this.scheduler = scheduler;
    List<Versioned> known = store.list(ENTRIES);
    last = new AtomicLong(known.isEmpty() ? 0 : Long.parseLong(known.getLast().key().substring(ENTRIES.length())));
  }

  /** Notes that somebody asks for a change; gives the entry with its number. */
  public AuditEntry begin(AuditEntry asked) {
    AuditEntry entry = asked.toBuilder().setNumber(last.incrementAndGet())
        .setAt(timestamp(scheduler.wallMillis())).build();
    Transaction transaction = new Transaction();
    if (entry.getNumber() > MAX_ENTRIES) {
      transaction.delete(key(entry.getNumber() - MAX_ENTRIES));
    }
    store.commit(put(transaction, entry));
    return entry;
  }

  /** Notes how it ended. */
  public void end(AuditEntry begun, String outcome, String reason) {
    AuditEntry ended = begun.toBuilder().setOutcome(outcome).setReason(reason).build();
    log.info("audit: {} {} from={} who={} request={} outcome={}", ended.getNumber(), ended.getMethod(), ended.getFrom(),
        ended.getWho(), ended.getRequest(), outcome);
    // One that was forgotten meanwhile stays so.
    store.get(key(begun.getNumber()))
        .ifPresent(stored -> store.commit(put(new Transaction().ifUnchanged(stored), ended)));
  }

  /**
   * The newest entries, oldest first.
   *
   * @param about a word that they have in what was asked, or in who asked; empty: any
   */
  public List<AuditEntry> list(int limit, String about) {
    Pattern word = Pattern.compile("(?<![A-Za-z0-9._-])" + Pattern.quote(about) + "(?![A-Za-z0-9._-])");
    List<AuditEntry> newest = new ArrayList<>();
    for (Versioned each : store.list(ENTRIES).reversed()) {
      AuditEntry entry = parse(each);
      if (newest.size() < limit
          && (about.isEmpty() || word.matcher(entry.getRequest() + " " + entry.getWho()).find())) {
        newest.add(entry);
      }
    }
    return newest.reversed();
  }

  private static Timestamp timestamp(long millis) {
    return Timestamp.newBuilder().setSeconds(Math.floorDiv(millis, 1000L))
        .setNanos((int) Math.floorMod(millis, 1000L) * 1_000_000).build();
  }

  private static Transaction put(Transaction transaction, AuditEntry entry) {
    return transaction.put(key(entry.getNumber()), AuditRecord.newBuilder().setEntry(entry).build().toByteArray());
  }

  private static String key(long number) {
    return "%s%016d".formatted(ENTRIES, number);
  }

  private static AuditEntry parse(Versioned stored) {
    try {
      return AuditRecord.parseFrom(stored.value()).getEntry();
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(stored.key()), e);
    }
  }
}
