package dev.pageferry.coordinator.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.pageferry.proto.cluster.v1.Host;
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
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Lists in pages. */
class ListsTest {
  private static final int MAX_MESSAGE_BYTES = 4 << 20;

  private static Vm vm(String name) {
    return Vm.newBuilder().setName(name).build();
  }

  private static Vm vm(String name, long createdMillis) {
    return vm(name).toBuilder().setCreatedAt(Timestamp.newBuilder().setSeconds(createdMillis / 1000)
        .setNanos((int) (createdMillis % 1000) * 1_000_000)).build();
  }

  @Test
  void withoutAPageSizeAllComesInOneAnswer() {
    ListVmsResponse all = Lists.vms(List.of(vm("b"), vm("a")), ListVmsRequest.getDefaultInstance()).build();
    assertThat(all.getVmsList()).extracting(Vm::getName).containsExactly("a", "b");
    assertThat(all.hasNextPageToken()).isFalse();
  }

  @Test
  void pagesTogetherAreTheListThoughItChangesBetweenThem() {
    List<Vm> vms = new ArrayList<>(List.of(vm("a"), vm("b"), vm("c"), vm("d"), vm("e")));
    ListVmsResponse first = Lists.vms(vms, ListVmsRequest.newBuilder().setPageSize(2).build()).build();
    vms.remove(1);
    vms.addFirst(vm("aa"));
    ListVmsResponse second = Lists.vms(vms,
        ListVmsRequest.newBuilder().setPageSize(3).setPageToken(first.getNextPageToken()).build()).build();

    assertThat(first.getVmsList()).extracting(Vm::getName).containsExactly("a", "b");
    assertThat(second.getVmsList()).extracting(Vm::getName).containsExactly("c", "d", "e");
    assertThat(second.hasNextPageToken()).isFalse();
  }

  @Test
  void aPageOfLargeElementsFitsIntoAMessage() {
    String large = "x".repeat(1 << 20);
    List<Vm> vms = IntStream.range(0, 9).mapToObj(i -> vm("vm-" + i).toBuilder().setReason(large).build()).toList();
    List<String> seen = new ArrayList<>();
    String token = "";
    do {
      ListVmsResponse page = Lists.vms(vms, ListVmsRequest.newBuilder().setPageSize(100).setPageToken(token).build())
          .build();
      assertThat(page.getSerializedSize()).isLessThan(MAX_MESSAGE_BYTES);
      page.getVmsList().forEach(each -> seen.add(each.getName()));
      token = page.getNextPageToken();
    } while (!token.isEmpty());
    assertThat(seen).containsExactlyElementsOf(vms.stream().map(Vm::getName).toList());
  }

  @Test
  void anElementLargerThanAPageIsAPageOfItsOwn() {
    Vm huge = vm("huge").toBuilder().setReason("x".repeat(3 << 20)).build();
    ListVmsResponse first = Lists.vms(List.of(huge, vm("small")), ListVmsRequest.newBuilder().setPageSize(9).build())
        .build();
    assertThat(first.getVmsList()).containsExactly(huge);
    assertThat(first.getNextPageToken()).endsWith(" huge");
  }

  @Test
  void theNewestVmComesFirstAndThoseOfUnknownAgeLast() {
    List<Vm> vms = List.of(vm("unknown-b"), vm("old", 1_000_000), vm("unknown-a"), vm("new", 1_000_001),
        vm("older", 999_999), vm("next", 1_000_001));
    List<String> seen = new ArrayList<>();
    String token = "";
    do {
      ListVmsResponse page = Lists.vms(vms, ListVmsRequest.newBuilder().setPageSize(2).setPageToken(token).build())
          .build();
      page.getVmsList().forEach(each -> seen.add(each.getName()));
      token = page.getNextPageToken();
    } while (!token.isEmpty());
    assertThat(seen).containsExactly("new", "next", "old", "older", "unknown-a", "unknown-b");
  }

  @Test
  void hostsComeInPagesByTheirIds() {
    List<Host> hosts = Stream.of("c", "a", "b").map(id -> Host.newBuilder().setId(id).build()).toList();
    ListHostsResponse first = Lists.hosts(hosts, ListHostsRequest.newBuilder().setPageSize(2).build()).build();
    ListHostsResponse rest = Lists.hosts(hosts,
        ListHostsRequest.newBuilder().setPageSize(2).setPageToken(first.getNextPageToken()).build()).build();
    assertThat(first.getHostsList()).extracting(Host::getId).containsExactly("a", "b");
    assertThat(rest.getHostsList()).extracting(Host::getId).containsExactly("c");
    assertThat(rest.hasNextPageToken()).isFalse();
  }

  @Test
  void vtepsComeInPagesWithTheHostsFirst() {
    List<Vtep> vteps = List.of(vtep("a", false), vtep("z", true), vtep("b", false), vtep("b", true));
    ListVtepsResponse first = Lists.vteps(vteps, ListVtepsRequest.newBuilder().setPageSize(3).build());
    ListVtepsResponse rest = Lists.vteps(vteps,
        ListVtepsRequest.newBuilder().setPageSize(3).setPageToken(first.getNextPageToken()).build());
    assertThat(first.getVtepsList()).containsExactly(vtep("b", true), vtep("z", true), vtep("a", false));
    assertThat(rest.getVtepsList()).containsExactly(vtep("b", false));
    assertThat(rest.hasNextPageToken()).isFalse();
  }

  private static Vtep vtep(String name, boolean host) {
    return Vtep.newBuilder().setName(name).setHost(host).build();
  }

  @Test
  void theNewestMigrationComesFirst() {
    List<Migration> migrations = List.of(migration("m-1", 1000), migration("m-2", 999), migration("m-3", 2000),
        migration("m-4", 1000));
    ListMigrationsResponse first = Lists.migrations(migrations,
        ListMigrationsRequest.newBuilder().setPageSize(2).build());
    ListMigrationsResponse rest = Lists.migrations(migrations,
        ListMigrationsRequest.newBuilder().setPageSize(2).setPageToken(first.getNextPageToken()).build());
    assertThat(first.getMigrationsList()).extracting(Migration::getId).containsExactly("m-3", "m-1");
    assertThat(rest.getMigrationsList()).extracting(Migration::getId).containsExactly("m-4", "m-2");
  }

  private static Migration migration(String id, long acceptedAtMillis) {
    return Migration.newBuilder().setId(id).setAcceptedAtMillis(acceptedAtMillis).build();
  }
}
