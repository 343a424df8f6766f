package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.RamDigest;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.StateMessages;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.BackToPreCopy;
import dev.pageferry.proto.migration.v1.GuestState;
import dev.pageferry.proto.migration.v1.Ready;
import dev.pageferry.proto.migration.v1.StateAhead;
import java.io.IOException;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/** Stage 3: waits for the last page, compares the digest of all of them, loads the registers and makes READY. */
final class StopAndCopy {
  private static final Duration LAST_PAGES_TIMEOUT = Duration.ofSeconds(60);
  /** How soon a source that goes back is noticed; the last page is noticed at once. */
  private static final Duration NEWS_CHECK = Duration.ofMillis(20);

  /** A machine has some ten of them, and goes back to pre-copy a few times. */
  private static final int MAX_PARTS_AHEAD = 1024;

  private final DestinationSession session;
  private final IncomingGuest vm;
  private final PagePlacement placement;
  /** Of the guest's machine, where that was not waited for. */
  private final Optional<MachineStart> start;
  /** That of the state before; each switchover that was put off was followed by further rounds. */
  private int lastRoundBefore = -1;
  private int partsAhead;

  StopAndCopy(DestinationSession session, IncomingGuest vm, PagePlacement placement, Optional<MachineStart> start) {
    this.session = session;
    this.start = start;
    this.vm = vm;
    this.placement = placement;
  }

  /** Gives the guest a part of its state while it still runs at the source. */
  void takeAhead(StateAhead part) throws MigrationFailure, InterruptedException {
    if (++partsAhead > MAX_PARTS_AHEAD) {
      throw new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION,
          "%d parts of the guest's state came ahead of it, expected at most %d".formatted(partsAhead, MAX_PARTS_AHEAD));
    }
    load(() -> vm.takeAhead(StateMessages.fromAhead(part)));
  }

  /** @return what the source is to be told, and has not been yet; empty if it has gone back to pre-copy, and its guest runs */
  Optional<Ready> run(GuestState state) throws MigrationFailure, InterruptedException {
    Ticker ticker = session.environment().ticker();
    if (state.getLastRound() <= lastRoundBefore) {
      throw new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION,
          "the guest's state names round %d as its last, round %d was the last one before".formatted(
              state.getLastRound(),
              lastRoundBefore));
    }
    lastRoundBefore = state.getLastRound();
    if (!awaitLastPages(state.getLastRound(), Deadline.after(LAST_PAGES_TIMEOUT, ticker))) {
      return Optional.empty();
    }
    session.environment().failpoints().at("destination.stop-and-copy.last-page");
    long digestStart = ticker.nanos();
    compareDigest(state);
    double digestSeconds = ticker.secondsSince(digestStart);
    long stateStart = ticker.nanos();
    Set<PauseReason> reasons = state.getOperatorPaused()
        ? EnumSet.of(PauseReason.OPERATOR)
        : EnumSet.noneOf(PauseReason.class);
    load(() -> vm.load(StateMessages.fromProto(state), reasons));
    double stateSeconds = ticker.secondsSince(stateStart);
    long verifyStart = ticker.nanos();
    String ram = state.getHashRam() ? RamDigest.of(vm.ram()) : "";
    double verifySeconds = state.getHashRam() ? ticker.secondsSince(verifyStart) : 0;
    // The source's word that a write was safe is this host's from READY on.
    double storageSeconds = placement.flushDisks();
    session.environment().failpoints().at("destination.stop-and-copy.before-ready");
    if (hasGoneBack()) {
      return Optional.empty();
    }
    return Optional.of(Ready.newBuilder().setDigestSeconds(digestSeconds).setStateSeconds(stateSeconds)
        .setStorageSeconds(storageSeconds).setBytesReceived(session.link().bytesReceived())
        .setReceiveSeconds(placement.receiveSeconds()).setRamSha256(ram).setVerifySeconds(verifySeconds).build());
  }

  private boolean awaitLastPages(int lastRound, Deadline deadline) throws MigrationFailure, InterruptedException {
    while (!placement.awaitLastRound(lastRound, deadline.orAfter(NEWS_CHECK))) {
      if (hasGoneBack()) {
        return false;
      }
      if (deadline.hasPassed()) {
        throw new MigrationFailure.PeerLost(FailureCode.SOURCE_LOST,
            "round %d did not end on all %d streams in time".formatted(lastRound, session.streams()));
      }
    }
    return true;
  }

  /** Whether the source, for which the pause got too long, lets its guest run again. Nothing was promised yet: it may also end the attempt. */
  private boolean hasGoneBack() throws MigrationFailure, InterruptedException {
    Deadline now = Deadline.after(Duration.ZERO, session.environment().ticker());
    if (!session.link().awaitNews(now)) {
      return false;
    }
    BackToPreCopy _ = session.link().receive(BackToPreCopy.class, now);
    return true;
  }

  private void compareDigest(GuestState state) throws MigrationFailure {
    if (placement.digest() != state.getPageDigest()) {
      throw new MigrationFailure.PeerAtFault(FailureCode.DATA_CORRUPTED,
          "page digest=%016x expected=%016x after round %d".formatted(
              placement.digest(), state.getPageDigest(), state.getLastRound()));
    }
  }

  private interface Loading {
    void run() throws IOException, InterruptedException;
  }

  private void load(Loading loading) throws MigrationFailure, InterruptedException {
    if (start.isPresent()) {
      start.get().await(session.link());
    }
    try {
      loading.run();
    } catch (IllegalArgumentException e) {
      throw new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION, "guest state: " + e.getMessage());
    } catch (IOException e) {
      throw new MigrationFailure.Stopped(FailureCode.DESTINATION_REFUSED,
          "the guest did not take its state: " + IoFailure.sentence(e));
    }
  }
}
