package dev.pageferry.agent.transport;

import dev.pageferry.agent.ownership.OwnershipClient;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.function.BooleanSupplier;

/** The coordinator's rows in memory, with answers that a test can put in front of the true ones. */
final class FakeLedger implements OwnershipClient {
  /** What a test wants one call to do in place of the true answer. */
  @FunctionalInterface
  interface Script {
    Decision answer(VmId vm, MigrationId migration) throws UnreachableException;
  }

  private static final class Row {
    private final long epoch;
    private final String source;
    private final String destination;
    private Outcome outcome = Outcome.UNKNOWN;
    private boolean decided;

    Row(long epoch, String source, String destination) {
      this.epoch = epoch;
      this.source = source;
      this.destination = destination;
    }
  }

  /** Guarded by this, as the queues. */
  private final Map<MigrationId, Row> rows = new HashMap<>();
  private final Queue<Script> commits = new ArrayDeque<>();
  private static final Duration SHORTEST_PROBE_OF_PRE_COPY = Duration.ofSeconds(1);

  private final Queue<Boolean> probes = new ArrayDeque<>();
  private final Set<MigrationId> hidden = new HashSet<>();
  private int unknownAnswers;
  private int commitCalls;
  private int resolveCalls;
  private int probeCalls;
  private boolean silentAtPause;
  private boolean wasSilentAtPause;
  private BooleanSupplier answering = () -> true;

  synchronized void begin(MigrationId migration, long epoch, String source, String destination) {
    rows.put(migration, new Row(epoch, source, destination));
  }

  /** The next call to commit is answered so. */
  synchronized void nextCommit(Script script) {
    commits.add(script);
  }

  synchronized void clearScripts() {
    commits.clear();
    probes.clear();
  }

  /** The next probes are answered, or not. */
  synchronized void nextProbes(boolean... answered) {
    for (boolean each : answered) {
      probes.add(each);
    }
  }

  /** Does not answer the first probe that is sent for a pause: those of pre-copy may take a second or more. */
  synchronized void silentAtNextPause() {
    silentAtPause = true;
  }

  synchronized boolean wasSilentAtPause() {
    return wasSilentAtPause;
  }

  /** Answers probes only while this holds. */
  synchronized void answerProbesWhen(BooleanSupplier condition) {
    answering = condition;
  }

  synchronized int commitCalls() {
    return commitCalls;
  }

  synchronized int resolveCalls() {
    return resolveCalls;
  }

  synchronized int probeCalls() {
    return probeCalls;
  }

  /** These records are older than the migration, for now. */
  synchronized void hide(MigrationId migration) {
    hidden.add(migration);
  }

  synchronized void show(MigrationId migration) {
    hidden.remove(migration);
  }

  synchronized int unknownAnswers() {
    return unknownAnswers;
  }

  /** Decides as the row would, whoever asks. */
  synchronized Decision decide(MigrationId migration, Outcome wish) {
    Row row = hidden.contains(migration) ? null : rows.get(migration);
    if (row == null) {
      unknownAnswers++;
      return new Decision(Outcome.UNKNOWN, "", 0);
    }
    if (!row.decided) {
      row.decided = true;
      row.outcome = wish;
    }
    return row.outcome == Outcome.COMMITTED
        ? new Decision(Outcome.COMMITTED, row.destination, row.epoch + 1)
        : new Decision(Outcome.ABORTED, row.source, row.epoch);
  }

  @Override
  public Decision commit(VmId vm, MigrationId migration) throws UnreachableException {
    Script script;
    synchronized (this) {
      commitCalls++;
      script = commits.poll();
    }
    return script == null ? decide(migration, Outcome.COMMITTED) : script.answer(vm, migration);
  }

  @Override
  public synchronized Decision resolve(VmId vm, MigrationId migration) {
    resolveCalls++;
    return decide(migration, Outcome.ABORTED);
  }

  @Override
  public synchronized Decision noteSaved(VmId vm, MigrationId migration) {
    throw new IllegalStateException("live migrations save nothing");
  }

  @Override
  public synchronized Decision giveBack(VmId vm, MigrationId migration) {
    throw new IllegalStateException("guests without disks are not given back");
  }

  @Override
  public synchronized Decision started(VmId vm, OwnershipEpoch epoch) {
    throw new IllegalStateException("nothing is created here");
  }

  @Override
  public synchronized Promise<Duration> probe(Duration atMost) {
    probeCalls++;
    Promise<Duration> answer = Scheduler.SYSTEM.newPromise();
    if (silentAtPause && atMost.compareTo(SHORTEST_PROBE_OF_PRE_COPY) < 0) {
      silentAtPause = false;
      wasSilentAtPause = true;
      answer.fail(unreachable());
    } else if (answering.getAsBoolean() && (probes.isEmpty() || probes.remove())) {
      answer.complete(Duration.ofMillis(1));
    } else {
      answer.fail(unreachable());
    }
    return answer;
  }

  static UnreachableException unreachable() {
    return new UnreachableException("no answer", new IllegalStateException("by the test"));
  }
}
