package dev.pageferry.coordinator.rpc;

import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.ListDisksRequest;
import dev.pageferry.proto.cluster.v1.ListDisksResponse;
import dev.pageferry.proto.cluster.v1.ListMigrationsRequest;
import dev.pageferry.proto.cluster.v1.ListMigrationsResponse;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.ListVmsResponse;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import java.util.List;

/** Answers to questions for lists: the part that was asked for. */
final class Lists {
  private Lists() {
  }

  static ListVmsResponse.Builder vms(List<Vm> all, ListVmsRequest request) {
    Page<Vm> page = Page.of(all, Vm::getName, request.getPageSize(), request.getPageToken());
    ListVmsResponse.Builder response = ListVmsResponse.newBuilder().addAllVms(page.elements());
    page.next().ifPresent(response::setNextPageToken);
    return response;
  }

  static ListDisksResponse disks(List<Disk> all, ListDisksRequest request) {
    // A name may be used again on other storage, which other hosts reach.
    Page<Disk> page = Page.of(all, disk -> disk.getName() + " " + String.join(",", disk.getHostsList()),
        request.getPageSize(), request.getPageToken());
    ListDisksResponse.Builder response = ListDisksResponse.newBuilder().addAllDisks(page.elements());
    page.next().ifPresent(response::setNextPageToken);
    return response.build();
  }

  static ListMigrationsResponse migrations(List<Migration> all, ListMigrationsRequest request) {
    Page<Migration> page = Page.of(all, Lists::newestFirst, request.getPageSize(), request.getPageToken());
    ListMigrationsResponse.Builder response = ListMigrationsResponse.newBuilder().addAllMigrations(page.elements());
    page.next().ifPresent(response::setNextPageToken);
    return response.build();
  }

  /** A key that is less the later a migration was accepted. */
  private static String newestFirst(Migration migration) {
    return "%019d %s".formatted(Long.MAX_VALUE - migration.getAcceptedAtMillis(), migration.getId());
  }
}
