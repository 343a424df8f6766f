package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.migration.StateFiles;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.Ready;
import dev.pageferry.proto.migration.v1.StateSaved;
import java.io.IOException;

/** Quick migration, stage 4: reads the guest's state from shared storage, checks all of it and makes READY. */
final class Restore {
  private final DestinationSession session;
  private final IncomingGuest vm;

  Restore(DestinationSession session, IncomingGuest vm) {
    this.session = session;
    this.vm = vm;
  }

  /** @return what the source is to be told; it has not been yet */
  Ready run(StateSaved saved) throws MigrationFailure, InterruptedException {
    Ticker ticker = session.environment().ticker();
    String expected = StateFiles.name(session.spec().id(), session.migration());
    if (!saved.getFile().equals(expected)) {
      throw new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION,
          "the state is said to be in '%s', expected '%s'".formatted(saved.getFile(), expected));
    }
    long start = ticker.nanos();
    session.environment().failpoints().at("destination.restore.begins");
    try {
      new StateRestorer(session.environment()).restore(vm, expected, bytes -> {
      });
    } catch (IOException e) {
      throw new MigrationFailure.Stopped(FailureCode.STATE_UNAVAILABLE,
          "the VM's state could not be read back: " + IoFailure.sentence(e));
    }
    session.environment().failpoints().at("destination.restore.before-ready");
    return Ready.newBuilder().setStateSeconds(ticker.secondsSince(start)).setBytesReceived(saved.getBytes())
        .setReceiveSeconds(ticker.secondsSince(start)).build();
  }
}
