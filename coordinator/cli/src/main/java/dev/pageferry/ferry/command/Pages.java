package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Connection;
import dev.pageferry.proto.cluster.v1.ListDisksRequest;
import dev.pageferry.proto.cluster.v1.ListDisksResponse;
import dev.pageferry.proto.cluster.v1.ListMigrationsRequest;
import dev.pageferry.proto.cluster.v1.ListMigrationsResponse;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.ListVmsResponse;
import dev.pageferry.proto.cluster.v1.Migration;
import java.util.Comparator;
import java.util.List;

/**
 * Lists that the coordinator hands out in pages, put together. One of the version before sends all at once, and no token.
 * What changes between two pages may be in neither or in its new form.
 */
final class Pages {
  private static final int PAGE = 1000;

  private Pages() {
  }

  /** @param limit how many are needed; 0: all */
  static ListVmsResponse vms(Connection connection, int limit) {
    ListVmsResponse.Builder all = ListVmsResponse.newBuilder();
    do {
      ListVmsRequest request = ListVmsRequest.newBuilder().setPageSize(size(limit, all.getVmsCount()))
          .setPageToken(all.getNextPageToken()).build();
      ListVmsResponse page = connection.read(stub -> stub.listVms(request));
      all.clearNextPageToken().mergeFrom(page);
    } while (all.hasNextPageToken() && !isEnough(limit, all.getVmsCount()));
    return all.clearNextPageToken().build();
  }

  static ListMigrationsResponse migrations(Connection connection, int limit) {
    ListMigrationsResponse.Builder all = ListMigrationsResponse.newBuilder();
    do {
      ListMigrationsRequest request = ListMigrationsRequest.newBuilder()
          .setPageSize(size(limit, all.getMigrationsCount())).setPageToken(all.getNextPageToken()).build();
      ListMigrationsResponse page = connection.read(stub -> stub.listMigrations(request));
      all.clearNextPageToken().mergeFrom(page);
    } while (all.hasNextPageToken() && !isEnough(limit, all.getMigrationsCount()));
    // A coordinator of the version before has the oldest first.
    List<Migration> newestFirst = all.getMigrationsList().stream()
        .sorted(Comparator.comparingLong(Migration::getAcceptedAtMillis).reversed()).toList();
    return all.clearNextPageToken().clearMigrations().addAllMigrations(newestFirst).build();
  }

  static ListDisksResponse disks(Connection connection, String host, int limit) {
    ListDisksResponse.Builder all = ListDisksResponse.newBuilder();
    do {
      ListDisksRequest request = ListDisksRequest.newBuilder().setHost(host)
          .setPageSize(size(limit, all.getDisksCount())).setPageToken(all.getNextPageToken()).build();
      ListDisksResponse page = connection.read(stub -> stub.listDisks(request));
      all.clearNextPageToken().mergeFrom(page);
    } while (all.hasNextPageToken() && !isEnough(limit, all.getDisksCount()));
    return all.clearNextPageToken().build();
  }

  private static int size(int limit, int present) {
    return limit == 0 ? PAGE : Math.min(PAGE, limit - present);
  }

  private static boolean isEnough(int limit, int present) {
    return limit > 0 && present >= limit;
  }
}
