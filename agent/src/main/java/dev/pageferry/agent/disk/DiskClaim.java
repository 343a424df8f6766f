package dev.pageferry.agent.disk;

import java.time.Duration;

/**
 * Who wants to open disks.
 *
 * @param vm the VM's id
 * @param epoch of its ownership; never less than the one under which the disk was opened last
 * @param patience how long a holder may take to let go: zero where it has released them already
 * @param force whether to go without the holder's lock when the patience is over
 */
public record DiskClaim(String vm, long epoch, Duration patience, boolean force) {
  /** Longer than a holder that lives takes to see that it is fenced. */
  private static final Duration FENCING = Duration.ofSeconds(3);

  /** For disks that were handed over: nobody has them. */
  public static DiskClaim orderly(String vm, long epoch) {
    return new DiskClaim(vm, epoch, Duration.ZERO, false);
  }

  /** For disks whose last holder may be gone without a word. */
  public static DiskClaim afterSilence(String vm, long epoch, boolean force) {
    return new DiskClaim(vm, epoch, FENCING, force);
  }
}
