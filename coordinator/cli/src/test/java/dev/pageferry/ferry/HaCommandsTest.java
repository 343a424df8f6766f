package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.ArmHaRequest;
import dev.pageferry.proto.cluster.v1.CheckHaResponse;
import dev.pageferry.proto.cluster.v1.Ha;
import dev.pageferry.proto.cluster.v1.HaStatus;
import dev.pageferry.proto.cluster.v1.HostDeath;
import dev.pageferry.proto.cluster.v1.HostPreference;
import dev.pageferry.proto.cluster.v1.HostVerdict;
import dev.pageferry.proto.cluster.v1.PlaceVmRequest;
import dev.pageferry.proto.cluster.v1.SetVmRequest;
import dev.pageferry.proto.cluster.v1.UnplacedVm;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmPlacement;
import dev.pageferry.proto.cluster.v1.WaitingVm;
import io.grpc.Status;
import org.junit.jupiter.api.Test;

/** What is wished for VMs when hosts stop, and what would become of them, on the command line. */
class HaCommandsTest extends CommandFixture {
  private static final Vm VM = Samples.VM.toBuilder().setHa(Ha.Name.ON).setPriority(700).addPrefer("host-c")
      .addPrefer("host-b").setApartFrom("web").build();

  @Test
  void whatIsGivenIsSetAndWhatIsWishedIsShown() {
    cluster.answer("SetVm", VM);
    assertThat(ferry.run("vm", "set", "web-1", "--ha", "on", "--priority", "700", "--prefer", "host-c,host-b",
        "--apart-from", "web")).as(ferry.err()).isZero();
    assertThat(cluster.onlyRequest(SetVmRequest.class)).isEqualTo(SetVmRequest.newBuilder().setName("web-1")
        .setHa(Ha.Name.ON).setPriority(700)
        .setPrefer(HostPreference.newBuilder().addHosts("host-c").addHosts("host-b")).setApartFrom("web").build());
    assertThat(cluster.requestIds()).containsExactly("id-1");
    assertThat(ferry.out()).containsPattern("ha: +on").containsPattern("priority: +700")
        .containsPattern("prefer: +host-c, host-b").containsPattern("apart from: +web");
  }

  @Test
  void whatIsNotGivenIsNotAskedForAndNothingIsCleared() {
    cluster.answer("SetVm", VM);
    assertThat(ferry.run("vm", "set", "web-1", "--priority", "0")).as(ferry.err()).isZero();
    assertThat(cluster.onlyRequest(SetVmRequest.class))
        .isEqualTo(SetVmRequest.newBuilder().setName("web-1").setPriority(0).build());
  }

  @Test
  void anEmptyListOfHostsAndAnEmptyGroupClear() {
    cluster.answer("SetVm", VM);
    assertThat(ferry.run("vm", "set", "web-1", "--prefer", "", "--apart-from", "", "-o", "json")).as(ferry.err())
        .isZero();
    assertThat(cluster.onlyRequest(SetVmRequest.class)).isEqualTo(SetVmRequest.newBuilder().setName("web-1")
        .setPrefer(HostPreference.getDefaultInstance()).setApartFrom("").build());
    assertThat(ferry.out()).contains("\"ha\": \"ON\"", "\"priority\": 700", "\"prefer\": [\"host-c\", \"host-b\"]",
        "\"apartFrom\": \"web\"", "\"requestId\": \"id-1\"");
  }

  @Test
  void oneOptionAtLeastIsNeededAndEachHasItsWords() {
    assertThat(ferry.run("vm", "set", "web-1")).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).contains("nothing is to be set");
    assertThat(ferry.run("vm", "set", "web-1", "--ha", "always")).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).contains("'always' is not auto, on or off");
    assertThat(ferry.run("vm", "set", "web-1", "--priority", "high")).isEqualTo(ExitCode.USAGE);
    assertThat(cluster.requests()).isEmpty();
  }

  @Test
  void aHostThatIsNotKnownIsNotFound() {
    cluster.decide("SetVm", Status.NOT_FOUND.withDescription("host nowhere is not known; see 'ferry host list'"));
    assertThat(ferry.run("vm", "set", "web-1", "--prefer", "nowhere")).isEqualTo(ExitCode.NOT_FOUND);
    assertThat(ferry.err()).contains("host nowhere is not known");
  }

  @Test
  void aPlaceIsShownWithAReasonForEachHost() {
    cluster.answer("PlaceVm", VmPlacement.newBuilder().setName("web-1").setHost("host-a").setTo("host-c")
        .setReason("it is number 1 of its preferred hosts").setRestartable(true)
        .addHosts(HostVerdict.newBuilder().setHost("host-a").setReason("it is the host that stops"))
        .addHosts(HostVerdict.newBuilder().setHost("host-c").setEligible(true).setReason("3 GiB free")).build());
    assertThat(ferry.run("vm", "place", "web-1")).as(ferry.err()).isZero();
    assertThat(cluster.onlyRequest(PlaceVmRequest.class).getName()).isEqualTo("web-1");
    assertThat(ferry.out()).isEqualTo("""
        name:         web-1
        host:         host-a
        would go to:  host-c: it is number 1 of its preferred hosts
        by itself:    yes

        HOST    ELIGIBLE  REASON
        host-a  no        it is the host that stops
        host-c  yes       3 GiB free
        """);
    assertThat(ferry.run("vm", "place", "web-1", "-o", "json")).isZero();
    assertThat(ferry.out()).contains("\"to\": \"host-c\"", "\"eligible\": false", "\"restartable\": true");
  }

  @Test
  void aVmWithoutAPlaceIsNoFailureOfTheQuestion() {
    cluster.answer("PlaceVm", VmPlacement.newBuilder().setName("web-1").setReason("the cluster has no hosts")
        .setNotRestartableBecause("its ha is off").build());
    assertThat(ferry.run("vm", "place", "web-1")).isZero();
    assertThat(ferry.out()).contains("nowhere: the cluster has no hosts", "no: its ha is off");
  }

  private static HostDeath death(String host, UnplacedVm.Kind... kinds) {
    HostDeath.Builder death = HostDeath.newBuilder().setHost(host).setRestartable(2);
    for (UnplacedVm.Kind each : kinds) {
      death.addUnplaced(UnplacedVm.newBuilder().setVm("web-1").setReason("because").setKind(each));
    }
    return death.build();
  }

  @Test
  void aCheckFailsWhereAVmWouldBeWithoutAPlace() {
    cluster.answer("CheckHa", CheckHaResponse.newBuilder()
        .addHosts(death("host-a", UnplacedVm.Kind.NO_PLACE, UnplacedVm.Kind.NEVER)).addHosts(death("host-b")).build());
    assertThat(ferry.run("ha", "check")).isEqualTo(ExitCode.REFUSED);
    assertThat(ferry.out()).isEqualTo("""
        HOST    RESTARTABLE  WITHOUT PLACE  NEVER
        host-a            2              1      1
        host-b            2              0      0

        HOST    VM     REASON
        host-a  web-1  because
        host-a  web-1  never by itself: because
        """);
    assertThat(ferry.err()).contains("if host host-a stopped").hasLineCount(1);
    assertThat(ferry.run("ha", "check", "-o", "json")).isEqualTo(ExitCode.REFUSED);
    assertThat(ferry.out()).contains("\"hosts\": [{", "\"restartable\": 2", "\"unplaced\": [{", "\"vm\": \"web-1\"",
        "\"reason\": \"because\"");
  }

  @Test
  void vmsThatAreNeverRestartedByThemselvesDoNotFailACheck() {
    cluster.answer("CheckHa",
        CheckHaResponse.newBuilder().addHosts(death("host-a", UnplacedVm.Kind.NEVER)).build());
    assertThat(ferry.run("ha", "check")).as(ferry.err()).isZero();
    assertThat(ferry.out()).contains("never by itself: because");
  }

  @Test
  void whoWaitsIsShownWithTheReason() {
    cluster.answer("GetHaStatus", HaStatus.newBuilder().setArmed(true).addWaiting(WaitingVm.newBuilder().setVm("web-1")
        .setHost("host-a").setReason("host host-a is silent").setAttempts(2)).build());
    assertThat(ferry.run("ha", "status")).as(ferry.err()).isZero();
    assertThat(ferry.out()).isEqualTo("""
        armed:  yes: VMs are restarted by themselves when their host stops

        VM     HOST    FAILED STARTS  REASON
        web-1  host-a              2  host host-a is silent
        """);
    assertThat(ferry.run("ha", "status", "-o", "json")).isZero();
    assertThat(ferry.out()).contains("\"armed\": true", "\"waiting\": [{", "\"attempts\": 2");
  }

  @Test
  void itIsDisarmedAndArmed() {
    cluster.answer("ArmHa",
        HaStatus.newBuilder().setDisarmedAt(Timestamp.newBuilder().setSeconds(1_700_000_000)).build());
    assertThat(ferry.run("ha", "disarm")).as(ferry.err()).isZero();
    assertThat(cluster.onlyRequest(ArmHaRequest.class).getArmed()).isFalse();
    assertThat(ferry.out()).isEqualTo("armed:  no, since 2023-11-14T22:13:20Z\n");
    cluster.answer("ArmHa", HaStatus.newBuilder().setArmed(true).build());
    assertThat(ferry.run("ha", "arm")).isZero();
    assertThat(ferry.out()).contains("armed:  yes");
  }

  @Test
  void aCoordinatorOfBeforeDoesNotKnowTheCommand() {
    assertThat(ferry.run("ha", "check")).isEqualTo(ExitCode.FAILED);
    assertThat(ferry.err()).contains("does not know this command");
  }

  @Test
  void aVmOfACoordinatorOfBeforeHasNoWishes() {
    cluster.answer("GetVm", Samples.VM);
    assertThat(ferry.run("vm", "show", "web-1")).isZero();
    assertThat(ferry.out()).doesNotContain("priority").doesNotContain("ha:");
  }
}
