package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.TestCluster;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Agents that are frozen, so that they keep their locks, and fence agents that kill their processes, or only say so. */
@Timeout(240)
class FenceScenarioTest {
  private static final Pattern HTTP = Pattern.compile("listening: grpc \\S+ http 127\\.0\\.0\\.1:(\\d+)");

  private static TestCluster cluster;
  private static Path fenceAgents;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.start("fence", "512MiB", "host-a", "host-b", "host-c");
    cluster.arm(true);
    fenceAgents = Files.createDirectories(cluster.fenceAgents());
    script("fence_test", "[ \"$action\" = off ] && kill -9 \"$plug\"",
        "for i in {1..100}; do kill -0 \"$plug\" 2>/dev/null || break; [ \"$action\" = status ] && exit 0; sleep 0.1; done",
        "[ \"$action\" = off ] && exit 0", "exit 2");
    script("fence_liar", "exit 0");
  }

  private static void script(String name, String... lines) throws IOException {
    Path script = fenceAgents.resolve(name);
    Files.writeString(script, """
        #!/bin/bash
        while IFS='=' read -r key value; do declare "$key=$value"; done
        %s
        """.formatted(String.join("\n", lines)));
    Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private static String metrics() throws Exception {
    Matcher http = HTTP.matcher(cluster.coordinator().logOfThisStart());
    assertThat(http.find()).isTrue();
    try (HttpClient client = HttpClient.newHttpClient()) {
      return client.send(HttpRequest.newBuilder(URI.create("http://127.0.0.1:%s/metrics".formatted(http.group(1))))
          .build(), HttpResponse.BodyHandlers.ofString()).body();
    }
  }

  @AfterAll
  static void stop() throws Exception {
    cluster.close();
  }

  @BeforeEach
  void createVms() throws Exception {
    var _ = cluster.createWithDisk("db", "host-a", 64, "journal", Map.of(), 8);
    var _ = cluster.api().createVm(CreateVmRequest.newBuilder().setName("diskless").setHost("host-a")
        .setMemoryBytes(64L << 20).setVcpus(1).setProgram("idle").build());
    assertThat(cluster.ferry("vm", "set", "diskless", "--ha", "on").exitCode()).isZero();
  }

  @AfterEach
  void heal() throws Exception {
    cluster.heal();
    assertThat(cluster.ferry("host", "set", "host-a", "--no-fence").exitCode()).isZero();
  }

  @Test
  void aFrozenHostIsSwitchedOffAndItsVmsRunElsewhereAlsoThatWithoutDisks() throws Exception {
    assertThat(cluster.ferry("host", "set", "host-a", "--fence-agent", "fence_test", "--fence-option",
        "plug=" + cluster.agent("host-a").pid()).output()).contains("ON: fence_test says that it is on");
    cluster.agent("host-a").freeze();
    for (String each : List.of("db", "diskless")) {
      Awaitility.await(each + " runs elsewhere").atMost(Duration.ofSeconds(60)).until(
          () -> cluster.vm(each).getState() == Vm.State.RUNNING && !cluster.vm(each).getHost().equals("host-a"));
      assertThat(cluster.vm(each).getEpoch()).isEqualTo(2);
    }
    Awaitility.await().until(() -> !cluster.agent("host-a").isAlive());
    assertThat(cluster.ferry("host", "show", "host-a").output()).contains("fence_test plug=", "SWITCHED_OFF",
        "fence agent fence_test switched host host-a off and its status says off");
    assertThat(cluster.ferry("events").output()).contains("fence agent fence_test switched host host-a off");
    cluster.restart("host-a");
    Awaitility.await().until(() -> cluster.host("host-a").getState() == Host.State.UP);
  }

  @Test
  void anAgentThatLiesMovesNothingAndRaisesTheAlarm() throws Exception {
    assertThat(cluster.ferry("host", "set", "host-a", "--fence-agent", "fence_liar").exitCode()).isZero();
    cluster.agent("host-a").freeze();
    Awaitility.await("the fence fails").atMost(Duration.ofSeconds(60))
        .until(() -> cluster.vm("db").getReason().contains("could not be switched off"));
    assertThat(cluster.vm("db").getReason()).contains("its status says that it is on",
        "ferry host confirm-dead host-a");
    assertThat(metrics()).contains("ferry_cluster_fence_failing 1.0");
    cluster.agent("host-a").thaw();
    for (String each : List.of("db", "diskless")) {
      cluster.awaitVm(each, Vm.State.RUNNING, "host-a");
      assertThat(cluster.vm(each).getEpoch()).isEqualTo(1);
    }
  }
}
