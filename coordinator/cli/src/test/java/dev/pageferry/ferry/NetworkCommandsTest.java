package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.AddVtepRequest;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.DeleteVtepResponse;
import dev.pageferry.proto.cluster.v1.ListVtepsResponse;
import dev.pageferry.proto.cluster.v1.Vtep;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the command makes of networks, against a cluster that the test plays. */
final class NetworkCommandsTest extends CommandFixture {
  private static final Vtep DESK = Vtep.newBuilder().setName("desk").setAddress("10.0.0.30:4789").setVni(7).build();

  @Test
  void cardsOfAVmKeepTheirOrderAndForm() {
    cluster.answer("CreateVm", Samples.VM);
    assertThat(ferry.run("vm", "create", "web", "--host", "host-a", "--nic", "02:00:00:00:00:05", "--nic",
        "02-00-00-00-00-06@7,ip=10.9.8.7")).isZero();
    assertThat(cluster.onlyRequest(CreateVmRequest.class).getNicsList()).containsExactly("02:00:00:00:00:05",
        "02-00-00-00-00-06@7,ip=10.9.8.7");
  }

  @ParameterizedTest
  @ValueSource(strings = {"02:00:00:00:00", "01:00:00:00:00:05", "00:00:00:00:00:00", "02:00:00:00:00:05@0",
      "02:00:00:00:00:05@16777216", "02:00:00:00:00:05@x", "02:00:00:00:00:05@7,ip=300.1.1.1",
      "02:00:00:00:00:05,address=10.0.0.1", "02:00:00:00:00:05,ip=127.0.0.1", ""})
  void aCardThatCannotBeIsWrongUsage(String nic) {
    assertThat(ferry.run("vm", "create", "web", "--host", "host-a", "--nic", nic)).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).hasLineCount(1).contains("--nic");
    assertThat(cluster.requests()).isEmpty();
  }

  @Test
  void tunnelEndsAreAddedListedAndDeleted() {
    cluster.answer("AddVtep", DESK);
    assertThat(ferry.run("vtep", "add", "desk", "--address", "10.0.0.30:4789", "--vni", "7")).isZero();
    assertThat(cluster.onlyRequest(AddVtepRequest.class)).isEqualTo(AddVtepRequest.newBuilder().setName("desk")
        .setAddress("10.0.0.30:4789").setVni(7).build());

    cluster.answer("ListVteps", ListVtepsResponse.newBuilder().addVteps(
        Vtep.newBuilder().setName("host-a").setAddress("10.0.0.1:4789").setHost(true)).addVteps(DESK).build());
    assertThat(ferry.run("vtep", "list")).isZero();
    assertThat(ferry.out()).isEqualTo("""
        NAME    ADDRESS         NETWORK  HOST
        host-a  10.0.0.1:4789   all      yes
        desk    10.0.0.30:4789  7        no
        """);

    cluster.answer("DeleteVtep", DeleteVtepResponse.getDefaultInstance());
    assertThat(ferry.run("vtep", "delete", "desk")).isZero();
  }

  @Test
  void aVmWithoutCardsCannotBePinged() {
    cluster.answer("GetVm", Samples.VM.toBuilder().clearNics().build());
    assertThat(ferry.run("vm", "ping", "web")).isEqualTo(ExitCode.REFUSED);
    assertThat(ferry.err()).hasLineCount(1).contains("network card");
  }

  @Test
  void aProbeWithoutWatchingIsWrongUsageAndMovesNothing() {
    assertThat(ferry.run("migrate", "live", "web", "--to", "host-b", "--probe")).isEqualTo(ExitCode.USAGE);
    assertThat(cluster.requests()).isEmpty();
  }

  @Test
  void aProbeOfAVmWithoutCardsMovesNothing() {
    cluster.answer("GetVm", Samples.VM.toBuilder().clearNics().build());
    assertThat(ferry.run("migrate", "live", "web", "--to", "host-b", "--watch", "--probe"))
        .isEqualTo(ExitCode.REFUSED);
    assertThat(cluster.requests()).hasSize(1);
  }
}
