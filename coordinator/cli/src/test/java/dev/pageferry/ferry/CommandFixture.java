package dev.pageferry.ferry;

import java.io.IOException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** The command, and a cluster that the test plays. */
abstract class CommandFixture {
  FakeCluster cluster;
  FerryRun ferry;

  @BeforeEach
  void startCluster() throws IOException {
    cluster = new FakeCluster();
    ferry = new FerryRun(cluster);
  }

  @AfterEach
  void stopCluster() {
    cluster.close();
  }
}
