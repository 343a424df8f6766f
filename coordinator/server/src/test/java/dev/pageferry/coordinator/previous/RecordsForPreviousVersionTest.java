package dev.pageferry.coordinator.previous;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.migration.StateFiles;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.ownership.LiveHosts;
import dev.pageferry.coordinator.ownership.OwnershipEvent;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.PendingMigration;
import dev.pageferry.proto.records.v1.VmRecord;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Records of today as a coordinator of the version before reads them: parsed with the messages that it had, so that a field
 * which it does not know is not seen here either, and one that it needs must be there, under its number, with its meaning.
 */
class RecordsForPreviousVersionTest {
  private static final LiveHosts ALL_LIVE = (host, incarnation) -> true;
  private static final LiveHosts ALL_LOST = (host, incarnation) -> false;
  private static final MigrationId MOVE = new MigrationId("move-1");

  @TempDir
  private Path directory;
  private FakeSite site;

  @BeforeEach
  void createVm() throws Exception {
    site = new FakeSite(directory);
    site.register("host-a");
    site.register("host-b");
    site.createVm("db", "host-a");
  }

  @AfterEach
  void close() {
    site.close();
  }

  /** The record as the version before has it: fields by name, those of a message within behind a dot. */
  private Map<String, String> read(String message, String key) throws Exception {
    Descriptor type = PreviousVersion.record(message);
    byte[] stored = site.store().get(key).orElseThrow(() -> new AssertionError("no record " + key)).value();
    Map<String, String> fields = new TreeMap<>();
    collect("", DynamicMessage.parseFrom(type, stored), fields);
    return fields;
  }

  private static void collect(String prefix, Message message, Map<String, String> fields) {
    for (FieldDescriptor field : message.getDescriptorForType().getFields()) {
      if (field.isRepeated()) {
        fields.put(prefix + field.getName(), Integer.toString(message.getRepeatedFieldCount(field)));
      } else if (field.getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
        fields.put(prefix + field.getName(), message.hasField(field) ? "set" : "");
        if (message.hasField(field)) {
          collect(prefix + field.getName() + ".", (Message) message.getField(field), fields);
        }
      } else {
        Object value = message.getField(field);
        fields.put(prefix + field.getName(), value instanceof EnumValueDescriptor named
            ? named.getName()
            : value.toString());
      }
    }
  }

  private Map<String, String> vm() throws Exception {
    return read("VmRecord", "vms/" + id());
  }

  private VmId id() {
    return site.vmId("db");
  }

  private OwnershipLedger ledger() {
    return site.ledger();
  }

  private Row row() {
    return ledger().findByName("db").orElseThrow();
  }

  private void begin() throws Exception {
    ledger().begin(row(), MOVE, MigrationRecord.newBuilder().setVmId(id().value())
        .setSourceIncarnation(site.incarnation("host-a").value())
        .setDestinationIncarnation(site.incarnation("host-b").value()).setRequestId("request-1")
        .setDestinationStorage("storage-2").build(), new HostId("host-b"));
  }

  /** Exactly these values; fields that are not named may be anything. */
  private static void assertReads(Map<String, String> record, String... namesAndValues) {
    for (int i = 0; i < namesAndValues.length; i += 2) {
      assertThat(record).containsEntry(namesAndValues[i], namesAndValues[i + 1]);
    }
  }

  @Test
  void aVmThatRuns() throws Exception {
    assertReads(vm(), "spec.id", id().value(), "spec.name", "db", "spec.memory_bytes", Long.toString(64L << 20),
        "spec.vcpus", "1", "spec.program", "idle", "phase", "ACTIVE", "owner_host", "host-a", "owner_incarnation",
        site.incarnation("host-a").value(), "epoch", "1", "pending", "", "saved_state", "");
    assertThat(new String(site.store().get("vm-names/db").orElseThrow().value(), StandardCharsets.UTF_8))
        .isEqualTo(id().value());
  }

  @Test
  void aVmThatIsStopped() throws Exception {
    site.machines().stop("db");
    assertReads(vm(), "phase", "STOPPED", "owner_host", "host-a", "epoch", "1", "pending", "", "saved_state", "");
  }

  @Test
  void aVmThatIsDeleted() throws Exception {
    String key = "deleted-vms/" + id();
    site.machines().delete("db", true);
    assertThat(new String(site.store().get(key).orElseThrow().value(), StandardCharsets.UTF_8)).isEqualTo("db");
    assertThat(site.store().list("vms/")).isEmpty();
    assertThat(site.store().get("vm-names/db")).isEmpty();
  }

  @Test
  void aMoveThatHasBegun() throws Exception {
    begin();
    assertReads(vm(), "phase", "ACTIVE", "owner_host", "host-a", "epoch", "1", "pending.migration_id", MOVE.value(),
        "pending.kind", "MOVE", "pending.destination_host", "host-b", "pending.destination_incarnation",
        site.incarnation("host-b").value(), "pending.saved_state", "", "pending.storage_id", "storage-2");
    assertReads(read("MigrationRecord", "migrations/" + MOVE), "vm_id", id().value(), "decision", "PENDING",
        "source_host", "host-a", "source_incarnation", site.incarnation("host-a").value(), "destination_incarnation",
        site.incarnation("host-b").value(), "request_id", "request-1", "destination_storage", "storage-2");
  }

  @Test
  void aMoveThatWasCommitted() throws Exception {
    begin();
    ledger().commit(id(), MOVE, ALL_LIVE);
    assertReads(vm(), "phase", "ACTIVE", "owner_host", "host-b", "owner_incarnation",
        site.incarnation("host-b").value(), "epoch", "2", "pending", "", "saved_state", "", "storage_id", "storage-2");
    assertReads(read("MigrationRecord", "migrations/" + MOVE), "decision", "COMMITTED", "decided_epoch", "2");
  }

  @Test
  void aMoveThatWasAborted() throws Exception {
    begin();
    ledger().resolve(id(), MOVE);
    assertReads(vm(), "phase", "ACTIVE", "owner_host", "host-a", "epoch", "1", "pending", "", "storage_id", "");
    assertReads(read("MigrationRecord", "migrations/" + MOVE), "decision", "ABORTED", "decided_epoch", "1");
  }

  @Test
  void aMoveThatWasGivenBack() throws Exception {
    begin();
    ledger().commit(id(), MOVE, ALL_LIVE);
    ledger().giveBack(id(), MOVE, ALL_LIVE);
    assertReads(vm(), "owner_host", "host-a", "owner_incarnation", site.incarnation("host-a").value(), "epoch", "3",
        "pending", "");
    assertReads(read("MigrationRecord", "migrations/" + MOVE), "decision", "TAKEN_BACK", "decided_epoch", "3");
  }

  @Test
  void aMoveWhoseStateIsNotedAndOneWhoseSourceWasLostThen() throws Exception {
    begin();
    ledger().noteSaved(id(), MOVE);
    String file = StateFiles.name(id(), MOVE);
    assertReads(vm(), "phase", "ACTIVE", "epoch", "1", "pending.saved_state", file, "saved_state", "");
    ledger().resolve(id(), MOVE, ALL_LOST);
    assertReads(vm(), "phase", "SAVED", "epoch", "2", "saved_state", file, "owner_host", "host-a", "pending",
        "");
  }

  @Test
  void aMoveWhoseDocumentIsForgotten() throws Exception {
    begin();
    ledger().commit(id(), MOVE, ALL_LIVE);
    ledger().forgetDocument(MOVE);
    assertReads(read("MigrationRecord", "decisions/" + MOVE), "vm_id", id().value(), "decision", "COMMITTED",
        "decided_epoch", "2", "document", "", "source_host", "host-a");
  }

  @Test
  void aVmThatIsSavedAndOneThatIsRestored() throws Exception {
    MigrationId save = new MigrationId("save-1");
    ledger().begin(row(), new OwnershipEvent.BeginSave(save, "", "db.save.state"));
    assertReads(vm(), "phase", "ACTIVE", "pending.kind", "SAVE", "pending.saved_state", "db.save.state");
    assertReads(read("MigrationRecord", "decisions/" + save), "decision", "PENDING", "source_host", "host-a");
    ledger().commit(id(), save, ALL_LIVE);
    assertReads(vm(), "phase", "SAVED", "saved_state", "db.save.state", "epoch", "1", "owner_host", "host-a", "pending",
        "");

    MigrationId restore = new MigrationId("restore-1");
    ledger().begin(row(), new OwnershipEvent.BeginRestore(restore, new HostId("host-b"),
        site.incarnation("host-b")));
    assertReads(vm(), "phase", "SAVED", "pending.kind", "RESTORE", "pending.destination_host", "host-b", "saved_state",
        "db.save.state");
    ledger().commit(id(), restore, ALL_LIVE);
    assertReads(vm(), "phase", "ACTIVE", "owner_host", "host-b", "epoch", "2", "saved_state", "", "pending", "");
  }

  @Test
  void aVmThatIsBootedAgain() throws Exception {
    site.machines().stop("db");
    site.machines().start("db", "host-b", false);
    assertReads(vm(), "phase", "ACTIVE", "owner_host", "host-b", "owner_incarnation",
        site.incarnation("host-b").value(), "epoch", "2", "pending", "");
  }

  @Test
  void theHostsAndOneThatHasANewIncarnation() throws Exception {
    assertReads(read("HostRecord", "hosts/host-a"), "id", "host-a", "incarnation", site.incarnation("host-a").value(),
        "address", FakeSite.address("host-a"), "migration_address", "host-a:7420", "memory_bytes",
        Long.toString(2048 * FakeSite.MIB), "version", "test", "storage_id", "storage-1", "superseded", "0");
    String before = site.incarnation("host-a").value();
    site.ticker().advance(FakeSite.HOST_TIMEOUT.multipliedBy(4));
    site.register("host-a");
    assertReads(read("HostRecord", "hosts/host-a"), "incarnation", site.incarnation("host-a").value(), "superseded",
        "1");
    assertThat(site.incarnation("host-a").value()).isNotEqualTo(before);
  }

  @Test
  void aTunnelEndThatAnOperatorAdded() throws Exception {
    site.network().add("router", "127.0.0.1:4789", 7);
    assertReads(read("TunnelEndRecord", "tunnel-ends/router"), "name", "router", "address", "127.0.0.1:4789", "vni",
        "7");
  }

  @Test
  void everyPhaseKindAndDecisionOfTodayIsOneThatTheVersionBeforeKnows() throws Exception {
    for (VmRecord.Phase each : VmRecord.Phase.values()) {
      assertKnown("VmRecord", "Phase", each == VmRecord.Phase.UNRECOGNIZED ? null : each.getValueDescriptor());
    }
    for (MigrationRecord.Decision each : MigrationRecord.Decision.values()) {
      assertKnown("MigrationRecord", "Decision",
          each == MigrationRecord.Decision.UNRECOGNIZED ? null : each.getValueDescriptor());
    }
    for (PendingMigration.Kind each : PendingMigration.Kind.values()) {
      assertKnown("PendingMigration", "Kind",
          each == PendingMigration.Kind.UNRECOGNIZED ? null : each.getValueDescriptor());
    }
  }

  private static void assertKnown(String message, String type,
      @Nullable EnumValueDescriptor value) throws Exception {
    if (value != null) {
      assertThat(Objects.requireNonNull(PreviousVersion.record(message).findEnumTypeByName(type))
          .findValueByNumber(value.getNumber())).as("%s.%s.%s", message, type, value.getName()).isNotNull();
    }
  }
}
