package dev.pageferry.coordinator;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.ownership.ChangeGate;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.VmRecord;
import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Commits a few hundred made-up migrations in a store of its own that lives in memory, right after the start: a commit is
 * a part of every blackout, and a JVM runs code slowly until it has run it often.
 */
final class CommitRehearsal {
  private static final Logger log = LoggerFactory.getLogger(CommitRehearsal.class);
  private static final int COMMITS = 400;

  private CommitRehearsal() {
  }

  /** Rehearses in the background. */
  static void start() {
    Thread.ofPlatform().daemon().name("rehearsal").priority(Thread.MIN_PRIORITY).start(() -> {
      try (RecordStore store = SqliteRecordStore.inMemory()) {
        commit(new OwnershipLedger(store, ChangeGate.OPEN, false));
      } catch (IOException | ConflictException | RuntimeException e) {
        log.warn("the rehearsal failed: {}", e.toString());
      }
    });
  }

  private static void commit(OwnershipLedger ledger) throws ConflictException {
    VmId vm = new VmId("rehearsal");
    ledger.add(VmRecord.newBuilder().setSpec(VmSpec.newBuilder().setId(vm.value()).setName(vm.value()))
        .setPhase(VmRecord.Phase.ACTIVE).setOwnerHost("a").setOwnerIncarnation("rehearsal").setEpoch(1).build());
    for (int i = 0; i < COMMITS; i++) {
      MigrationId migration = new MigrationId("rehearsal-" + i);
      ledger.begin(ledger.find(vm).orElseThrow(), migration,
          MigrationRecord.newBuilder().setVmId(vm.value()).setDestinationIncarnation("rehearsal").build(),
          new HostId("b"));
      ledger.commit(vm, migration, (host, incarnation) -> true);
    }
  }
}
