package dev.pageferry.coordinator.disks;

import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedChange;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.DeleteDiskRequest;
import dev.pageferry.proto.cluster.v1.Disk;

/** Changes of disks as requests, which may be repeated. Nothing is done to a disk on a guess. */
public final class DiskChanges {
  private final Disks disks;

  public DiskChanges(Disks disks) {
    this.disks = disks;
  }

  public Disk create(CreateDiskRequest request, RequestedChange change) throws RequestException {
    if (change.isRepeated() && disks.exists(request.getName(), request.getHost())) {
      throw notKnown("made", request.getName());
    }
    return disks.create(request);
  }

  public void delete(DeleteDiskRequest request, RequestedChange change) throws RequestException {
    if (!change.isRepeated()) {
      disks.delete(request.getName(), request.getHost());
    } else if (disks.exists(request.getName(), request.getHost())) {
      // It may be another one by now.
      throw notKnown("deleted", request.getName());
    }
  }

  private static RequestException notKnown(String done, String disk) {
    return new RequestException(Kind.REFUSED,
        "the coordinator restarted while disk %s was to be %s, and there is a disk of that name; see 'ferry disk show %s', and ask under a new request id for what is still to be done",
        disk, done, disk);
  }
}
