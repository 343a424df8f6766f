package dev.pageferry.coordinator.ownership;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.VmRecord;

/** Rows as the tests of the ledger need them: hosts live in their first incarnation, "b" in "b-1". */
final class Rows {
  static final LiveHosts ALL_LIVE = (host, incarnation) -> incarnation.value().equals(host.value() + "-1");
  static final LiveHosts ALL_RESTARTED = (host, incarnation) -> incarnation.value().equals(host.value() + "-2");

  private Rows() {
  }

  static VmRecord vm(String id, String owner) {
    return VmRecord.newBuilder().setSpec(VmSpec.newBuilder().setId(id).setName("name-of-" + id).setMemoryBytes(4096))
        .setPhase(VmRecord.Phase.ACTIVE).setOwnerHost(owner).setOwnerIncarnation(owner + "-1").setEpoch(1).build();
  }

  static void begin(OwnershipLedger ledger, VmId vm, MigrationId migration, String destination)
      throws ConflictException {
    begin(ledger, ledger.find(vm).orElseThrow(), migration, destination);
  }

  static void begin(OwnershipLedger ledger, Row row, MigrationId migration, String destination)
      throws ConflictException {
    ledger.begin(row, migration, MigrationRecord.newBuilder().setVmId(row.id().value())
        .setSourceIncarnation(row.record().getOwnerIncarnation()).setDestinationIncarnation(destination + "-1").build(),
        new HostId(destination));
  }

  /** @param seen the epoch that the row has */
  static OwnershipEvent.Boot boot(String host, String storage, long seen) {
    return new OwnershipEvent.Boot(new HostId(host), new Incarnation(host + "-1"), storage, new OwnershipEpoch(seen),
        true);
  }

  /** Boots the VM on host a, under the next epoch. */
  static void bootAnew(OwnershipLedger ledger, VmId vm, String storage) throws ConflictException {
    long seen = ledger.find(vm).orElseThrow().record().getEpoch();
    VmRecord booting = ledger.change(vm, boot("a", storage, seen)).record();
    ledger.started(vm, new OwnershipEvent.Started(new HostId("a"), new Incarnation("a-1"),
        new OwnershipEpoch(booting.getEpoch())));
  }

  /** Owner, epoch and pending migration in short, or "gone". */
  static String brief(OwnershipLedger ledger, VmId vm) {
    return ledger.find(vm).map(Row::record).map(row -> "%s %d %s".formatted(row.getOwnerHost(), row.getEpoch(),
        row.hasPending() ? row.getPending().getMigrationId() : "-")).orElse("gone");
  }
}
