package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.ClaimVmRequest;
import dev.pageferry.proto.cluster.v1.ConfirmHostDeadRequest;
import dev.pageferry.proto.cluster.v1.ConfirmHostDeadResponse;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.ListHostsResponse;
import dev.pageferry.proto.cluster.v1.ListVmsResponse;
import dev.pageferry.proto.cluster.v1.RecordsRepair;
import dev.pageferry.proto.cluster.v1.RecordsTrouble;
import dev.pageferry.proto.cluster.v1.RepairRecordsRequest;
import dev.pageferry.proto.cluster.v1.RepairRecordsResponse;
import dev.pageferry.proto.cluster.v1.Vm;
import io.grpc.Status;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Records that went back in time, and hosts that are dead, on the command line. */
final class RecordsCommandsTest extends CommandFixture {
  private static final RecordsTrouble TROUBLE = RecordsTrouble.newBuilder()
      .addEvidence("host-a has seen revision 812 of the start before this one").setSinceMillis(1_764_000_000_000L)
      .addVms("db").addVms("web").addSilentHosts("host-c").build();
  private static final ConfirmHostDeadResponse KNOWN = ConfirmHostDeadResponse.newBuilder()
      .setHost(Samples.HOST.toBuilder().setId("host-c").setState(Host.State.DOWN)).setSilentSeconds(94.5)
      .setIncarnation("the-one-shown")
      .addConsequences("db: its memory is lost; it can be started elsewhere").build();

  @Test
  void listsWarnOfRecordsThatWentBack() {
    cluster.answer("ListHosts", ListHostsResponse.newBuilder().addHosts(Samples.HOST).setRecords(TROUBLE).build());
    cluster.answer("ListVms", ListVmsResponse.newBuilder().addVms(Samples.VM).setRecords(TROUBLE).build());
    for (String each : List.of("host", "vm")) {
      assertThat(ferry.run(each, "list")).isZero();
      assertThat(ferry.outLines()).hasSize(2);
      assertThat(ferry.err()).isEqualTo(
          """
              warning: the coordinator's records went back in time; hosts and VMs go on, but no VM can be changed or moved
                known since 2025-11-24T16:00:00Z
                host-a has seen revision 812 of the start before this one
                VMs whose records do not agree with what hosts report: db, web
                hosts that were not heard since: host-c; start them, or see 'ferry host confirm-dead'
                see 'ferry records repair --dry-run'
              """);
      ferry.run(each, "list", "-o", "json");
      assertThat(ferry.out()).contains("\"records\"", "\"silentHosts\": [\"host-c\"]");
    }
  }

  @Test
  void aVmWhoseHostIsNotHeardIsUnknownAndSaysWhy() {
    Vm unknown = Samples.VM.toBuilder().setState(Vm.State.UNKNOWN).setReason("host host-a is not heard").build();
    cluster.answer("ListVms", ListVmsResponse.newBuilder().addVms(unknown)
        .addVms(Samples.VM.toBuilder().setName("db")).build());
    ferry.run("vm", "list");
    assertThat(ferry.outLines().get(0)).endsWith("REASON");
    assertThat(ferry.outLines().get(1)).contains("UNKNOWN").endsWith("host host-a is not heard");
    assertThat(ferry.outLines().get(2)).endsWith("-");

    cluster.answer("GetVm", unknown);
    ferry.run("vm", "show", "web-1");
    assertThat(ferry.outLines()).contains("state:         UNKNOWN", "reason:        host host-a is not heard");
  }

  @Test
  void aDryRunOfARepairShowsWhatWouldBeDoneAndChangesNothing() {
    cluster.answer("RepairRecords", RepairRecordsResponse.newBuilder()
        .addRepairs(RecordsRepair.newBuilder().setVm("db").setVmId("1").setBefore("STOPPED, epoch 3")
            .setAfter("ACTIVE on host-a, epoch 9"))
        .addRepairs(RecordsRepair.newBuilder().setVmId("2").setBefore("none").setRefusal("two hosts report it"))
        .setRecords(TROUBLE).build());

    assertThat(ferry.run("records", "repair", "--dry-run")).isZero();

    assertThat(cluster.onlyRequest(RepairRecordsRequest.class).getDryRun()).isTrue();
    assertThat(cluster.requestIds()).isEmpty();
    assertThat(ferry.out()).isEqualTo("""
        VM  BEFORE            AFTER                      WHY NOT
        db  STOPPED, epoch 3  ACTIVE on host-a, epoch 9  -
         2  none              -                          two hosts report it
        """.replace(" 2  none", "2   none"));
    assertThat(ferry.err()).contains("hosts that were not heard since: host-c");
  }

  @Test
  void aRepairIsDoneOnlyWhenNothingIsLeft() {
    cluster.answer("RepairRecords", RepairRecordsResponse.newBuilder().setRecords(TROUBLE).build());
    assertThat(ferry.run("records", "repair")).isEqualTo(ExitCode.REFUSED);
    assertThat(ferry.err()).contains("2 VMs and 1 hosts are left");

    cluster.answer("RepairRecords", RepairRecordsResponse.getDefaultInstance());
    assertThat(ferry.run("records", "repair", "-o", "json")).isZero();
    assertThat(ferry.out()).contains("\"repairs\": []", "\"requestId\": \"id-2\"");
  }

  @Test
  void aVmIsClaimedFromAHostsReport() {
    cluster.answer("ClaimVm", Samples.VM);
    assertThat(ferry.run("vm", "claim", "web-1", "--host", "host-a")).isZero();
    assertThat(cluster.onlyRequest(ClaimVmRequest.class))
        .isEqualTo(ClaimVmRequest.newBuilder().setName("web-1").setHost("host-a").build());
    assertThat(cluster.requestIds()).containsExactly("id-1");
    assertThat(ferry.run("vm", "claim", "web-1")).isEqualTo(ExitCode.USAGE);
  }

  @Test
  void aHostIsConfirmedDeadOnlyByTheOperatorsWord() {
    cluster.answer("ConfirmHostDead", KNOWN);

    assertThat(ferry.run("host", "confirm-dead", "host-c")).isEqualTo(ExitCode.REFUSED);
    assertThat(ferry.err()).contains("last heard:  1 min 34.5 s ago".substring(0, 11),
        "db: its memory is lost; it can be started elsewhere", "no terminal to ask at");

    ferry.answer = Optional.of("yes");
    assertThat(ferry.run("host", "confirm-dead", "host-c", "-o", "json")).isEqualTo(ExitCode.REFUSED);
    assertThat(ferry.out()).contains("\"confirmed\": false");
    assertThat(ferry.err()).contains("its id was not typed");
    assertThat(cluster.requests()).allMatch(each -> !((ConfirmHostDeadRequest) each).getConfirmed());
    assertThat(cluster.requestIds()).isEmpty();

    ferry.answer = Optional.of(" host-c\n");
    assertThat(ferry.run("host", "confirm-dead", "host-c")).as("the coordinator did not do it")
        .isEqualTo(ExitCode.REFUSED);
    cluster.answer("ConfirmHostDead", KNOWN.toBuilder().setConfirmed(true).build());
    assertThat(ferry.run("host", "confirm-dead", "host-c")).isZero();
    assertThat(ferry.questions).last().asString().contains("host-c");
    assertThat(cluster.requests()).last().isEqualTo(ConfirmHostDeadRequest.newBuilder().setId("host-c")
        .setConfirmed(true).setIncarnation("the-one-shown").build());
  }

  @Test
  void whoSaysYesIsNotAsked() {
    cluster.answer("ConfirmHostDead", KNOWN.toBuilder().setConfirmed(true).build());
    assertThat(ferry.run("host", "confirm-dead", "host-c", "--yes", "-o", "json")).isZero();
    assertThat(ferry.questions).isEmpty();
    assertThat(cluster.requests()).last().isEqualTo(ConfirmHostDeadRequest.newBuilder().setId("host-c")
        .setConfirmed(true).setIncarnation("the-one-shown").build());
    assertThat(ferry.out()).contains("\"confirmed\": true", "\"requestId\": \"id-1\"");
  }

  @Test
  void aHostThatLivesCannotBeConfirmedDead() {
    cluster.refuse("ConfirmHostDead", Status.FAILED_PRECONDITION.withDescription("host host-c is UP"));
    assertThat(ferry.run("host", "confirm-dead", "host-c", "--yes")).isEqualTo(ExitCode.REFUSED);
  }
}
