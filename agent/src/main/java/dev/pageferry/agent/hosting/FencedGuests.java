package dev.pageferry.agent.hosting;

import dev.pageferry.agent.disk.DiskSet;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.VmId;
import java.util.function.Consumer;

/** Pauses guests whose disks another host is to have, and waits for none of them. */
public record FencedGuests(HostedGuests guests, Scheduler scheduler) implements Consumer<DiskSet> {
  @Override
  public void accept(DiskSet set) {
    guests.find(new VmId(set.vm())).ifPresent(hosted -> {
      Task _ = scheduler.start("fence-" + set.vm(), () -> {
        try {
          hosted.vm().pause(PauseReason.FENCE);
        } catch (InterruptedException e) {
          scheduler.current().interrupt();
        }
      });
    });
  }
}
