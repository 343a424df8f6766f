package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.Ha;
import dev.pageferry.proto.cluster.v1.HostPreference;
import dev.pageferry.proto.cluster.v1.SetVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import io.grpc.Status;
import org.junit.jupiter.api.Test;

/** What is wished for VMs when hosts stop, on the command line. */
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
  void aVmOfACoordinatorOfBeforeHasNoWishes() {
    cluster.answer("GetVm", Samples.VM);
    assertThat(ferry.run("vm", "show", "web-1")).isZero();
    assertThat(ferry.out()).doesNotContain("priority").doesNotContain("ha:");
  }
}
