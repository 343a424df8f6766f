package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.guest.VirtualMachine;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.CleanedUp;
import java.time.Duration;

/** Stage 6: tells the network where the guest is now, and the source how it runs here. */
final class NetworkCleanup {
  /** Long enough for a rate of steps that means something. Announcements go on after it. */
  private static final Duration SETTLING = Duration.ofMillis(250);

  private final DestinationSession session;
  private final VirtualMachine vm;

  NetworkCleanup(DestinationSession session, VirtualMachine vm) {
    this.session = session;
    this.vm = vm;
  }

  void run() throws InterruptedException {
    Ticker ticker = session.environment().ticker();
    long start = ticker.nanos();
    long stepsBefore = vm.steps();
    session.environment().announcer().announce(session.spec().id(), session.epoch().next());
    Thread.sleep(SETTLING);
    double rate = (vm.steps() - stepsBefore) / ticker.secondsSince(start);
    session.link().send(CleanedUp.newBuilder().setGuestStepsPerSecond(rate).build());
  }
}
