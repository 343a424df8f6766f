package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.RoundReport;
import dev.pageferry.agent.migration.source.BlackoutClock.Part;
import dev.pageferry.agent.migration.source.SourceStatus.Progress;
import dev.pageferry.agent.savedstate.SavedStateWriter;
import dev.pageferry.agent.savedstate.SavedStateWriter.Packing;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.migration.StateFiles;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.proto.migration.v1.StateSaved;
import java.io.IOException;
import java.util.OptionalDouble;
import java.util.concurrent.atomic.AtomicLong;

/** Quick migration, stage 2: pauses the guest and saves its memory and registers to shared storage. */
final class Save {
  private static final long PROGRESS_NANOS = 100_000_000;
  /** The destination reads about as fast as this host writes. */
  private static final double SHARE_OF_SAVING = 0.5;

  private final SourceSession session;
  private final AtomicLong pagesDone = new AtomicLong();
  private final AtomicLong toldNanos = new AtomicLong();
  private long startNanos;

  Save(SourceSession session) {
    this.session = session;
  }

  /** @return what the destination is told */
  StateSaved run(Packing packing) throws MigrationFailure, InterruptedException {
    try {
      if (!session.guest.spec().disks().isEmpty()) {
        session.attempt.uninterrupted(session.guest::flushDisks);
      }
      OptionalDouble stepsDuring = Replayable.stepsPerSecondOf(session.guest);
      session.blackout.start();
      session.guest.pauseOrRunOn(PauseReason.MIGRATION);
      session.journal.pausedAfter(stepsDuring);
      session.blackout.lap(Part.PAUSE);
      session.failpoints.at("source.save.paused");
      startNanos = session.scheduler.nanos();
      String fileName = StateFiles.name(session.guest.spec().id(), session.migration);
      SavedStateWriter.Result saved = session.stateSaver.save(session.guest, session.epoch, fileName, packing,
          this::progress);
      session.blackout.lap(Part.LAST_PAGES);
      report(saved);
      session.failpoints.at("source.save.done");
      return StateSaved.newBuilder().setFile(fileName).setBytes(saved.fileBytes()).build();
    } catch (IOException e) {
      throw new MigrationFailure.Stopped(FailureCode.STATE_UNAVAILABLE,
          "the VM's state could not be saved: " + IoFailure.sentence(e));
    }
  }

  private void report(SavedStateWriter.Result saved) {
    double seconds = session.scheduler.secondsSince(startNanos);
    long others = session.guest.ram().pageCount() - saved.pagesStored() - saved.copies();
    session.journal.roundDone(new RoundReport(0, saved.pagesStored(), others, 0, saved.fileBytes(), seconds, 0));
    session.journal.received(saved.fileBytes(), saved.fileBytes() / Math.max(1e-9, seconds));
  }

  private void progress(long pages) {
    long done = pagesDone.addAndGet(pages);
    long now = session.scheduler.nanos();
    long told = toldNanos.get();
    if (now - told < PROGRESS_NANOS || !toldNanos.compareAndSet(told, now)) {
      return;
    }
    long all = session.guest.ram().pageCount();
    double rate = PageSize.bytesOf(done) * 1e9 / Math.max(1, now - startNanos);
    long rest = PageSize.bytesOf(all - done);
    session.journal.progress(new Progress(0, rest, rate, OptionalDouble.of(rest / Math.max(1, rate)), 0,
        SHARE_OF_SAVING * done / all));
  }
}
