package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.pageferry.ferry.FakeCluster.Answer;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.ListHostsRequest;
import dev.pageferry.proto.cluster.v1.ListHostsResponse;
import dev.pageferry.proto.cluster.v1.ListMigrationsResponse;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.ListVmsResponse;
import dev.pageferry.proto.cluster.v1.ListVtepsRequest;
import dev.pageferry.proto.cluster.v1.ListVtepsResponse;
import dev.pageferry.proto.cluster.v1.RecordsTrouble;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.Vtep;
import io.grpc.Status;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What lists have in common: forms, limits, pages, and following them. */
final class ListsTest extends CommandFixture {
  private static final Vm WEB = Samples.VM;
  private static final Vm DB = Samples.VM.toBuilder().setName("db").setId("vm-8").build();

  @AfterEach
  void stop() {
    // A watch ends by an interrupt, which is this thread's.
    var _ = Thread.interrupted();
    cluster.close();
  }

  @Test
  void namesAreOneALine() {
    cluster.answer("ListVms", ListVmsResponse.newBuilder().addVms(DB).addVms(WEB).build());
    cluster.answer("GetVm", WEB);
    assertThat(ferry.run("vm", "list", "-o", "name")).isZero();
    assertThat(ferry.out()).isEqualTo("db\nweb-1\n");
    assertThat(ferry.run("vm", "show", "web-1", "-o", "name")).isZero();
    assertThat(ferry.out()).isEqualTo("web-1\n");
  }

  @Test
  void yamlHasTheNamesOfTheJsonAndQuotesWhatLooksLikeANumber() {
    cluster.answer("ListHosts", ListHostsResponse.newBuilder().addHosts(Samples.HOST).build());
    assertThat(ferry.run("host", "list", "-o", "yaml")).isZero();
    assertThat(ferry.out()).isEqualTo("""
        hosts:
        - id: host-a
          state: UP
          address: 127.0.0.1:7410
          migrationAddress: 127.0.0.1:7420
          memoryBytes: '8589934592'
          memoryFreeBytes: '7516192768'
          vms: 0
          version: 0.1.0
          inDoubt: []
          fenceDevices: []
        """);
  }

  @Test
  void aWideTableHasMoreColumns() {
    cluster.answer("ListHosts", ListHostsResponse.newBuilder().addHosts(Samples.HOST).build());
    assertThat(ferry.run("host", "list", "-o", "wide")).isZero();
    assertThat(ferry.out()).isEqualTo("""
        HOST    STATE  ADDRESS         MEMORY  FREE   VMS  VERSION  MIGRATION       VXLAN  STORAGE
        host-a  UP     127.0.0.1:7410  8 GiB   7 GiB    0  0.1.0    127.0.0.1:7420  -      -
        """);
  }

  @Test
  void migrationsAreTheNewestFirstWithTheirTimes() {
    cluster.answer("ListMigrations", ListMigrationsResponse.newBuilder()
        .addMigrations(Samples.COMPLETED.toBuilder().setAcceptedAtMillis(1_764_000_000_000L))
        .addMigrations(Samples.COMPLETED.toBuilder().setId("m-2").setAcceptedAtMillis(1_764_000_009_999L)).build());
    assertThat(ferry.run("migration", "list")).isZero();
    assertThat(ferry.outLines()).hasSize(3);
    assertThat(ferry.outLines().get(1)).startsWith("m-2 ").contains(" 2025-11-24T16:00:09Z ");
    assertThat(ferry.outLines().get(2)).startsWith("m-1 ").contains(" 2025-11-24T16:00:00Z ");
  }

  @Test
  void whenAVmWasCreatedIsShownInUtc() {
    Vm vm = WEB.toBuilder().setCreatedAt(Timestamp.newBuilder().setSeconds(1_764_000_009).setNanos(25_000_000)).build();
    cluster.answer("ListVms", ListVmsResponse.newBuilder().addVms(vm).addVms(DB).build());
    cluster.answer("GetVm", vm);

    assertThat(ferry.run("vm", "list", "-o", "wide")).isZero();
    assertThat(ferry.out()).isEqualTo("""
        NAME   STATE    HOST    MEMORY  VCPUS  PROGRAM  STEPS  ID    EPOCH  DISKS  NICS  CREATED
        web-1  RUNNING  host-a  1 GiB       1  uniform      0  vm-7      1  -      -     2025-11-24T16:00:09Z
        db     RUNNING  host-a  1 GiB       1  uniform      0  vm-8      1  -      -     -
        """);
    assertThat(ferry.run("vm", "list", "-o", "json")).isZero();
    assertThat(ferry.out()).containsOnlyOnce("\"createdAt\": \"2025-11-24T16:00:09.025Z\"");
    assertThat(ferry.run("vm", "show", "web-1", "-o", "yaml")).isZero();
    assertThat(ferry.outLines()).contains("createdAt: '2025-11-24T16:00:09.025Z'");
    assertThat(ferry.run("vm", "show", "web-1")).isZero();
    assertThat(ferry.outLines()).contains("created:       2025-11-24T16:00:09Z");
  }

  @Test
  void listsOfHostsAndVtepsComeInPagesAsThoseOfVmsDo() {
    Host other = Samples.HOST.toBuilder().setId("host-b").build();
    cluster.answer("ListHosts", request -> new Answer(List.of(((ListHostsRequest) request).getPageToken().isEmpty()
        ? ListHostsResponse.newBuilder().addHosts(Samples.HOST).setNextPageToken("host-a").build()
        : ListHostsResponse.newBuilder().addHosts(other).build()), Status.OK));
    assertThat(ferry.run("host", "list", "-o", "name")).isZero();
    assertThat(ferry.out()).isEqualTo("host-a\nhost-b\n");
    assertThat(ferry.run("host", "list", "-o", "name", "--limit", "1")).isZero();
    assertThat(ferry.out()).isEqualTo("host-a\n");

    Vtep desk = Vtep.newBuilder().setName("desk").build();
    cluster.answer("ListVteps", request -> new Answer(List.of(((ListVtepsRequest) request).getPageToken().isEmpty()
        ? ListVtepsResponse.newBuilder().addVteps(desk).setNextPageToken("desk").build()
        : ListVtepsResponse.newBuilder().addVteps(desk.toBuilder().setName("lab")).build()), Status.OK));
    assertThat(ferry.run("vtep", "list", "-o", "name")).isZero();
    assertThat(ferry.out()).isEqualTo("desk\nlab\n");
    assertThat(ferry.run("vtep", "list", "-o", "name", "--limit", "1")).isZero();
    assertThat(ferry.out()).isEqualTo("desk\n");
    assertThat(cluster.requests()).hasSize(6);
  }

  @Test
  void pagesAreAskedForUntilThereIsNoMore() {
    cluster.answer("ListVms", request -> new Answer(List.of(((ListVmsRequest) request).getPageToken().isEmpty()
        ? ListVmsResponse.newBuilder().addVms(DB).setNextPageToken("db").build()
        : ListVmsResponse.newBuilder().addVms(WEB).build()), Status.OK));
    assertThat(ferry.run("vm", "list", "-o", "name")).isZero();
    assertThat(ferry.out()).isEqualTo("db\nweb-1\n");
    assertThat(cluster.requests()).hasSize(2).last()
        .satisfies(last -> assertThat(((ListVmsRequest) last).getPageToken()).isEqualTo("db"));
  }

  @Test
  void whatIsSaidOfTheWholeListInEachPageIsSaidOnce() {
    RecordsTrouble trouble = RecordsTrouble.newBuilder().addEvidence("host-a has seen more").addSilentHosts("host-c")
        .build();
    cluster.answer("ListVms", request -> new Answer(List.of(((ListVmsRequest) request).getPageToken().isEmpty()
        ? ListVmsResponse.newBuilder().addVms(DB).setRecords(trouble).setNextPageToken("db").build()
        : ListVmsResponse.newBuilder().addVms(WEB).setRecords(trouble).build()), Status.OK));
    assertThat(ferry.run("vm", "list", "-o", "json")).isZero();
    assertThat(ferry.out()).containsOnlyOnce("host-a has seen more").containsOnlyOnce("host-c");
  }

  @Test
  void aListThatDoesNotComeToAnEndFailsInsteadOfFillingMemory() {
    cluster.answer("ListVms", ListVmsResponse.newBuilder().addVms(DB).setNextPageToken("db").build());
    assertThat(ferry.run("vm", "list")).isEqualTo(ExitCode.FAILED);
    assertThat(ferry.err()).contains("does not come to an end: page 2 ends at 'db' again");
    assertThat(cluster.requests()).hasSize(2);
  }

  @Test
  void aLimitIsAskedForAndHoldsForACoordinatorThatSendsAll() {
    cluster.answer("ListVms", ListVmsResponse.newBuilder().addVms(DB).addVms(WEB).build());
    assertThat(ferry.run("vm", "list", "--limit", "1", "-o", "name")).isZero();
    assertThat(ferry.out()).isEqualTo("db\n");
    assertThat(cluster.onlyRequest(ListVmsRequest.class).getPageSize()).isEqualTo(1);
    assertThat(ferry.run("vm", "list", "--limit", "0")).isEqualTo(ExitCode.USAGE);
  }

  @Test
  void aWatchedListIsShownAgainWhenItChanges() {
    cluster.answer("ListVms", ListVmsResponse.newBuilder().addVms(WEB).build());
    ferry.afterPause = () -> {
      if (ferry.pauses.size() == 2) {
        cluster.answer("ListVms", ListVmsResponse.newBuilder().addVms(DB).build());
      } else if (ferry.pauses.size() == 4) {
        Thread.currentThread().interrupt();
      }
    };
    assertThat(ferry.run("vm", "list", "--watch", "-o", "json")).isEqualTo(ExitCode.INTERRUPTED);
    assertThat(ferry.outLines()).hasSize(2);
    assertThat(ferry.outLines().getFirst()).contains("\"web-1\"");
    assertThat(ferry.outLines().getLast()).contains("\"db\"").doesNotContain("web-1");
  }

  @ParameterizedTest
  @ValueSource(strings = {"table", "json", "yaml", "name"})
  void anAnswerThatCannotBeWrittenIsNoSuccess(String form) {
    cluster.answer("ListVms", ListVmsResponse.newBuilder().addVms(DB).build());
    ferry.outIsFull = true;

    assertThat(ferry.run("vm", "list", "-o", form)).isEqualTo(ExitCode.FAILED);
    assertThat(ferry.err()).hasLineCount(1).startsWith("ferry: stdout cannot be written");
  }

  @Test
  void aListThatIsWatchedEndsOnceNobodyReadsIt() {
    cluster.answer("ListVms", ListVmsResponse.newBuilder().addVms(DB).build());
    ferry.outIsFull = true;

    assertThat(ferry.run("vm", "list", "--watch", "-o", "json")).isEqualTo(ExitCode.FAILED);
  }
}
