package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.memory.ChecksumTable;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.PageSpace;
import dev.pageferry.agent.migration.SourceLink;
import dev.pageferry.agent.ownership.OwnershipClient;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import java.util.Optional;

/** What the stages of one outgoing migration share, once it is connected. Owned by the migration's thread. */
final class SourceSession implements AutoCloseable {
  final MigrationId migration;
  final OwnershipEpoch epoch;
  final String destinationHost;
  final Guest guest;
  final SourceLink link;
  final Attempt attempt;
  /** False where the state is transferred through a file. */
  final boolean opensStreams;
  final SourceOptions options;
  final SourceJournal journal;
  final OwnershipClient ownership;
  final OwnershipDialogue dialogue;
  final StateSaver stateSaver;
  final Failpoints failpoints;
  final Scheduler scheduler;
  /** Of every page as last sent; the destination keeps the like of it as received. */
  final ChecksumTable checksums;
  final PageRounds rounds;
  final BlackoutClock blackout;
  /** The guest's disks, where they are copied too. */
  final Optional<DiskMirror> mirror;

  SourceSession(SourceMigration.Order order, SourceMigration.Environment environment, SourceLink link, Attempt attempt,
      SourceJournal journal, OwnershipDialogue dialogue, PageSpace space, Optional<DiskMirror> mirror) {
    this.migration = order.migration();
    this.epoch = order.epoch();
    this.destinationHost = order.destinationHost();
    this.guest = order.guest();
    this.options = order.options();
    this.link = link;
    this.opensStreams = order.manner() instanceof Manner.Live;
    this.attempt = attempt;
    this.journal = journal;
    this.ownership = environment.ownership();
    this.dialogue = dialogue;
    this.stateSaver = new StateSaver(environment.savedStates());
    this.failpoints = environment.failpoints();
    this.scheduler = environment.scheduler();
    this.checksums = new ChecksumTable(space.pageCount());
    checksums.prepare(0, guest.ram().pageCount());
    this.rounds = new PageRounds(guest, mirror, link, checksums, options, attempt, journal, scheduler);
    this.blackout = new BlackoutClock(scheduler);
    this.mirror = mirror;
  }

  @Override
  public void close() {
    try {
      rounds.close();
    } finally {
      mirror.ifPresent(DiskMirror::close);
    }
  }
}
