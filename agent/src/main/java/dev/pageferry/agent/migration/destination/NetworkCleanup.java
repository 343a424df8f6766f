package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.CleanedUp;
import dev.pageferry.proto.report.v1.NetworkArrival;
import java.time.Duration;

/** Stage 6: tells the source how the guest runs here, and how the network found it; it was announced when it came to life. */
final class NetworkCleanup {
  /** Long enough for a rate of steps that means something. Announcements go on after it. */
  private static final Duration SETTLING = Duration.ofMillis(250);

  private final DestinationSession session;
  private final IncomingGuest vm;

  NetworkCleanup(DestinationSession session, IncomingGuest vm) {
    this.session = session;
    this.vm = vm;
  }

  void run() throws InterruptedException {
    Ticker ticker = session.environment().ticker();
    long start = ticker.nanos();
    long stepsBefore = Replayable.stepsOf(vm);
    session.environment().scheduler().sleep(SETTLING);
    CleanedUp.Builder done = CleanedUp.newBuilder();
    vm.replayable().ifPresent(guest -> done.setGuestStepsPerSecond(
        (guest.steps() - stepsBefore) / ticker.secondsSince(start)));
    vm.networkArrival().ifPresent(arrival -> {
      NetworkArrival.Builder message = NetworkArrival.newBuilder().setReachedBy(arrival.reachedBy());
      arrival.firstFrameSeconds().ifPresent(message::setFirstFrameSeconds);
      done.setNetwork(message);
    });
    session.link().send(done.build());
  }
}
