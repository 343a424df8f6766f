package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.BlackoutReport;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.migration.v1.Go;
import dev.pageferry.proto.migration.v1.Running;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;

/** Stage 5: tells the destination to go, and keeps the paused copy until the VM is known to run there. */
final class Activation {
  private static final Duration RUNNING_TIMEOUT = Duration.ofSeconds(30);

  private final SourceSession session;
  private final CountDownLatch released;

  /** @param released opens when the coordinator says that the VM runs elsewhere, or under a later epoch */
  Activation(SourceSession session, CountDownLatch released) {
    this.session = session;
    this.released = released;
  }

  /** @return whether the destination itself reported that the VM runs */
  boolean run(long committedEpoch) throws InterruptedException {
    session.link.send(Go.newBuilder().setEpoch(committedEpoch).build());
    session.blackout.goSent();
    session.failpoints.at("source.activation.go-sent");
    try {
      Running running = session.link.receive(Running.class, Deadline.after(RUNNING_TIMEOUT, session.ticker));
      BlackoutReport blackout = session.blackout.report(running.getResumeSeconds());
      session.journal.running(blackout, session.link.bytesSent());
      return true;
    } catch (MigrationFailure e) {
      session.journal.inDoubt("the destination did not report that the VM runs: " + e.getMessage());
      session.link.close();
      released.await();
      session.journal.handedOver(session.blackout.secondsSoFar());
      return false;
    }
  }
}
