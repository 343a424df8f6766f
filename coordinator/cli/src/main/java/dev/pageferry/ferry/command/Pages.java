package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Connection;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.proto.cluster.v1.ListDisksRequest;
import dev.pageferry.proto.cluster.v1.ListDisksResponse;
import dev.pageferry.proto.cluster.v1.ListMigrationsRequest;
import dev.pageferry.proto.cluster.v1.ListMigrationsResponse;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.ListVmsResponse;
import dev.pageferry.proto.cluster.v1.Migration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Function;
import java.util.function.ToIntFunction;

/**
 * Lists that the coordinator hands out in pages, put together. One of the version before sends all at once, and no token.
 * What changes between two pages may be in neither or in its new form.
 */
final class Pages {
  private static final int PAGE = 1000;

  private Pages() {
  }

  /** Asks for one page. */
  private interface Question<R> {
    /** @param token the end of the page before; empty: from the beginning */
    R ask(int size, String token);
  }

  /** @param limit how many are needed; 0: all */
  static ListVmsResponse vms(Connection connection, int limit) {
    List<ListVmsResponse> pages = read(limit, (size, token) -> {
      ListVmsRequest request = ListVmsRequest.newBuilder().setPageSize(size).setPageToken(token).build();
      return connection.read(stub -> stub.listVms(request));
    }, ListVmsResponse::getVmsCount, ListVmsResponse::getNextPageToken);
    ListVmsResponse.Builder all = pages.getLast().toBuilder().clearNextPageToken().clearVms();
    pages.forEach(each -> all.addAllVms(each.getVmsList()));
    return all.build();
  }

  static ListMigrationsResponse migrations(Connection connection, int limit) {
    List<ListMigrationsResponse> pages = read(limit, (size, token) -> {
      ListMigrationsRequest request = ListMigrationsRequest.newBuilder().setPageSize(size).setPageToken(token).build();
      return connection.read(stub -> stub.listMigrations(request));
    }, ListMigrationsResponse::getMigrationsCount, ListMigrationsResponse::getNextPageToken);
    // A coordinator of the version before has the oldest first.
    List<Migration> newestFirst = pages.stream().flatMap(each -> each.getMigrationsList().stream())
        .sorted(Comparator.comparingLong(Migration::getAcceptedAtMillis).reversed()).toList();
    return pages.getLast().toBuilder().clearNextPageToken().clearMigrations().addAllMigrations(newestFirst).build();
  }

  static ListDisksResponse disks(Connection connection, String host, int limit) {
    List<ListDisksResponse> pages = read(limit, (size, token) -> {
      ListDisksRequest request = ListDisksRequest.newBuilder().setHost(host).setPageSize(size).setPageToken(token)
          .build();
      return connection.read(stub -> stub.listDisks(request));
    }, ListDisksResponse::getDisksCount, ListDisksResponse::getNextPageToken);
    ListDisksResponse.Builder all = pages.getLast().toBuilder().clearNextPageToken().clearDisks();
    pages.forEach(each -> all.addAllDisks(each.getDisksList()));
    return all.build();
  }

  /** At least one page, and as many as are needed. */
  private static <R> List<R> read(int limit, Question<R> question, ToIntFunction<R> count, Function<R, String> next) {
    List<R> pages = new ArrayList<>();
    String token = "";
    int present = 0;
    while (true) {
      R page = question.ask(limit == 0 ? PAGE : Math.min(PAGE, limit - present), token);
      pages.add(page);
      present += count.applyAsInt(page);
      String following = next.apply(page);
      if (following.isEmpty() || (limit > 0 && present >= limit)) {
        return pages;
      }
      if (following.equals(token) || count.applyAsInt(page) == 0) {
        throw new Failure(ExitCode.FAILED,
            "the coordinator's list does not come to an end: page %d ends at '%s' again".formatted(pages.size(),
                following));
      }
      token = following;
    }
  }
}
