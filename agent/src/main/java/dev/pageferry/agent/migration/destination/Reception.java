package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.disk.IncomingDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.common.failure.IoFailure;
import java.io.IOException;
import java.util.Optional;

/**
 * What this host has of a guest on its way, and whose it is. Only what is still being received can be discarded by this host
 * alone; from READY on it takes the row's word.
 */
sealed interface Reception {
  /** Nothing has been said that could have the guest committed to this host. */
  final class Receiving implements Reception {
    private final MigrationLog log;
    private Optional<IncomingGuest> guest = Optional.empty();
    private Optional<IncomingDisks> disks = Optional.empty();

    Receiving(MigrationLog log) {
      this.log = log;
    }

    private Receiving(MigrationLog log, IncomingGuest guest, Optional<IncomingDisks> disks) {
      this.log = log;
      this.guest = Optional.of(guest);
      this.disks = disks;
    }

    void disksPrepared(IncomingDisks prepared) {
      disks = Optional.of(prepared);
    }

    void built(IncomingGuest skeleton) {
      guest = Optional.of(skeleton);
    }

    IncomingGuest guest() {
      return guest.orElseThrow(() -> new IllegalStateException("setup has not built the guest"));
    }

    Optional<IncomingDisks> disks() {
      return disks;
    }

    /** READY is about to be said: the source may ask for the commit at any moment from now on. */
    InDoubt inDoubt() {
      return new InDoubt(log, guest(), disks);
    }

    Discarded discard(String reason) {
      log.info("discarded: {}", reason);
      guest.ifPresent(IncomingGuest::close);
      disks.ifPresent(each -> discardCopies(each, log));
      return new Discarded();
    }
  }

  /** READY was said, and nobody has said yet what the row decided. */
  final class InDoubt implements Reception {
    private final MigrationLog log;
    private final IncomingGuest guest;
    private final Optional<IncomingDisks> disks;

    private InDoubt(MigrationLog log, IncomingGuest guest, Optional<IncomingDisks> disks) {
      this.log = log;
      this.guest = guest;
      this.disks = disks;
    }

    /** The source has said that it did not ask for the commit, and goes on copying. */
    Receiving backToPreCopy() {
      return new Receiving(log, guest, disks);
    }

    Owned own(Ruling.Ours ruling) {
      return new Owned(log, guest, disks, ruling);
    }

    Discarded discard(Ruling.NotOurs ruling) {
      log.info("discarded: {}", ruling);
      return discarded(log, guest, disks, ruling);
    }
  }

  /** The guest is this host's, and is not to be discarded whatever goes wrong, unless it is given back before it runs. */
  final class Owned implements Reception {
    private final MigrationLog log;
    private final IncomingGuest guest;
    private final Optional<IncomingDisks> disks;
    private final Ruling.Ours ruling;

    private Owned(MigrationLog log, IncomingGuest guest, Optional<IncomingDisks> disks, Ruling.Ours ruling) {
      this.log = log;
      this.guest = guest;
      this.disks = disks;
      this.ruling = ruling;
    }

    IncomingGuest guest() {
      return guest;
    }

    Optional<IncomingDisks> disks() {
      return disks;
    }

    Ruling.Ours ruling() {
      return ruling;
    }

    Discarded givenBack(Ruling.NotOurs notOurs) {
      log.info("given back: {}", notOurs);
      return discarded(log, guest, disks, notOurs);
    }
  }

  /** The guest is not here any more. */
  record Discarded() implements Reception {
  }

  private static Discarded discarded(MigrationLog log, IncomingGuest guest, Optional<IncomingDisks> disks,
      Ruling.NotOurs ruling) {
    guest.close();
    disks.ifPresent(each -> {
      if (ruling.makesDisksCopies()) {
        discardCopies(each, log);
      } else {
        keep(each, log);
      }
    });
    return new Discarded();
  }

  private static void discardCopies(IncomingDisks disks, MigrationLog log) {
    try {
      disks.discard();
    } catch (IOException e) {
      log.warn("copies of its disks stay on this host's storage: {}", IoFailure.sentence(e));
    }
  }

  /** They may be the VM's only ones; the next incarnation of this host asks again ({@link DiskRecovery}). */
  private static void keep(IncomingDisks disks, MigrationLog log) {
    try {
      disks.close();
    } catch (IOException e) {
      log.warn("disks that came were not closed well: {}", IoFailure.sentence(e));
    }
    log.warn("the disks that came stay on this host's storage until it is known whose they are");
  }
}
