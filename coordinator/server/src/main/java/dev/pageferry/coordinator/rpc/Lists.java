package dev.pageferry.coordinator.rpc;

import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.ListDisksRequest;
import dev.pageferry.proto.cluster.v1.ListDisksResponse;
import dev.pageferry.proto.cluster.v1.ListHostsRequest;
import dev.pageferry.proto.cluster.v1.ListHostsResponse;
import dev.pageferry.proto.cluster.v1.ListMigrationsRequest;
import dev.pageferry.proto.cluster.v1.ListMigrationsResponse;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.ListVmsResponse;
import dev.pageferry.proto.cluster.v1.ListVtepsRequest;
import dev.pageferry.proto.cluster.v1.ListVtepsResponse;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.Vtep;
import java.util.List;

/** Answers to questions for lists: the part that was asked for, in the order of the list. */
final class Lists {
  private Lists() {
  }

  static ListHostsResponse.Builder hosts(List<Host> all, ListHostsRequest request) {
    ListHostsResponse.Builder response = ListHostsResponse.newBuilder();
    Page.of(all, Host::getId, request.getPageSize(), request.getPageToken())
        .into(response::addAllHosts, response::setNextPageToken);
    return response;
  }

  static ListVmsResponse.Builder vms(List<Vm> all, ListVmsRequest request) {
    ListVmsResponse.Builder response = ListVmsResponse.newBuilder();
    Page.of(all, vm -> newestFirst(millis(vm), vm.getName()), request.getPageSize(), request.getPageToken())
        .into(response::addAllVms, response::setNextPageToken);
    return response;
  }

  static ListDisksResponse disks(List<Disk> all, ListDisksRequest request) {
    ListDisksResponse.Builder response = ListDisksResponse.newBuilder();
    // A name may be used again on other storage, which other hosts reach.
    Page.of(all, disk -> disk.getName() + " " + String.join(",", disk.getHostsList()), request.getPageSize(),
        request.getPageToken()).into(response::addAllDisks, response::setNextPageToken);
    return response.build();
  }

  static ListVtepsResponse vteps(List<Vtep> all, ListVtepsRequest request) {
    ListVtepsResponse.Builder response = ListVtepsResponse.newBuilder();
    Page.of(all, vtep -> (vtep.getHost() ? "host " : "other ") + vtep.getName(), request.getPageSize(),
        request.getPageToken()).into(response::addAllVteps, response::setNextPageToken);
    return response.build();
  }

  static ListMigrationsResponse migrations(List<Migration> all, ListMigrationsRequest request) {
    ListMigrationsResponse.Builder response = ListMigrationsResponse.newBuilder();
    Page.of(all, each -> newestFirst(each.getAcceptedAtMillis(), each.getId()), request.getPageSize(),
        request.getPageToken()).into(response::addAllMigrations, response::setNextPageToken);
    return response.build();
  }

  /** A key that is less the later something began; of those that began together, or nobody knows when, by name. */
  private static String newestFirst(long millis, String name) {
    return "%019d %s".formatted(Long.MAX_VALUE - millis, name);
  }

  /** Milliseconds since 1970-01-01 UTC; 0: not known. */
  private static long millis(Vm vm) {
    return vm.getCreatedAt().getSeconds() * 1000 + vm.getCreatedAt().getNanos() / 1_000_000;
  }
}
