package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.proto.cluster.v1.ListHostsRequest;
import dev.pageferry.proto.cluster.v1.StartVmRequest;
import dev.pageferry.proto.cluster.v1.StopVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.TestCluster;
import java.util.Map;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The coordinator's records are restored from a backup that is older than what runs. */
class RestoredBackupTest {
  private TestCluster cluster;

  @BeforeEach
  void start() throws Exception {
    cluster = TestCluster.start("restored", "512MiB", "host-a", "host-b");
    cluster.createWriter("vm", "host-a", 64, 2, Map.of("rate", "50MB/s", "workingSet", "8MiB"));
  }

  @AfterEach
  void stop() throws Exception {
    cluster.close();
  }

  @Test
  void aVmThatRunsNowAndIsStoppedInTheBackupRunsOnUntilAnOperatorPutsItsRowRight() throws Exception {
    Vm stopped = cluster.api().stopVm(StopVmRequest.newBuilder().setName("vm").build());
    assertThat(stopped.getState()).isEqualTo(Vm.State.STOPPED);
    cluster.backUpRecords();
    Vm started = cluster.api().startVm(StartVmRequest.newBuilder().setName("vm").setHost("host-b").build());
    long epoch = started.getEpoch();
    // An incarnation that the backup does not know.
    cluster.agent("host-a").kill();
    cluster.restart("host-a");
    cluster.restoreRecords();

    cluster.coordinator().awaitLog(Pattern.compile("the records went back in time"));
    Awaitility.await().atMost(TestCluster.patience()).until(() -> cluster.api()
        .listHosts(ListHostsRequest.getDefaultInstance()).getRecords().getSilentHostsCount() == 0);
    assertThat(cluster.agent("host-a").isAlive()).as("no agent ends for what old records say").isTrue();
    assertThat(cluster.agent("host-b").isAlive()).isTrue();
    assertThat(cluster.ferry("vm", "stop", "vm").exitCode()).as("no row changes").isEqualTo(4);
    assertThat(cluster.ferry("host", "list").errors()).contains("went back in time");

    assertThat(cluster.ferry("records", "repair", "--dry-run").output()).contains("vm").contains("host-b");
    assertThat(cluster.ferry("records", "repair").exitCode()).isZero();
    Vm repaired = cluster.awaitVm("vm", Vm.State.RUNNING, "host-b");
    assertThat(repaired.getEpoch()).isEqualTo(epoch);
    cluster.coordinator().awaitLog(Pattern.compile("the records are put right"));
    assertThat(cluster.verify("vm").getIdentical()).as("it ran on all the while").isTrue();
    assertThat(cluster.migrateAndWait("vm", "host-a").hasFailure()).isFalse();
  }
}
