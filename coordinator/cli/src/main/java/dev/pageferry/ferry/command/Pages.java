package dev.pageferry.ferry.command;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import dev.pageferry.ferry.session.Connection;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
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
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Lists that the coordinator hands out in pages, put together. One of the version before sends all at once, and no token.
 * What changes between two pages may be in neither or in its new form.
 */
final class Pages {
  private static final int PAGE = 1000;
  private static final String TOKEN = "next_page_token";

  private Pages() {
  }

  /** Asks for one page. */
  private interface Question<R> {
    /** @param token the end of the page before; empty: from the beginning */
    R ask(int size, String token);
  }

  /** @param limit how many are needed; 0: all; so in all lists */
  static ListHostsResponse hosts(Connection connection, int limit) {
    return read(limit, (size, token) -> {
      ListHostsRequest request = ListHostsRequest.newBuilder().setPageSize(size).setPageToken(token).build();
      return connection.read(stub -> stub.listHosts(request));
    });
  }

  static ListVmsResponse vms(Connection connection, int limit) {
    return read(limit, (size, token) -> {
      ListVmsRequest request = ListVmsRequest.newBuilder().setPageSize(size).setPageToken(token).build();
      return connection.read(stub -> stub.listVms(request));
    });
  }

  static ListMigrationsResponse migrations(Connection connection, int limit) {
    ListMigrationsResponse all = read(limit, (size, token) -> {
      ListMigrationsRequest request = ListMigrationsRequest.newBuilder().setPageSize(size).setPageToken(token).build();
      return connection.read(stub -> stub.listMigrations(request));
    });
    // A coordinator of the version before has the oldest first.
    List<Migration> newestFirst = all.getMigrationsList().stream()
        .sorted(Comparator.comparingLong(Migration::getAcceptedAtMillis).reversed()).toList();
    return all.toBuilder().clearMigrations().addAllMigrations(newestFirst).build();
  }

  static ListDisksResponse disks(Connection connection, String host, int limit) {
    return read(limit, (size, token) -> {
      ListDisksRequest request = ListDisksRequest.newBuilder().setHost(host).setPageSize(size).setPageToken(token)
          .build();
      return connection.read(stub -> stub.listDisks(request));
    });
  }

  static ListVtepsResponse vteps(Connection connection, int limit) {
    return read(limit, (size, token) -> {
      ListVtepsRequest request = ListVtepsRequest.newBuilder().setPageSize(size).setPageToken(token).build();
      return connection.read(stub -> stub.listVteps(request));
    });
  }

  /** The field of a list's document that is the list: the only one that is repeated. */
  static FieldDescriptor listOf(Message document) {
    return document.getDescriptorForType().getFields().stream()
        .filter(field -> field.isRepeated() && field.getJavaType() == FieldDescriptor.JavaType.MESSAGE).findFirst()
        .orElseThrow(() -> new IllegalArgumentException(
            "%s is not a list".formatted(document.getDescriptorForType().getFullName())));
  }

  /** At least one page, and as many as are needed, as one document. */
  private static <R extends Message> R read(int limit, Question<R> question) {
    List<R> pages = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    String token = "";
    int present = 0;
    while (true) {
      R page = question.ask(limit == 0 ? PAGE : Math.min(PAGE, limit - present), token);
      int count = page.getRepeatedFieldCount(listOf(page));
      String following = (String) page.getField(tokenOf(page));
      pages.add(page);
      present += count;
      if (following.isEmpty() || (limit > 0 && present >= limit)) {
        return joined(pages);
      }
      if (!seen.add(following) || count == 0) {
        throw new Failure(ExitCode.FAILED,
            "the coordinator's list does not come to an end: page %d ends at '%s' again".formatted(pages.size(),
                following));
      }
      token = following;
    }
  }

  /** What is said of the whole list is said in each page: it is taken from the last. */
  @SuppressWarnings("unchecked") // A builder builds what it was made from.
  private static <R extends Message> R joined(List<R> pages) {
    R last = pages.getLast();
    FieldDescriptor list = listOf(last);
    List<Object> all = new ArrayList<>();
    pages.forEach(page -> all.addAll((List<?>) page.getField(list)));
    return (R) last.toBuilder().clearField(tokenOf(last)).setField(list, all).build();
  }

  private static FieldDescriptor tokenOf(Message page) {
    return page.getDescriptorForType().findFieldByName(TOKEN);
  }
}
