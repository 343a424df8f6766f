package dev.pageferry.coordinator.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.proto.cluster.v1.ListMigrationsRequest;
import dev.pageferry.proto.cluster.v1.ListMigrationsResponse;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.ListVmsResponse;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Lists in pages. */
class ListsTest {
  private static final int MAX_MESSAGE_BYTES = 4 << 20;

  private static Vm vm(String name) {
    return Vm.newBuilder().setName(name).build();
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
    assertThat(first.getNextPageToken()).isEqualTo("huge");
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
