package dev.pageferry.agent.migration.destination;

import com.google.protobuf.MessageLite;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.OwnershipClient.Decision;
import dev.pageferry.agent.migration.OwnershipClient.Outcome;
import dev.pageferry.agent.migration.OwnershipClient.UnreachableException;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.migration.v1.BackToPreCopy;
import dev.pageferry.proto.migration.v1.Go;
import java.time.Duration;

/**
 * Stage 4 as the destination lives it: READY was said, so that the source may be asking for the commit at any moment.
 * This host is in doubt: it runs the guest on GO or on the coordinator's word that the migration was committed, and
 * discards it only on the coordinator's word that it was aborted.
 */
final class Verdict {
  /** The link's keep-alive ends the wait for a silent source long before. */
  private static final Duration GO_TIMEOUT = Duration.ofHours(1);
  private static final Duration RETRY = Duration.ofMillis(200);

  private final DestinationSession session;
  private Fate diskFate = Fate.MAYBE_THE_DISKS;

  Verdict(DestinationSession session) {
    this.session = session;
  }

  /** What to do with the guest. */
  enum Kind {
    RUN,
    DISCARD,
    BACK_TO_PRE_COPY
  }

  /** After {@link Kind#DISCARD}: what the answer means for disks that came with the guest. */
  Fate diskFate() {
    return diskFate;
  }

  Kind await() throws InterruptedException {
    try {
      MessageLite word = session.link().receiveAny(Deadline.after(GO_TIMEOUT, session.environment().ticker()), Go.class,
          BackToPreCopy.class);
      if (!(word instanceof Go go)) {
        return Kind.BACK_TO_PRE_COPY;
      }
      if (go.getEpoch() == session.epoch().next().value()) {
        return Kind.RUN;
      }
      return resolve("GO names epoch %d, expected %d".formatted(go.getEpoch(), session.epoch().next().value()));
    } catch (MigrationFailure e) {
      return resolve(e.getMessage());
    }
  }

  Kind resolve(String reason) throws InterruptedException {
    session.log().warn("in doubt, asking the coordinator: {}", reason);
    while (true) {
      try {
        Decision decision = session.environment().ownership().resolveAtDestination(session.spec().id(),
            session.migration());
        if (decision.outcome() == Outcome.PENDING) {
          Thread.sleep(RETRY);
          continue;
        }
        session.log().info("the coordinator says {} epoch={}", decision.outcome(), decision.epoch());
        // A later epoch than ours means that the VM has moved on since: this copy is stale.
        diskFate = Fate.of(decision);
        boolean ours = decision.epoch() == session.epoch().next().value();
        return switch (decision.outcome()) {
          case COMMITTED -> ours ? Kind.RUN : Kind.DISCARD;
          case ABORTED, TAKEN_BACK, PENDING, UNKNOWN -> Kind.DISCARD;
        };
      } catch (UnreachableException e) {
        Thread.sleep(RETRY);
      } catch (RuntimeException e) {
        // Whatever went wrong, the row may have decided: only an answer ends the doubt.
        session.log().warn("the coordinator could not be asked", e);
        Thread.sleep(RETRY);
      }
    }
  }
}
