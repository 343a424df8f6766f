package dev.pageferry.agent.rpc;

import dev.pageferry.agent.disk.DiskDirectory;
import dev.pageferry.agent.disk.LeaseView;
import dev.pageferry.agent.disk.SharedStorage;
import dev.pageferry.agent.guest.SpecMessages;
import dev.pageferry.agent.savedstate.SavedStates;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.agent.v1.CreateDiskRequest;
import dev.pageferry.proto.agent.v1.DeleteDiskResponse;
import dev.pageferry.proto.agent.v1.DiscardSavedStatesRequest;
import dev.pageferry.proto.agent.v1.DiscardSavedStatesResponse;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.agent.v1.DiskLease;
import dev.pageferry.proto.agent.v1.ListDiskLeasesResponse;
import dev.pageferry.proto.agent.v1.ListDisksResponse;
import java.io.IOException;
import java.util.Optional;

/** What the coordinator asks of this host's storage, as messages; each fails where the host has none. */
final class StorageOrders {
  private final Optional<SharedStorage> storage;
  private final Optional<SavedStates> savedStates;

  StorageOrders(Optional<SharedStorage> storage, Optional<SavedStates> savedStates) {
    this.storage = storage;
    this.savedStates = savedStates;
  }

  Disk create(CreateDiskRequest request) throws IOException {
    return SpecMessages.toProto(disks().create(request.getName(), SpecMessages.formatFromProto(request.getFormat()),
        request.getSizeBytes()));
  }

  ListDisksResponse list() throws IOException {
    return ListDisksResponse.newBuilder().addAllDisks(disks().list().stream().map(SpecMessages::toProto).toList())
        .build();
  }

  /** With the device that it is, if it is one. */
  Disk show(String name) throws IOException {
    DiskDirectory directory = disks();
    return SpecMessages.toProto(directory.show(name)).toBuilder().setDevice(directory.device(name).orElse("")).build();
  }

  ListDiskLeasesResponse leases() throws IOException {
    ListDiskLeasesResponse.Builder response = ListDiskLeasesResponse.newBuilder();
    for (LeaseView each : shared().leasesOfDisks()) {
      response.addLeases(DiskLease.newBuilder().setVmId(each.vm()).setEpoch(each.epoch()).setHost(each.host()));
    }
    return response.build();
  }

  DeleteDiskResponse delete(String name) throws IOException {
    shared().delete(name);
    return DeleteDiskResponse.getDefaultInstance();
  }

  /** Removes one saved state, or all of a VM where none is named. */
  DiscardSavedStatesResponse discard(DiscardSavedStatesRequest request) throws IOException {
    if (request.getFile().isEmpty()) {
      savedStates().deleteAllOf(new VmId(request.getVmId()));
    } else {
      savedStates().delete(request.getFile());
    }
    return DiscardSavedStatesResponse.getDefaultInstance();
  }

  SavedStates savedStates() throws IOException {
    return savedStates.orElseThrow(StorageOrders::noStorage);
  }

  private DiskDirectory disks() throws IOException {
    return shared().disks();
  }

  private SharedStorage shared() throws IOException {
    return storage.orElseThrow(StorageOrders::noStorage);
  }

  private static IOException noStorage() {
    return new IOException("this host has no shared storage; start its agent with --storage");
  }
}
