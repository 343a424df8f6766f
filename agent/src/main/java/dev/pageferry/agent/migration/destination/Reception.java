package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.disk.IncomingDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.migration.MigrationFailure;
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
    private Optional<Contents> contents = Optional.empty();

    Receiving(MigrationLog log) {
      this.log = log;
    }

    private Receiving(Arrived arrived) {
      this.log = arrived.log();
      this.guest = Optional.of(arrived.guest());
      this.disks = arrived.disks();
      this.contents = arrived.contents();
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

    /** What the guest holds begins to come. */
    void begins(Contents arriving) {
      contents = Optional.of(arriving);
    }

    Optional<Contents> contents() {
      return contents;
    }

    /** READY is about to be said: the source may ask for the commit at any moment from now on. */
    InDoubt inDoubt() {
      return new InDoubt(new Arrived(log, guest(), disks, contents));
    }

    Discarded discard(String reason) {
      log.info("discarded: {}", reason);
      return discarded(contents, guest, () -> disks.ifPresent(each -> discardCopies(each, log)));
    }
  }

  /** A guest that is here as a whole, with what came with it and what brought it. */
  record Arrived(MigrationLog log, IncomingGuest guest, Optional<IncomingDisks> disks, Optional<Contents> contents) {
  }

  /** READY was said, and nobody has said yet what the row decided. */
  final class InDoubt implements Reception {
    private final Arrived arrived;

    private InDoubt(Arrived arrived) {
      this.arrived = arrived;
    }

    /** The source has said that it did not ask for the commit, and goes on copying. */
    Receiving backToPreCopy() throws MigrationFailure {
      if (arrived.contents().isPresent()) {
        arrived.contents().get().reopen();
      }
      return new Receiving(arrived);
    }

    Owned own(Ruling.Ours ruling) {
      arrived.contents().ifPresent(Contents::end);
      return new Owned(arrived, ruling);
    }

    Discarded discard(Ruling.NotOurs ruling) {
      arrived.log().info("discarded: {}", ruling);
      return discarded(arrived, ruling);
    }

    /** This agent ends before the row has decided: nothing is written to disks here any more. */
    void leave() {
      arrived.contents().ifPresent(Contents::end);
    }
  }

  /** The guest is this host's, and is not to be discarded whatever goes wrong, unless it is given back before it runs. */
  final class Owned implements Reception {
    private final Arrived arrived;
    private final Ruling.Ours ruling;

    private Owned(Arrived arrived, Ruling.Ours ruling) {
      this.arrived = arrived;
      this.ruling = ruling;
    }

    IncomingGuest guest() {
      return arrived.guest();
    }

    Optional<IncomingDisks> disks() {
      return arrived.disks();
    }

    Ruling.Ours ruling() {
      return ruling;
    }

    /** The guest runs: what was needed to receive it is not. */
    void giveMemoryBack() {
      arrived.contents().ifPresent(Contents::giveMemoryBack);
    }

    Discarded givenBack(Ruling.NotOurs notOurs) {
      arrived.log().info("given back: {}", notOurs);
      return discarded(arrived, notOurs);
    }
  }

  /** The guest is not here any more. */
  record Discarded() implements Reception {
  }

  private static Discarded discarded(Arrived arrived, Ruling.NotOurs ruling) {
    return discarded(arrived.contents(), Optional.of(arrived.guest()), () -> arrived.disks().ifPresent(each -> {
      if (ruling.makesDisksCopies()) {
        discardCopies(each, arrived.log());
      } else {
        keep(each, arrived.log());
      }
    }));
  }

  /** Writers end before what they write to goes; and each part goes, whatever becomes of the one before. */
  private static Discarded discarded(Optional<Contents> contents, Optional<IncomingGuest> guest, Runnable disks) {
    try {
      contents.ifPresent(Contents::end);
    } finally {
      try {
        guest.ifPresent(IncomingGuest::close);
      } finally {
        disks.run();
      }
    }
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
