package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.ownership.Rulings;
import java.util.EnumSet;

/** Booted VMs that nobody was asked about. */
public final class Booted {
  private Booted() {
  }

  /** A VM at step 0, paused by the operator. */
  public static VirtualMachine vm(VmFactory factory, VmSpec spec, long epoch) throws Exception {
    factory.check(spec);
    VirtualMachine vm = factory.skeleton(spec);
    try {
      vm.boot(DiskClaim.afterSilence(spec.id().value(), epoch, false), EnumSet.of(PauseReason.OPERATOR));
      vm.runOn(Rulings.leaveToRun());
      return vm;
    } catch (Exception e) {
      vm.close();
      throw e;
    }
  }

  /** Ends a pause, whatever it is for. */
  public static void endPause(Guest guest, PauseReason reason) {
    if (reason == PauseReason.MIGRATION) {
      guest.runOn(Rulings.leaveToRun());
    } else {
      guest.resume(reason);
    }
  }
}
