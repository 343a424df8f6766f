package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.RamDigest;
import dev.pageferry.agent.guest.VmDigest;
import dev.pageferry.common.concurrent.Mutex;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;

/** Hashes a machine's RAM alone: the rest of its state has clocks in it. */
final class MachineDigest {
  private final QemuGuest guest;
  /** One at a time: a reason to pause cannot count those who have it. */
  private final Mutex mutex;

  MachineDigest(QemuGuest guest, Scheduler scheduler) {
    this.guest = guest;
    this.mutex = scheduler.newMutex();
  }

  VmDigest take() throws IOException, InterruptedException {
    return mutex.<VmDigest, IOException>alone(() -> {
      guest.pauseOrRunOn(PauseReason.DIGEST);
      try {
        return new VmDigest(0, RamDigest.of(guest.ram()), "");
      } finally {
        guest.resume(PauseReason.DIGEST);
      }
    });
  }
}
