package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.station.Conversation;
import dev.pageferry.support.CommandResult;
import dev.pageferry.support.Failpoint;
import dev.pageferry.support.NetworkClient;
import dev.pageferry.support.TestCluster;
import java.time.Duration;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** VMs that are talked to while they move; the client is a tunnel end of its own. */
class NetworkTest {
  private static final int VNI = 7;
  private static final MacAddress MAC = MacAddress.parse("02:00:00:00:00:05");
  private static final Ipv4Address GUEST = Ipv4Address.parse("10.0.0.5");
  private static TestCluster cluster;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.start("network", "1GiB", "host-a", "host-b", "host-c");
  }

  @AfterEach
  void heal() throws Exception {
    cluster.heal();
  }

  @AfterAll
  static void stop() throws Exception {
    cluster.close();
  }

  private static Vm createVm() {
    return cluster.api().createVm(CreateVmRequest.newBuilder().setName("web").setHost("host-a")
        .setMemoryBytes(64 << 20).setVcpus(1).setProgram("hotset").putProgramArgs("rate", "50MB/s")
        .addNics(MAC + "@" + VNI).build());
  }

  private static Migration moved(String to) {
    Migration migration = cluster.migrateAndWait("web", to);
    assertThat(migration.getState()).as(migration.toString()).isEqualTo(Migration.State.COMPLETED);
    return migration;
  }

  @Test
  void aConversationGoesOnThroughLiveAndQuickMovesAndEveryAcknowledgedChangeIsDoneOnce() throws Exception {
    createVm();
    try (NetworkClient client = new NetworkClient(cluster, VNI)) {
      NetworkClient.Talk talk = client.talkTo(GUEST, 1);
      for (String to : List.of("host-b", "host-c", "host-a", "host-c")) {
        talk.goesOn();
        Migration migration = moved(to);
        assertThat(migration.getNetwork().hasFirstFrameSeconds()).as("a frame reached it there").isTrue();
        assertThat(migration.getNetwork().getReachedBy()).as("the other hosts' switches reach it").isEqualTo(2);
      }
      talk.goesOn();
      Migration quick = cluster.awaitEnd(cluster.migrateQuickly("web", "host-a").getId());
      assertThat(quick.getState()).as(quick.toString()).isEqualTo(Migration.State.COMPLETED);
      talk.goesOn();

      Conversation conversation = talk.end();
      assertThat(conversation.changes()).isGreaterThan(100);
      assertThat(cluster.verify("web").getIdentical()).isTrue();
      assertThat(cluster.verify("web").getNetworkPages()).isPositive();
    }
  }

  @Test
  void movesInQuickSuccessionDoNotLetAnOldHostCallTheVmBack() throws Exception {
    createVm();
    try (NetworkClient client = new NetworkClient(cluster, VNI)) {
      NetworkClient.Talk talk = client.talkTo(GUEST, 2);
      // Each move begins while the host before it still announces.
      for (String to : List.of("host-b", "host-a", "host-b", "host-a", "host-c")) {
        moved(to);
      }
      Awaitility.await("host-c has announced it for the last time")
          .until(() -> client.station().announcements(client.hostSocket("host-c")) == 5);
      talk.goesOn();

      talk.end();
      assertThat(client.station().whereIs(MAC)).contains(client.hostSocket("host-c"));
    }
  }

  @Test
  void aMoveThatFailsLeavesTheVmReachableWhereItWas() throws Exception {
    createVm();
    try (NetworkClient client = new NetworkClient(cluster, VNI)) {
      NetworkClient.Talk talk = client.talkTo(GUEST, 3);
      Failpoint ready = cluster.hold("host-b", "destination.stop-and-copy.before-ready");
      String id = cluster.migrate("web", "host-b").getId();
      ready.awaitReached();
      cluster.agent("host-b").kill();
      assertThat(cluster.awaitEnd(id).getState()).isEqualTo(Migration.State.FAILED);
      talk.goesOn();

      talk.end();
      assertThat(client.station().whereIs(MAC)).contains(client.hostSocket("host-a"));
    }
  }

  @Test
  void aSourceThatDiesAfterTheCommitDoesNotTakeTheNetworkWithIt() throws Exception {
    createVm();
    try (NetworkClient client = new NetworkClient(cluster, VNI)) {
      NetworkClient.Talk talk = client.talkTo(GUEST, 4);
      Failpoint decided = cluster.hold("host-a", "source.storage-handoff.decided");
      cluster.migrate("web", "host-b");
      decided.awaitReached();
      cluster.agent("host-a").kill();
      cluster.awaitVm("web", Vm.State.RUNNING, "host-b");
      talk.goesOn();

      talk.end();
      assertThat(client.station().whereIs(MAC)).contains(client.hostSocket("host-b"));
    }
  }

  @Test
  void aVmIsReachedOnItsOwnNetworkOnly() throws Exception {
    createVm();
    try (NetworkClient stranger = new NetworkClient(cluster, VNI + 1)) {
      assertThat(stranger.station().resolve(GUEST, Duration.ofSeconds(3))).isEmpty();
    }
    try (NetworkClient client = new NetworkClient(cluster, VNI)) {
      assertThat(client.reaches(GUEST)).isTrue();
    }
  }

  @Test
  void theCommandsShowCardsAndWhatAClientSees() throws Exception {
    JsonObject vm = cluster.ferryJson("vm", "create", "web", "--host", "host-a", "--memory", "64MiB", "--nic",
        "02-00-00-00-00-0A@9,ip=192.168.7.4", "-o", "json");
    assertThat(vm.getAsJsonArray("nics").get(0).getAsString()).isEqualTo("02:00:00:00:00:0a@9");
    assertThat(vm.getAsJsonArray("addresses").get(0).getAsString()).isEqualTo("192.168.7.4");

    JsonObject ping = cluster.ferryJson("vm", "ping", "web", "--count", "200", "-o", "json");
    assertThat(ping.get("sent").getAsInt()).isEqualTo(200);
    assertThat(ping.get("received").getAsInt()).isPositive();
    assertThat(ping.getAsJsonArray("histogram")).isNotEmpty();

    CommandResult watched = cluster.ferry("migrate", "live", "web", "--to", "host-b", "--watch", "--probe", "-o",
        "json");
    String[] lines = watched.output().strip().split("\n");
    JsonObject last = JsonParser.parseString(lines[lines.length - 1]).getAsJsonObject();
    assertThat(last.get("state").getAsString()).isEqualTo("COMPLETED");
    assertThat(last.getAsJsonObject("probe").get("received").getAsInt()).isPositive();

    CommandResult twice = cluster.ferry("vm", "create", "other", "--host", "host-b", "--memory", "64MiB", "--nic",
        "02:00:00:00:00:0a@9");
    assertThat(twice.exitCode()).isEqualTo(4);
    assertThat(twice.errors()).contains("02:00:00:00:00:0a").hasLineCount(1);
    CommandResult group = cluster.ferry("vm", "create", "other", "--host", "host-b", "--nic", "01:00:00:00:00:0a");
    assertThat(group.exitCode()).isEqualTo(2);
    CommandResult mute = cluster.ferry("vm", "ping", "nobody");
    assertThat(mute.exitCode()).isEqualTo(3);
  }
}
