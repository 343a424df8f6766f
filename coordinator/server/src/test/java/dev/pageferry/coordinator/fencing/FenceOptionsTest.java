package dev.pageferry.coordinator.fencing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.cluster.v1.FenceDevice;
import dev.pageferry.proto.cluster.v1.SetFencingRequest;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is refused before any fence agent hears of it. */
class FenceOptionsTest {
  private static FenceDevice.Builder device() {
    return FenceDevice.newBuilder().setAgent("fence_ipmilan");
  }

  private static void assertRefused(FenceDevice device, String why) {
    assertThatThrownBy(() -> FenceOptions.check(List.of(device))).isInstanceOf(RequestException.class)
        .hasMessageContaining(why);
  }

  @Test
  void whatFenceAgentsKnowIsTaken() {
    assertThatCode(() -> FenceOptions.check(List.of(
        device().putOptions("ip", "10.0.9.1").putOptions("username", "x=y z")
            .putOptions("ssl-insecure", "1").putOptions("power_timeout", "20").putOptionFiles("password", "/etc/x")
            .build(),
        device().setAgent("fence_apc_snmp").build()))).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "ipmilan", "fence_", "/usr/sbin/fence_apc", "fence_../x", "fence_a b", "fence_A", "fence_a\n"})
  void anAgentIsNamedAndNotPointedAt(String name) {
    assertRefused(device().setAgent(name).build(), "is not the name of a fence agent");
  }

  @ParameterizedTest
  @ValueSource(strings = {"fence_scsi", "fence_mpath", "fence_brocade", "fence_dummy", "fence_kdump"})
  void anAgentThatDoesNotSwitchPowerIsRefused(String name) {
    assertRefused(device().setAgent(name).build(), "does not switch the power of a host");
  }

  @ParameterizedTest
  @ValueSource(strings = {"missing_as_off", "missing-as-off", "verbose", "verbose_level", "quiet"})
  void anOptionThatHasAnAgentSayWhatIsNotSoIsRefused(String name) {
    assertRefused(device().putOptions(name, "1").build(), "it is not taken");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a b", "a\nb", "#a", "Ip", "=", "a=b"})
  void aNameThatCouldBeMoreThanOneOptionIsRefused(String name) {
    assertRefused(device().putOptions(name, "x").build(), "is not the name of an option");
    assertRefused(device().putOptionFiles(name, "/x").build(), "is not the name of an option");
  }

  @ParameterizedTest
  @ValueSource(strings = {"x\naction=on", "x\ry", "x\u0000", "x\u2028y", "x\u0085y"})
  void aValueThatCouldBeMoreThanOneLineIsRefused(String value) {
    assertRefused(device().putOptions("ip", value).build(), "is not one line");
    assertRefused(device().putOptionFiles("password", "/" + value).build(), "is not one line");
  }

  @ParameterizedTest
  @ValueSource(strings = {"passwd", "password", "snmp_priv_passwd", "secret_key", "token", "api-key", "community"})
  void aSecretIsSentToAFile(String name) {
    FenceDevice device = device().putOptions(name, "s3cret").putOptions("ip", "10.0.9.1").build();
    assertRefused(device, "give '--fence-option-file %s=FILE'".formatted(name));
    assertThat(Fences.redacted(SetFencingRequest.newBuilder().addDevices(device).build()).toString())
        .contains(name, "10.0.9.1").doesNotContain("s3cret");
  }

  @ParameterizedTest
  @ValueSource(strings = {"passwd_script", "password-script", "ipmitool_path", "ssh_options", "debug_file"})
  void whatNamesAProgramIsRefused(String name) {
    assertRefused(device().putOptions(name, "/tmp/x").build(), "it is not taken");
    assertRefused(device().putOptionFiles(name, "/tmp/x").build(), "it is not taken");
  }

  @Test
  void theActionIsOurs() {
    assertRefused(device().putOptions("action", "on").build(), "given to fence agents by the coordinator itself");
    assertRefused(device().putOptions("option", "on").build(), "given to fence agents by the coordinator itself");
  }

  @Test
  void aFileHasAnAbsolutePathAndIsNotGivenBeside() {
    assertRefused(device().putOptionFiles("password", "secret").build(), "is not an absolute path");
    assertRefused(device().putOptions("ip", "x").putOptionFiles("ip", "/x").build(), "by itself and by a file");
  }

  @Test
  void moreDevicesThanAHostHasAreRefused() {
    assertThatThrownBy(() -> FenceOptions.check(Collections.nCopies(9, device().build())))
        .isInstanceOf(RequestException.class).hasMessageContaining("at most 8");
  }
}
