package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.migration.DestinationLink;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.migration.MigrationStage;

/**
 * What the stages of one incoming migration share.
 *
 * @param spec what the coordinator said will come
 * @param epoch the epoch under which the source runs the VM
 * @param manner how the VM's contents come
 * @param sessionKey what data streams prove to know
 */
record DestinationSession(MigrationId migration, GuestSpec spec, OwnershipEpoch epoch, Manner manner, int streams,
    byte[] sessionKey,
    MigrationLog log,
    DestinationLink link,
    DestinationMigration.Environment environment) {
  /** The one place at which a migration goes from stage to stage. */
  void enter(MigrationStage stage) throws InterruptedException {
    log.info("stage={} begins at the destination", stage);
    environment.failpoints().entering("destination", stage);
  }
}
