package dev.pageferry.coordinator.ownership;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.proto.records.v1.VmRecord;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/** The VMs' rows as records: by id, by name, and the ids of those that were deleted. */
final class VmRows {
  private static final String VMS = "vms/";
  private static final String NAMES = "vm-names/";
  /** Kept for good, some 60 bytes each: a copy may turn up whenever its host is switched on again. */
  private static final String DELETED = "deleted-vms/";

  private final RecordStore store;

  VmRows(RecordStore store) {
    this.store = store;
  }

  Optional<Row> find(VmId id) {
    return store.get(VMS + id).map(VmRows::parse);
  }

  Optional<Row> findByName(String name) {
    return store.get(NAMES + name).flatMap(entry -> find(new VmId(new String(entry.value(), StandardCharsets.UTF_8))));
  }

  Row existing(VmId id) throws ConflictException {
    return find(id).orElseThrow(() -> new ConflictException("VM %s does not exist any more".formatted(id)));
  }

  List<Row> list() {
    return store.list(VMS).stream().map(VmRows::parse).toList();
  }

  /** Whether there was a VM of this id. */
  boolean wasDeleted(VmId id) {
    return store.get(DELETED + id).isPresent();
  }

  /** Adds a VM; false if its name is taken, or its id was ever used. */
  boolean insert(VmRecord record) {
    String id = record.getSpec().getId();
    String name = record.getSpec().getName();
    return store.commit(new Transaction().ifAbsent(NAMES + name).ifAbsent(VMS + id).ifAbsent(DELETED + id)
        .put(NAMES + name, id.getBytes(StandardCharsets.UTF_8))
        .put(VMS + id, record.toByteArray()));
  }

  /** What writes the row's successor, if the row is as it was read. */
  static Transaction replacing(Row row, VmRecord next) {
    return new Transaction().ifUnchanged(row.versioned()).put(VMS + row.id(), next.toByteArray());
  }

  /** What removes the row and keeps its id from being used again, if the row is as it was read. */
  static Transaction deleting(Row row) {
    String name = row.record().getSpec().getName();
    return new Transaction().ifUnchanged(row.versioned()).delete(VMS + row.id()).delete(NAMES + name)
        .put(DELETED + row.id(), name.getBytes(StandardCharsets.UTF_8));
  }

  private static Row parse(Versioned stored) {
    try {
      return new Row(VmRecord.parseFrom(stored.value()), stored);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(stored.key()), e);
    }
  }
}
