package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.support.CommandResult;
import dev.pageferry.support.TestCluster;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What operators wish for VMs when hosts stop, and where these would go, with three hosts as processes. */
@Timeout(240)
class PlacementScenarioTest {
  private static final int DONE = 0;
  private static final int NOT_FOUND = 3;
  private static final int REFUSED = 4;

  private static void fill(TestCluster cluster, String host) {
    var unused = cluster.api().createVm(CreateVmRequest.newBuilder().setName("filler-" + host).setHost(host)
        .setMemoryBytes(200L << 20).setVcpus(1).setProgram("idle").build());
  }

  /** Of the death of a host: what would not run again by itself, as KIND VM. */
  private static List<String> unplaced(TestCluster cluster, int exitCode, String host) throws Exception {
    CommandResult result = cluster.ferry("ha", "check", "-o", "json");
    assertThat(result.exitCode()).as(result.errors() + result.output()).isEqualTo(exitCode);
    List<String> unplaced = new ArrayList<>();
    for (JsonElement each : array(JsonParser.parseString(result.output()).getAsJsonObject(), "hosts")) {
      if (each.getAsJsonObject().get("host").getAsString().equals(host)) {
        array(each.getAsJsonObject(), "unplaced").forEach(vm -> unplaced.add(vm.getAsJsonObject().get("kind")
            .getAsString() + " " + vm.getAsJsonObject().get("vm").getAsString()));
      }
    }
    return unplaced;
  }

  private static JsonArray array(JsonObject document, String name) {
    return document.getAsJsonArray(name);
  }

  private static void assertPlace(TestCluster cluster, String vm, String host) throws Exception {
    assertThat(cluster.ferryJson("vm", "place", vm, "-o", "json").get("to").getAsString()).isEqualTo(host);
  }

  @Test
  void whatIsWishedIsKeptAndSaysWhereVmsWouldGo() throws Exception {
    try (TestCluster cluster = TestCluster.start("placement", "256MiB", "host-a", "host-b", "host-c")) {
      var unused = cluster.createWithDisk("web", "host-a", 128, "journal", Map.of(), 8);
      assertThat(cluster.ferryJson("vm", "show", "web", "-o", "json").get("ha").getAsString()).isEqualTo("AUTO");
      assertPlace(cluster, "web", "host-b");
      JsonObject set = cluster.ferryJson("vm", "set", "web", "--ha", "on", "--priority", "700", "--prefer",
          "host-c,host-b", "--apart-from", "web", "-o", "json");
      assertThat(set.get("priority").getAsInt()).isEqualTo(700);
      assertPlace(cluster, "web", "host-c");
      assertThat(unplaced(cluster, DONE, "host-a")).isEmpty();

      cluster.coordinator().kill();
      cluster.restartCoordinator();
      JsonObject shown = cluster.ferryJson("vm", "show", "web", "-o", "json");
      assertThat(shown.get("ha").getAsString()).isEqualTo("ON");
      assertThat(array(shown, "prefer")).hasSize(2);
      assertThat(shown.get("apartFrom").getAsString()).isEqualTo("web");

      fill(cluster, "host-c");
      awaitFilled(cluster, "host-c");
      assertPlace(cluster, "web", "host-b");
      assertThat(unplaced(cluster, DONE, "host-c")).containsExactly("NEVER filler-host-c");
      fill(cluster, "host-b");
      awaitFilled(cluster, "host-b");
      assertThat(unplaced(cluster, REFUSED, "host-a")).containsExactly("NO_PLACE web");
      assertThat(cluster.ferry("vm", "place", "web").output()).contains("nowhere", "it has 56 MiB free",
          "it is the host that stops");
      JsonObject off = cluster.ferryJson("vm", "set", "web", "--ha", "off", "-o", "json");
      assertThat(off.get("priority").getAsInt()).as("what is not given stays").isEqualTo(700);
      assertThat(unplaced(cluster, DONE, "host-a")).containsExactly("NEVER web");

      cluster.assertRefused(NOT_FOUND, "host host-z is not known", "vm", "set", "web", "--prefer", "host-z");
      cluster.assertRefused(NOT_FOUND, "VM nobody does not exist", "vm", "place", "nobody");
      assertThat(cluster.ferry("audit", "web").output()).contains("SetVm");
    }
  }

  private static void awaitFilled(TestCluster cluster, String host) {
    Awaitility.await("a heartbeat of " + host).atMost(TestCluster.patience())
        .until(() -> cluster.host(host).getState() == Host.State.UP
            && cluster.host(host).getMemoryFreeBytes() == 56L << 20);
  }
}
