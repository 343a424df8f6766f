package dev.pageferry.coordinator.history;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Parser;
import dev.pageferry.common.concurrent.Mutex;
import dev.pageferry.common.concurrent.RandomIds;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.coordinator.ownership.ChangeGate;
import dev.pageferry.coordinator.ownership.RowsFrozenException;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.proto.records.v1.AcceptedStart;
import dev.pageferry.proto.records.v1.StartRecord;
import dev.pageferry.proto.records.v1.TroubleRecord;
import dev.pageferry.proto.registry.v1.RecordsSeen;
import dev.pageferry.proto.registry.v1.RecordsStamp;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The history of the records, by which it shows when they went back in time: a restored backup, or a coordinator on a copy.
 *
 * <p>Records have a random id of their own, the lineage. Each start of a coordinator appends a random start id; the revision
 * that wrote it is the start's first. Every answer carries lineage, start and revision, and hosts tell with every request
 * what they have seen. A host that has seen a start which is not in the history, or of a start that is in it a revision at or
 * past the first one of the start that follows, has seen changes that these records do not hold. (A counter of starts
 * would not do: a restored backup counts on.)
 *
 * <p>From then on, across restarts, no row changes: {@link #check} refuses, until an operator has put rows right
 * ({@link #end}). Any thread may call.
 */
public final class RecordsHistory implements ChangeGate {
  private static final Logger log = LoggerFactory.getLogger(RecordsHistory.class);
  private static final String LINEAGE = "history/lineage";
  private static final String STARTS = "history/starts/";
  private static final String TROUBLE = "history/trouble";
  private static final String ACCEPTED = "history/accepted/";
  /** There once an operator has put the records right. */
  private static final String REPAIRED = "history/repaired";

  /** @param firstRevision the revision that wrote it */
  private record Start(String id, long firstRevision) {
  }

  private final RecordStore store;
  private final Scheduler scheduler;
  private final String lineage;
  /** In the order in which they began; the last is this one. */
  private final List<Start> starts;
  /** Newest revisions of starts that an operator has dealt with. */
  private final Map<String, Long> accepted = new ConcurrentHashMap<>();
  /** Newest revisions that hosts have told of, for {@link #end}. */
  private final Map<String, Long> told = new ConcurrentHashMap<>();
  private final Mutex declaring;
  private final Signal heard;
  private volatile @Nullable Trouble trouble;
  private volatile boolean repaired;
  private volatile @Nullable Settling settling;

  /** The time right after a start, in which hosts that know better may not have been heard yet. */
  private record Settling(BooleanSupplier everybodyHeard, Deadline deadline) {
    boolean isOver() {
      return deadline.hasPassed() || everybodyHeard.getAsBoolean();
    }
  }

  private RecordsHistory(RecordStore store, Scheduler scheduler, String lineage, List<Start> starts) {
    this.store = store;
    this.scheduler = scheduler;
    this.lineage = lineage;
    this.starts = List.copyOf(starts);
    this.declaring = scheduler.newMutex();
    this.heard = scheduler.newSignal();
    store.list(ACCEPTED).forEach(each -> accepted.put(each.key().substring(ACCEPTED.length()),
        parse(each, AcceptedStart.parser()).getRevision()));
    repaired = store.get(REPAIRED).isPresent();
    store.get(TROUBLE).map(each -> parse(each, TroubleRecord.parser())).ifPresent(
        known -> trouble = new Trouble(known.getEvidenceList(), known.getSinceMillis()));
  }

  /** Notes that a coordinator starts on these records. */
  public static RecordsHistory open(RecordStore store, Scheduler scheduler, RandomGenerator random) {
    boolean _ = store.get(LINEAGE).isPresent() || store.commit(new Transaction().ifAbsent(LINEAGE).put(LINEAGE,
        RandomIds.uuid(random).getBytes(StandardCharsets.UTF_8)));
    String lineage = new String(store.get(LINEAGE).orElseThrow().value(), StandardCharsets.UTF_8);
    String start = RandomIds.uuid(random);
    if (!store.commit(new Transaction().ifAbsent(STARTS + start).put(STARTS + start,
        StartRecord.newBuilder().setAtMillis(scheduler.wallMillis()).build().toByteArray()))) {
      throw new IllegalStateException("start id %s was chosen twice".formatted(start));
    }
    List<Start> starts = new ArrayList<>();
    store.list(STARTS).forEach(each -> starts.add(new Start(each.key().substring(STARTS.length()), each.revision())));
    starts.sort(Comparator.comparingLong(Start::firstRevision));
    RecordsHistory history = new RecordsHistory(store, scheduler, lineage, starts);
    log.info("records {} start={} revision={}", lineage, start, store.revision());
    history.trouble().ifPresent(known -> log.error("records went back in time and are not put right yet: {}",
        known.evidence()));
    return history;
  }

  /** What an answer that is made now carries. */
  public RecordsStamp stamp() {
    return RecordsStamp.newBuilder().setLineage(lineage).setStartId(starts.getLast().id())
        .setRevision(store.revision()).build();
  }

  /**
   * All that speaks against the records at one moment.
   *
   * @param told the newest revision of each start that hosts have told of in vain
   */
  public record Proofs(Trouble trouble, Map<String, Long> told) {
    public Proofs {
      told = Map.copyOf(told);
    }
  }

  public Optional<Proofs> proofs() {
    return trouble().map(known -> new Proofs(known, told));
  }

  public boolean isInTrouble() {
    return trouble != null;
  }

  /** Why no row changes, if so. */
  public Optional<Trouble> trouble() {
    return Optional.ofNullable(trouble);
  }

  /**
   * Holds changes back, from the start of a coordinator on, until every host of the records was heard: the one that proves
   * that they went back may not be the first to come.
   *
   * @param atMost a host that is not heard for so long is taken for dead
   */
  public void holdUntil(BooleanSupplier everybodyHeard, Duration atMost) {
    settling = new Settling(everybodyHeard, Deadline.after(atMost, scheduler));
  }

  /** A host was heard; what it has seen was {@linkplain #observe looked at}. */
  public void hostHeard() {
    if (settling != null) {
      heard.raise();
    }
  }

  /**
   * {@inheritDoc}
   *
   * <p>Waits while changes are {@linkplain #holdUntil held back}.
   */
  @Override
  public void check() {
    awaitSettled();
    Trouble known = trouble;
    if (known != null) {
      throw new RowsFrozenException(
          "the coordinator's records went back in time (%s); nothing changes until they are put right: see 'ferry records repair --dry-run'"
              .formatted(known.evidence().getFirst()));
    }
  }

  @Override
  public Transaction guarded(Transaction change) {
    // Between the check and the commit a host may have proven that these records are old.
    return change.ifAbsent(TROUBLE);
  }

  @Override
  public boolean isRepaired() {
    return repaired;
  }

  private void awaitSettled() {
    Settling start = settling;
    if (start == null) {
      return;
    }
    try {
      while (!heard.await(start::isOver, Duration.ofNanos(start.deadline().remainingNanos()))) {
        // Its time is over now.
        continue;
      }
      settling = null;
    } catch (InterruptedException e) {
      scheduler.current().interrupt();
      throw new RowsFrozenException("the coordinator has just started and waits for its hosts; try again");
    }
  }

  /** Looks at what a host has seen. */
  public void observe(RecordsSeen seen) throws InterruptedException {
    for (RecordsStamp each : seen.getStampsList()) {
      Optional<String> proof = proofIn(each);
      if (proof.isPresent()) {
        told.merge(each.getStartId(), each.getRevision(), Math::max);
        suspect("host %s has seen %s".formatted(seen.getHostId(), proof.get()));
      }
    }
  }

  private Optional<String> proofIn(RecordsStamp seen) {
    Long dealtWith = accepted.get(seen.getStartId());
    if (dealtWith != null && seen.getRevision() <= dealtWith) {
      return Optional.empty();
    }
    for (int i = 0; i < starts.size(); i++) {
      if (starts.get(i).id().equals(seen.getStartId())) {
        // The present start has given out nothing later than what is durable now.
        long end = i + 1 < starts.size() ? starts.get(i + 1).firstRevision() : store.revision() + 1;
        return seen.getRevision() < end
            ? Optional.empty()
            : Optional.of("revision %d of start %s, which ends at revision %d in these records".formatted(
                seen.getRevision(), brief(seen.getStartId()), end - 1));
      }
    }
    return Optional.of(seen.getLineage().equals(lineage)
        ? "start %s (revision %d), which is not in these records".formatted(brief(seen.getStartId()),
            seen.getRevision())
        : "records %s (revision %d), and these are %s".formatted(brief(seen.getLineage()), seen.getRevision(),
            brief(lineage)));
  }

  private static String brief(String id) {
    return id.length() <= 8 ? id : id.substring(0, 8);
  }

  /**
   * Notes a proof that the records are older than the world. Durable before it returns; where it cannot be written it holds
   * for this process.
   */
  public void suspect(String evidence) throws InterruptedException {
    Trouble known = trouble;
    if (known != null && known.knows(evidence)) {
      return;
    }
    boolean _ = declaring.alone(() -> {
      Trouble before = trouble;
      if (before != null && before.knows(evidence)) {
        return false;
      }
      List<String> lines = new ArrayList<>(before == null ? List.of() : before.evidence());
      lines.add(evidence);
      Trouble now = new Trouble(lines, before == null ? scheduler.wallMillis() : before.sinceMillis());
      // First here, so that no row changes while it is being written.
      trouble = now;
      log.error("the records went back in time: {}; no row changes until they are put right", evidence);
      return store.commit(new Transaction().put(TROUBLE, TroubleRecord.newBuilder().addAllEvidence(now.evidence())
          .setSinceMillis(now.sinceMillis()).build().toByteArray()));
    });
  }

  /**
   * An operator has put rows right: what hosts have told of is no proof any more, and rows change again.
   *
   * @param dealtWith what spoke against the records before rows were compared with what hosts have
   * @return false if there is more by now, or it is over
   */
  public boolean end(Proofs dealtWith) throws InterruptedException {
    return declaring.alone(() -> {
      if (!proofs().equals(Optional.of(dealtWith))) {
        return false;
      }
      Map<String, Long> settled = dealtWith.told();
      Transaction transaction = new Transaction().delete(TROUBLE).put(REPAIRED, new byte[]{1});
      settled.forEach((start, revision) -> transaction.put(ACCEPTED + start,
          AcceptedStart.newBuilder().setRevision(revision).build().toByteArray()));
      boolean ended = store.commit(transaction);
      accepted.putAll(settled);
      settled.forEach(told::remove);
      repaired = true;
      trouble = null;
      log.warn("the records are put right: rows change again");
      return ended;
    });
  }

  private static <T> T parse(Versioned stored, Parser<T> parser) {
    try {
      return parser.parseFrom(stored.value());
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(stored.key()), e);
    }
  }
}
