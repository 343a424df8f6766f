package dev.pageferry.coordinator.validation;

import dev.pageferry.common.units.ByteSize;
import dev.pageferry.common.units.Durations;
import dev.pageferry.coordinator.validation.ClusterLook.HostLook;
import dev.pageferry.coordinator.validation.ClusterLook.StorageLook;
import dev.pageferry.coordinator.validation.ClusterLook.StorageTrouble;
import dev.pageferry.proto.agent.v1.StorageFacts;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Whether all hosts see one storage, and whether it keeps what disks and leases rely on. */
final class StorageChecks {
  static final String SHARED = "storage-shared";
  static final String WRITABLE = "storage-writable";
  static final String SAME = "storage-same";
  static final String LOCKS = "storage-locks";
  private static final String FLUSH = "storage-flush";
  private static final String ROOM = "storage-room";
  private static final double SLOW_FLUSH_SECONDS = 0.5;
  private static final double LITTLE_ROOM = 0.05;

  private static final Map<String, String> CURES = Map.of(
      WRITABLE, "mount it for writing, and let the agent's user write there",
      SAME,
      "mount the same directory of the same server on all hosts, without caching of names (NFS: lookupcache=positive or none)",
      LOCKS,
      "mount it with locks that all hosts share (NFS 4, without 'nolock' and 'local_lock'); without them nothing keeps two hosts from one disk");

  private StorageChecks() {
  }

  static void look(ClusterLook cluster, Findings findings) {
    Findings.Category storage = findings.of("storage");
    lookAtSharing(cluster, storage);
    for (StorageLook each : cluster.storages()) {
      for (StorageTrouble trouble : each.troubles()) {
        storage.fail(trouble.check(), trouble.hosts(), trouble.reason(), CURES.getOrDefault(trouble.check(), ""));
      }
      lookAtFlushes(each, storage);
    }
    lookAtRoom(cluster, storage);
    if (!cluster.storages().isEmpty()) {
      storage.passUnlessFound(WRITABLE, "every host writes files whole, by an atomic rename, and flushes them");
      storage.passUnlessFound(SAME, "every host reads what every other one has just written");
      storage.passUnlessFound(LOCKS, "a lock of one host keeps the others out, and is free once it is let go of");
    }
  }

  private static void lookAtSharing(ClusterLook cluster, Findings.Category storage) {
    List<HostLook> without = cluster.hosts().stream().filter(each -> each.isUp() && each.storageId().isEmpty())
        .toList();
    List<StorageLook> storages = cluster.storages();
    if (storages.isEmpty()) {
      storage.warn(SHARED, List.of(), "no host has storage",
          "VMs without disks move live; for disks, saved states and quick moves give every agent the same --storage");
      return;
    }
    if (!without.isEmpty()) {
      storage.warn(SHARED, without.stream().map(HostLook::name).toList(), "no storage, and other hosts have some",
          "start the agent with --storage and the directory that the others have");
    }
    if (storages.size() > 1) {
      // Most hosts are right: the others are named.
      int most = storages.stream().mapToInt(each -> each.hosts().size()).max().orElse(0);
      List<StorageLook> common = storages.stream().filter(each -> each.hosts().size() == most).toList();
      List<StorageLook> odd = common.size() > 1
          ? storages
          : storages.stream().filter(each -> !common.contains(each))
              .toList();
      for (StorageLook each : odd) {
        storage.fail(SHARED, each.hosts(), "other storage (%s) than %s".formatted(each.id(), others(storages, each)),
            "mount the same storage on all hosts; where each has its own on purpose, disks move by 'ferry migrate live --shared-nothing' alone");
      }
    }
    storage.passUnlessFound(SHARED, "all hosts have storage %s".formatted(storages.getFirst().id()));
  }

  private static String others(List<StorageLook> storages, StorageLook but) {
    return String.join(", ", storages.stream().filter(each -> !each.equals(but)).flatMap(each -> each.hosts().stream())
        .sorted().toList());
  }

  private static void lookAtFlushes(StorageLook each, Findings.Category storage) {
    if (each.flushSeconds().isEmpty()) {
      return;
    }
    each.flushSeconds().forEach((host, seconds) -> {
      if (seconds > SLOW_FLUSH_SECONDS) {
        storage.warn(FLUSH, List.of(host), "one small file was flushed in %s".formatted(Durations.format(seconds)),
            "leases are renewed once a second, and quick moves and disks wait for flushes: look at the load of the storage");
      }
    });
    double slowest = Collections.max(each.flushSeconds().values());
    storage.passUnlessFound(FLUSH, "a small file is flushed in %s at most".formatted(Durations.format(slowest)));
  }

  private static void lookAtRoom(ClusterLook cluster, Findings.Category storage) {
    Stream<HostLook> having = cluster.answered().stream().filter(each -> each.facts().orElseThrow().hasStorage());
    having.forEach(each -> {
      StorageFacts facts = each.facts().orElseThrow().getStorage();
      if (facts.getTotalBytes() > 0 && facts.getUsableBytes() < LITTLE_ROOM * facts.getTotalBytes()) {
        storage.warn(ROOM, List.of(each.name()), "%s has %s left of %s".formatted(facts.getDirectory(),
            ByteSize.format(facts.getUsableBytes()), ByteSize.format(facts.getTotalBytes())),
            "a quick move needs room for the VM's memory: delete or enlarge");
      }
    });
    if (cluster.answered().stream().anyMatch(each -> each.facts().orElseThrow().hasStorage())) {
      storage.passUnlessFound(ROOM, "more than %.0f %% of it is free".formatted(LITTLE_ROOM * 100));
    }
  }
}
