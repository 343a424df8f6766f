package dev.pageferry.coordinator.request;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.RandomIds;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.proto.records.v1.RequestOutcome;
import dev.pageferry.proto.records.v1.RequestRecord;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ConcurrentMap;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Changes that were asked for under an id of their own, so that asking again does not do them twice. A record is written
 * before a change begins, and gets its outcome before that is told: whoever repeats the request hears the same, or waits
 * for it. A change that was begun and has no outcome is begun again as a repeated one, and whoever carries it out looks
 * what became of it. Any thread may call; calls block.
 */
public final class Requests {
  private static final Logger log = LoggerFactory.getLogger(Requests.class);
  private static final String KEY = "requests/";
  private static final int MAX_ID_LENGTH = 200;
  static final int MAX_REMEMBERED = 10_000;
  static final Duration REMEMBERED_FOR = Duration.ofHours(24);
  /** More than one, so that a backlog shrinks; few, because they belong to somebody's commit. */
  private static final int MAX_FORGOTTEN_AT_ONCE = 16;

  private final RecordStore store;
  private final Scheduler scheduler;
  private final RandomGenerator random;
  /** Whoever puts a request's id here is the one to carry it out. */
  private final ConcurrentMap<String, Running> running = new ConcurrentHashMap<>();
  /** Oldest first, all that have a record. */
  private final Deque<Remembered> remembered = new ConcurrentLinkedDeque<>();

  private record Running(ByteString contentHash, Promise<Finished> end) {
  }

  private record Remembered(String key, String id, long begunAtMillis) {
  }

  /** What is asked for: the method of the Cluster service, and the SHA-256 of all that makes it this request. */
  public record Content(String method, ByteString hash) {
  }

  /** What is to be done about a request that came. */
  public sealed interface Admission {
  }

  /** It is the caller's to carry out, and to end with {@link #finish} or {@link #leaveOpen}. */
  public record Begun(RequestedChange change) implements Admission {
  }

  /** It was done, or refused, before: this is the answer. */
  public record Finished(String method, RequestOutcome outcome) implements Admission {
  }

  /** Another call carries it out. A promise that fails: how it ended is not known. */
  public record UnderWay(Promise<Finished> end) implements Admission {
  }

  public Requests(RecordStore store, Scheduler scheduler, RandomGenerator random) {
    this.store = store;
    this.scheduler = scheduler;
    this.random = random;
    store.list(KEY).stream().map(each -> new Remembered(each.key(), "", parse(each).getBegunAtMillis()))
        .sorted(Comparator.comparingLong(Remembered::begunAtMillis)).forEach(remembered::add);
  }

  /**
   * The VM that a request names, as it is when the request is first begun.
   *
   * @param vmId empty: none
   */
  public record Subject(String vmId, long epoch) {
    public static final Subject NONE = new Subject("", 0);
  }

  /** A change that nobody remembers. */
  public RequestedChange withoutId() {
    return new RequestedChange("", RandomIds.uuid(random), "", 0, false);
  }

  /**
   * Begins a request, unless it was begun before.
   *
   * @param subject looks up the VM that the request names; asked only for a request that is new
   * @throws RequestException if another request has that id
   */
  public Admission admit(String id, Content content, Supplier<Subject> subject) throws RequestException {
    if (id.isEmpty() || id.length() > MAX_ID_LENGTH) {
      throw new RequestException(Kind.INVALID, "a request id has 1 to %d characters, not %d", MAX_ID_LENGTH,
          id.length());
    }
    Running mine = new Running(content.hash(), scheduler.newPromise());
    Running other = running.putIfAbsent(id, mine);
    if (other != null) {
      requireSame(id, other.contentHash(), content);
      return new UnderWay(other.end());
    }
    Admission admission;
    try {
      admission = begin(id, content, subject);
    } catch (RequestException | RuntimeException e) {
      end(id, mine);
      throw e;
    }
    if (admission instanceof Finished finished) {
      mine.end().complete(finished);
      running.remove(id, mine);
    }
    return admission;
  }

  private Admission begin(String id, Content content, Supplier<Subject> subject) throws RequestException {
    String key = KEY + URLEncoder.encode(id, StandardCharsets.UTF_8);
    Optional<Versioned> stored = store.get(key);
    if (stored.isPresent()) {
      RequestRecord record = parse(stored.get());
      requireSame(id, record.getContentHash(), content);
      if (record.hasOutcome()) {
        return new Finished(record.getMethod(), record.getOutcome());
      }
      log.info("request={} method={} begun again", id, content.method());
      return new Begun(new RequestedChange(id, record.getOperationId(), record.getVmId(), record.getVmEpoch(),
          true));
    }
    Subject named = subject.get();
    RequestedChange change = new RequestedChange(id, RandomIds.uuid(random), named.vmId(), named.epoch(), false);
    long now = scheduler.wallMillis();
    RequestRecord record = RequestRecord.newBuilder().setMethod(content.method()).setContentHash(content.hash())
        .setBegunAtMillis(now).setOperationId(change.operationId()).setVmId(change.vmId())
        .setVmEpoch(change.vmEpoch()).build();
    Transaction transaction = new Transaction().ifAbsent(key).put(key, record.toByteArray());
    List<Remembered> forgotten = tooMany(now);
    forgotten.forEach(each -> transaction.delete(each.key()));
    boolean written = false;
    try {
      written = store.commit(transaction);
    } finally {
      if (!written) {
        forgotten.reversed().forEach(remembered::addFirst);
      }
    }
    if (!written) {
      throw new IllegalStateException("request %s was begun by another process".formatted(id));
    }
    remembered.addLast(new Remembered(key, id, now));
    return new Begun(change);
  }

  /** Takes those out of {@link #remembered} that need not be. */
  private List<Remembered> tooMany(long now) {
    List<Remembered> old = new ArrayList<>();
    int surplus = remembered.size() + 1 - MAX_REMEMBERED;
    for (int i = 0; i < MAX_FORGOTTEN_AT_ONCE; i++) {
      Remembered oldest = remembered.pollFirst();
      if (oldest == null) {
        break;
      }
      boolean isOld = old.size() < surplus || now - oldest.begunAtMillis() > REMEMBERED_FOR.toMillis();
      if (!isOld) {
        remembered.addFirst(oldest);
        break;
      }
      if (running.containsKey(oldest.id())) {
        remembered.addLast(oldest);
      } else {
        old.add(oldest);
      }
    }
    return old;
  }

  private static void requireSame(String id, ByteString hash, Content content) throws RequestException {
    if (!hash.equals(content.hash())) {
      throw new RequestException(Kind.INVALID,
          "request id %s belongs to another request; repeat exactly that one, or take a new id", id);
    }
  }

  /** How many are carried out right now. */
  public long underWay() {
    return running.values().stream().filter(each -> !each.end().isSettled()).count();
  }

  /** Remembers how a change ended; then those who wait for it hear of it. */
  public void finish(RequestedChange change, Finished finished) {
    String key = KEY + URLEncoder.encode(change.requestId(), StandardCharsets.UTF_8);
    Running mine = running.get(change.requestId());
    boolean durable = false;
    try {
      Optional<Versioned> begun = store.get(key);
      durable = begun.isPresent() && store.commit(new Transaction().ifUnchanged(begun.get()).put(key,
          parse(begun.get()).toBuilder().setMethod(finished.method()).setOutcome(finished.outcome()).build()
              .toByteArray()));
    } catch (RuntimeException e) {
      log.error("request={} its outcome cannot be written; this process remembers it: {}", change.requestId(),
          e.toString());
    }
    if (mine != null) {
      mine.end().complete(finished);
      if (durable) {
        running.remove(change.requestId(), mine);
      }
    }
  }

  /** Nobody knows how the change ended, or whether: it may be begun again. */
  public void leaveOpen(RequestedChange change) {
    Running mine = running.get(change.requestId());
    if (mine != null) {
      end(change.requestId(), mine);
    }
  }

  private void end(String id, Running mine) {
    running.remove(id, mine);
    mine.end().fail(new IllegalStateException("request %s ended without an outcome".formatted(id)));
  }

  private static RequestRecord parse(Versioned stored) {
    try {
      return RequestRecord.parseFrom(stored.value());
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(stored.key()), e);
    }
  }
}
