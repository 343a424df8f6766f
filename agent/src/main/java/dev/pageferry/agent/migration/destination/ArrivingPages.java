package dev.pageferry.agent.migration.destination;

import com.google.protobuf.MessageLite;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.common.migration.MigrationStage;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.migration.v1.BackToPreCopy;
import dev.pageferry.proto.migration.v1.DisksFlushed;
import dev.pageferry.proto.migration.v1.FlushDisks;
import dev.pageferry.proto.migration.v1.GuestState;
import dev.pageferry.proto.migration.v1.Ready;
import dev.pageferry.proto.migration.v1.StateAhead;
import dev.pageferry.proto.migration.v1.StateAheadTaken;
import java.time.Duration;
import java.util.Optional;

/** Live migration: pages over data streams, then the state. */
final class ArrivingPages implements Contents {
  /** The link's keep-alive ends the wait for a silent source long before. */
  private static final Duration STATE_TIMEOUT = Duration.ofHours(24);

  private final DestinationSession session;
  private final PagePlacement placement;
  private final StopAndCopy stopAndCopy;
  private final Optional<MachineStart> start;

  ArrivingPages(DestinationSession session, PagePlacement placement, StopAndCopy stopAndCopy,
      Optional<MachineStart> start) {
    this.session = session;
    this.start = start;
    this.placement = placement;
    this.stopAndCopy = stopAndCopy;
  }

  @Override
  public Ready await() throws MigrationFailure, InterruptedException {
    while (true) {
      session.enter(MigrationStage.PRE_COPY);
      GuestState state = receiveState();
      session.enter(MigrationStage.STOP_AND_COPY);
      Optional<Ready> ready = stopAndCopy.run(state);
      if (ready.isPresent()) {
        return ready.get();
      }
      placement.reopen();
      // As behind READY: the source sends no page before it has read this.
      session.link().send(BackToPreCopy.getDefaultInstance());
    }
  }

  private GuestState receiveState() throws MigrationFailure, InterruptedException {
    while (true) {
      MessageLite message = session.link().receiveAny(Deadline.after(STATE_TIMEOUT, session.environment().ticker()),
          GuestState.class, FlushDisks.class, StateAhead.class);
      switch (message) {
        case GuestState state -> {
          return state;
        }
        case StateAhead part -> {
          stopAndCopy.takeAhead(part);
          session.link().send(StateAheadTaken.getDefaultInstance());
        }
        default -> {
          placement.flushDisksAhead();
          session.link().send(DisksFlushed.getDefaultInstance());
        }
      }
    }
  }

  @Override
  public void reopen() throws MigrationFailure {
    placement.reopen();
  }

  @Override
  public void end() {
    start.ifPresent(MachineStart::end);
    placement.endDisks();
  }

  @Override
  public void giveMemoryBack() {
    placement.giveMemoryBack();
  }
}
