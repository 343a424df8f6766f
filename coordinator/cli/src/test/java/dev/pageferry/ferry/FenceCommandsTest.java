package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.proto.cluster.v1.FenceAttempt;
import dev.pageferry.proto.cluster.v1.FenceDevice;
import dev.pageferry.proto.cluster.v1.FenceStatus;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.HostFencing;
import dev.pageferry.proto.cluster.v1.SetFencingRequest;
import org.junit.jupiter.api.Test;

/** By what a host is switched off, as it is said and shown. */
class FenceCommandsTest extends CommandFixture {
  private static final FenceDevice FIRST = FenceDevice.newBuilder().setAgent("fence_ipmilan")
      .putOptions("ip", "10.0.9.1")
      .putOptionFiles("password", "/etc/fence").build();
  private static final FenceDevice SECOND = FenceDevice.newBuilder().setAgent("fence_apc").putOptions("plug", "7=x")
      .build();

  @Test
  void optionsBelongToTheFenceAgentBeforeThem() {
    cluster.answer("SetFencing", HostFencing.newBuilder().setHost("host-a").addDevices(FIRST).addDevices(SECOND)
        .addStatuses(FenceStatus.newBuilder().setState(FenceStatus.State.ON).setText("it says that it is on")).build());

    assertThat(ferry.run("host", "set", "host-a", "--fence-agent", "fence_ipmilan", "--fence-option", "ip=10.0.9.1",
        "--fence-option-file", "password=/etc/fence", "--fence-agent", "fence_apc", "--fence-option", "plug=7=x"))
        .isZero();
    assertThat(cluster.onlyRequest(SetFencingRequest.class)).isEqualTo(SetFencingRequest.newBuilder().setHost("host-a")
        .addDevices(FIRST).addDevices(SECOND).build());
    assertThat(ferry.out()).contains("fence_ipmilan ip=10.0.9.1 password from /etc/fence", "fence_apc plug=7=x",
        "ON: it says that it is on");
  }

  @Test
  void noFenceTakesAllAway() {
    cluster.answer("SetFencing", HostFencing.newBuilder().setHost("host-a").build());

    assertThat(ferry.run("host", "set", "host-a", "--no-fence")).isZero();
    assertThat(cluster.onlyRequest(SetFencingRequest.class).getDevicesList()).isEmpty();
    assertThat(ferry.out()).contains("no fence agents");
  }

  @Test
  void whatContradictsItselfIsWrongUsage() {
    assertThat(ferry.run("host", "set", "host-a")).isEqualTo(2);
    assertThat(ferry.err()).contains("--fence-agent or --no-fence is missing");
    assertThat(ferry.run("host", "set", "host-a", "--no-fence", "--fence-agent", "fence_apc")).isEqualTo(2);
    assertThat(ferry.run("host", "set", "host-a", "--fence-option", "ip=x")).isEqualTo(2);
    assertThat(ferry.err()).contains("--fence-agent");
    assertThat(ferry.run("host", "set", "host-a", "--fence-agent", "fence_apc", "--fence-option", "ip")).isEqualTo(2);
    assertThat(ferry.err()).contains("'ip' for --fence-option is not KEY=VALUE");
    assertThat(ferry.run("host", "set", "host-a", "--fence-agent", "fence_apc", "--fence-option", "ip=1",
        "--fence-option", "ip=2")).isEqualTo(2);
    assertThat(ferry.err()).contains("ip is given twice");
    assertThat(cluster.requests()).isEmpty();
  }

  @Test
  void aTestThatADeviceDoesNotPassIsShownAndRefused() {
    cluster.answer("TestFencing", HostFencing.newBuilder().setHost("host-a").addDevices(FIRST)
        .addStatuses(FenceStatus.newBuilder().setState(FenceStatus.State.FAILED).setText("no route to host")).build());

    assertThat(ferry.run("host", "fence-test", "host-a")).isEqualTo(4);
    assertThat(ferry.out()).contains("FAILED: no route to host");
    assertThat(ferry.err()).contains("1 of 1 fence devices of host host-a do not tell its status");
  }

  @Test
  void aHostShowsItsDevicesAndWhatCameOfThem() {
    cluster.answer("GetHost",
        Host.newBuilder().setId("host-a").addFenceDevices(FIRST).setFence(FenceAttempt.newBuilder()
            .setState(FenceAttempt.State.FAILED).setText("no route to host").setFailures(2)).build());

    assertThat(ferry.run("host", "show", "host-a")).isZero();
    assertThat(ferry.out()).contains("fence device 1:", "fence_ipmilan ip=10.0.9.1 password from /etc/fence",
        "FAILED, ", "no route to host");
    assertThat(ferry.run("host", "show", "host-a", "-o", "json")).isZero();
    assertThat(ferry.out()).contains("\"optionFiles\"", "\"/etc/fence\"");
  }
}
