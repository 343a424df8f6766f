package dev.pageferry.simulation;

import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.GuestKind;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.guest.HeldDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.RunPermit;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.memory.OutOfMemoryException;
import java.io.IOException;
import java.time.Duration;

/**
 * Builds the simulated guests of one host.
 *
 * @param permit whether guests of the host may run
 * @param pace between their steps
 */
record SimulatedMachines(SimulatedScheduler host, Baton baton, SimulatedGuest.Effects effects, GuestDisks disks,
    RunPermit permit, Duration pace, boolean forgetsRounds) implements GuestKind {
  @Override
  public GuestSpec spec(dev.pageferry.proto.agent.v1.VmSpec message) {
    return VmSpec.of(message);
  }

  @Override
  public void check(GuestSpec spec) throws IOException {
    disks.check(spec);
  }

  @Override
  public IncomingGuest skeleton(GuestSpec spec) throws OutOfMemoryException, InterruptedException {
    return new SimulatedGuest((VmSpec) spec, this);
  }

  HeldDisks held() {
    return new HeldDisks(disks, permit);
  }
}
