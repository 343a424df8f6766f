package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.SpecMessages;
import dev.pageferry.common.stage.FailureCode;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.GuestState;
import dev.pageferry.proto.migration.v1.Ready;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;

/** Stage 3: waits for the last page, compares the digest of all of them, loads the registers and makes READY. */
final class StopAndCopy {
  private static final Duration LAST_PAGES_TIMEOUT = Duration.ofSeconds(60);

  private final DestinationSession session;
  private final IncomingGuest vm;
  private final PagePlacement placement;

  StopAndCopy(DestinationSession session, IncomingGuest vm, PagePlacement placement) {
    this.session = session;
    this.vm = vm;
    this.placement = placement;
  }

  /** @return what the source is to be told; it has not been yet */
  Ready run(GuestState state) throws MigrationFailure, InterruptedException {
    Ticker ticker = session.environment().ticker();
    placement.awaitLastRound(state.getLastRound(), Deadline.after(LAST_PAGES_TIMEOUT, ticker));
    session.environment().failpoints().at("destination.stop-and-copy.last-page");
    long digestStart = ticker.nanos();
    compareDigest(state);
    double digestSeconds = ticker.secondsSince(digestStart);
    long stateStart = ticker.nanos();
    load(state);
    double stateSeconds = ticker.secondsSince(stateStart);
    // The source's word that a write was safe is this host's from READY on.
    double storageSeconds = placement.flushDisks();
    session.environment().failpoints().at("destination.stop-and-copy.before-ready");
    return Ready.newBuilder().setDigestSeconds(digestSeconds).setStateSeconds(stateSeconds)
        .setStorageSeconds(storageSeconds).setBytesReceived(session.link().bytesReceived())
        .setReceiveSeconds(placement.receiveSeconds()).build();
  }

  private void compareDigest(GuestState state) throws MigrationFailure {
    if (placement.digest() != state.getPageDigest()) {
      throw new MigrationFailure.PeerAtFault(FailureCode.DATA_CORRUPTED,
          "page digest=%016x expected=%016x after round %d".formatted(
              placement.digest(), state.getPageDigest(), state.getLastRound()));
    }
  }

  private void load(GuestState state) throws MigrationFailure {
    Set<PauseReason> reasons = EnumSet.of(PauseReason.MIGRATION);
    if (state.getOperatorPaused()) {
      reasons.add(PauseReason.OPERATOR);
    }
    try {
      vm.load(SpecMessages.fromProto(state), reasons);
    } catch (IllegalArgumentException e) {
      throw new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION, "guest state: " + e.getMessage());
    }
  }
}
