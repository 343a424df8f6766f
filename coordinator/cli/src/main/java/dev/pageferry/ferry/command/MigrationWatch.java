package dev.pageferry.ferry.command;

import dev.pageferry.common.concurrent.Backoff;
import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.session.Surroundings;
import dev.pageferry.ferry.view.MigrationProgressText;
import dev.pageferry.ferry.view.MigrationReportText;
import dev.pageferry.ferry.view.Progress;
import dev.pageferry.ferry.view.ProgressDisplay;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.WatchMigrationRequest;
import java.time.Duration;
import java.util.Optional;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * Follows one migration to its end, prints what became of it, and turns that into an exit code. A
 * coordinator that goes away is waited for: the migration does not need it until it commits. Ctrl-C
 * ends the watching only.
 */
final class MigrationWatch implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final Duration FIRST_PAUSE = Duration.ofMillis(200);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(5);

  private final Session session;
  private final Companion companion;
  private final Optional<Change> change;
  private final boolean everyDocument;
  private final ProgressDisplay display;
  private final Surroundings.Registration interrupts;
  private volatile String id = "";
  private long updates;
  private @Nullable Migration last;
  private @Nullable Migration furthest;

  /** Something that goes on beside a migration, and adds to what is shown of it. */
  interface Companion {
    /** For those who only watch. */
    Companion NONE = new Companion() {
      @Override
      public String line() {
        return "";
      }

      @Override
      public boolean addsToTheEnd() {
        return false;
      }

      @Override
      public Migration finish(Migration end) {
        return end;
      }
    };

    /** Its part of a line of progress; empty for none. */
    String line();

    /** Whether {@link #finish} changes the document. */
    boolean addsToTheEnd();

    /** Ends it. @return the final document with what it found out */
    Migration finish(Migration end);
  }

  /**
   * Begins to mind Ctrl-C.
   *
   * @param watch
   *          whether to show progress: documents on stdout for JSON, else lines or a bar on stderr
   * @param companion
   *          what goes on beside the migration
   * @param change
   *          by which this command asked for the migration, if it did
   */
  MigrationWatch(Session session, boolean watch, Companion companion, Optional<Change> change) {
    this.session = session;
    this.companion = companion;
    this.change = change;
    everyDocument = watch && session.output().isJson();
    display = session.progress(watch && !everyDocument);
    interrupts = session.surroundings().interrupts().register(this::interrupted);
  }

  /** Follows the migration and gives the exit code that says how it ended. */
  int run(String id) {
    this.id = id;
    Migration followed = follow();
    display.close();
    interrupts.close();
    Migration end = stamped(companion.finish(followed));
    if (everyDocument && companion.addsToTheEnd()) {
      session.output().documentLine(end);
    }
    if (!everyDocument) {
      session.output().document(end, palette -> MigrationReportText.of(end, palette));
    }
    return MigrationOutcome.exitCode(end, () -> vmNow(end));
  }

  private Migration stamped(Migration migration) {
    return change.map(each -> each.stamped(migration)).orElse(migration);
  }

  /** What is known of the VM by now; unspecified: it cannot be asked. */
  private Vm.State vmNow(Migration end) {
    GetVmRequest question = GetVmRequest.newBuilder().setName(end.getVm()).build();
    try {
      return session.connection().read(stub -> stub.getVm(question)).getState();
    } catch (Failure e) {
      return Vm.State.STATE_UNSPECIFIED;
    }
  }

  @Override
  public void close() {
    display.close();
    interrupts.close();
  }

  private Migration follow() {
    Backoff backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE, new Random());
    boolean isGone = false;
    long goneNanos = 0;
    while (true) {
      long before = updates;
      Failure broken = stream();
      Migration end = last;
      if (end != null && MigrationOutcome.isFinal(end, broken == null)) {
        return end;
      }
      if (broken != null && broken.exitCode() != ExitCode.UNREACHABLE) {
        throw broken;
      }
      if (!isGone || before != updates) {
        isGone = true;
        backoff.reset();
        goneNanos = session.surroundings().ticker().nanos();
        display.note("lost the coordinator at %s; migration %s goes on without it; trying to reach it for %d s"
            .formatted(session.connection().coordinator(), id, PATIENCE.toSeconds()));
      }
      await(backoff.next(), goneNanos);
    }
  }

  /** Reads updates until there are no more. Null when the coordinator said that these were all. */
  private @Nullable Failure stream() {
    WatchMigrationRequest request = WatchMigrationRequest.newBuilder().setId(id).build();
    try {
      session.connection().stream(stub -> stub.watchMigration(request), this::update);
      return null;
    } catch (Failure e) {
      return e;
    }
  }

  private void update(Migration migration) {
    updates++;
    last = migration;
    boolean comesAgain = companion.addsToTheEnd() && MigrationOutcome.isFinal(migration, false);
    if (everyDocument && !comesAgain) {
      session.output().documentLine(stamped(migration));
    }
    Migration shown = furthest;
    if (shown == null || !isBefore(migration, shown)) {
      furthest = migration;
      Progress progress = MigrationProgressText.of(migration);
      String beside = companion.line();
      display.show(beside.isEmpty() ? progress : progress.with(beside));
    }
  }

  /**
   * A coordinator that came back may know less for a moment than it said before; progress does not
   * run backwards.
   */
  private static boolean isBefore(Migration one, Migration other) {
    int stages = Integer.compare(one.getStageValue(), other.getStageValue());
    return one.getState() == Migration.State.RUNNING
        && (stages < 0 || (stages == 0 && one.getProgress().getRound() < other.getProgress().getRound()));
  }

  private void await(Duration pause, long goneNanos) {
    Surroundings surroundings = session.surroundings();
    Duration rest = PATIENCE.minusNanos(surroundings.ticker().nanos() - goneNanos);
    if (!rest.isPositive()) {
      throw new Failure(lost(),
          "cannot reach the coordinator at %s; no answer for %d s; migration %s goes on, look later with 'ferry migration show %s'"
              .formatted(session.connection().coordinator(), PATIENCE.toSeconds(), id, id));
    }
    try {
      surroundings.pause().sleep(pause.compareTo(rest) > 0 ? rest : pause);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(lost(), "interrupted; migration %s goes on; look with 'ferry migration show %s'"
          .formatted(id, id), e);
    }
    session.connection().reconnect();
  }

  /** One who asked for the migration does not know how it ended; one who only asked about it did nothing. */
  private int lost() {
    return change.isPresent() ? ExitCode.IN_DOUBT : ExitCode.UNREACHABLE;
  }

  private void interrupted() {
    display.close();
    session.output().message(id.isEmpty()
        ? "detached before the coordinator answered; see with 'ferry migration list' whether it accepted the migration"
        : "detached; migration %s goes on; 'ferry migration watch %s' follows it, 'ferry migration cancel %s' ends it"
            .formatted(id, id, id));
  }
}
