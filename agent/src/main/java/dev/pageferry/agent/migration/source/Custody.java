package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.OwnershipEpoch;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/** This host's paused copy of a guest that stays its own: lets it run on, with its disks open again. */
final class Custody {
  private static final Duration RETRY = Duration.ofSeconds(1);

  private final Guest guest;
  private final GuestDisks disks;
  private final MigrationLog log;

  Custody(Guest guest, GuestDisks disks, MigrationLog log) {
    this.guest = guest;
    this.disks = disks;
    this.log = log;
  }

  /**
   * Lets the guest run under an epoch of this host's.
   *
   * @return why it still stands, where its disks cannot be opened now: {@link #awaitDisks} goes on trying
   */
  Optional<String> putBack(OwnershipEpoch epoch) throws InterruptedException {
    guest.throttle(0);
    try {
      if (guest.disks().isEmpty()) {
        disks.open(guest, DiskClaim.orderly(guest.spec().id().value(), epoch.value()));
      }
    } catch (IllegalStateException e) {
      log.warn("the guest is gone: {}", String.valueOf(e.getMessage()));
      return Optional.empty();
    } catch (IOException e) {
      log.warn("the guest stands, its disks cannot be opened: {}", String.valueOf(e.getMessage()));
      return Optional.of(IoFailure.sentence(e));
    }
    guest.resume(PauseReason.MIGRATION);
    return Optional.empty();
  }

  /**
   * Tries until the guest goes on, or is gone.
   *
   * @param isOver whether the guest is another host's, or nobody's, meanwhile
   */
  void awaitDisks(OwnershipEpoch epoch, BooleanSupplier isOver) throws InterruptedException {
    do {
      Thread.sleep(RETRY);
      if (isOver.getAsBoolean()) {
        return;
      }
    } while (putBack(epoch).isPresent());
    log.info("its disks are open again");
  }
}
