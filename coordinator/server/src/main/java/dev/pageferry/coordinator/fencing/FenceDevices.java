package dev.pageferry.coordinator.fencing;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.proto.cluster.v1.FenceDevice;
import dev.pageferry.proto.records.v1.FenceRecord;
import java.util.List;

/** By what each host is switched off, on record. */
final class FenceDevices {
  private final RecordStore store;

  FenceDevices(RecordStore store) {
    this.store = store;
  }

  /** Empty: the host cannot be switched off. */
  List<FenceDevice> of(HostId host) {
    return store.get(HostInventory.FENCING + host).map(each -> parse(each).getDevicesList()).orElse(List.of());
  }

  /** In place of those that there were; none: it cannot be switched off any more. */
  void set(HostId host, List<FenceDevice> devices) {
    String key = HostInventory.FENCING + host;
    boolean _ = store.commit(devices.isEmpty()
        ? new Transaction().delete(key)
        : new Transaction().put(key, FenceRecord.newBuilder().addAllDevices(devices).build().toByteArray()));
  }

  private static FenceRecord parse(Versioned stored) {
    try {
      return FenceRecord.parseFrom(stored.value());
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(stored.key()), e);
    }
  }
}
