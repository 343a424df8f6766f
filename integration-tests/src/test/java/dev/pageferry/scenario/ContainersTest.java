package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.support.ComposedContainers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The image, in containers as the compose file has them: networks, certificates, volumes, health. */
@Timeout(300)
class ContainersTest {
  @TempDir
  Path directory;
  private ComposedContainers containers;

  @BeforeEach
  void build() throws Exception {
    Optional<String> obstacle = ComposedContainers.obstacle();
    assumeTrue(obstacle.isEmpty(), obstacle.orElse(""));
    containers = new ComposedContainers(directory);
  }

  @AfterEach
  void remove() throws Exception {
    if (containers != null) {
      containers.close();
    }
  }

  private String ferry(String... arguments) throws Exception {
    return containers.run("ferry", "ferry", arguments);
  }

  @Test
  void aVmIsMovedLiveAndQuicklyBetweenContainersThatEndWhenAsked() throws Exception {
    containers.run("certificates", "certificates", "host-a", "host-b", "host-c");
    for (String each : containers.servers()) {
      containers.start(each);
    }
    containers.awaitHealthy("coordinator");
    assertThat(containers.isHealthy("host-a")).as("a host that nobody has taken in").isFalse();
    ferry("host", "admit", "host-a", "host-b", "host-c");
    for (String each : containers.servers()) {
      containers.awaitHealthy(each);
    }

    ferry("disk", "create", "disk", "--size", "64MiB");
    ferry("vm", "create", "demo", "--host", "host-a", "--memory", "128MiB", "--program", "diskmix", "--program-arg",
        "rate=20MB/s", "workingSet=16MiB", "--disk", "disk");
    assertThat(ferry("migrate", "live", "demo", "--to", "host-b")).contains("COMPLETED");
    assertThat(ferry("vm", "verify", "demo")).contains("identical:  yes");
    assertThat(ferry("migrate", "quick", "demo", "--to", "host-c")).contains("COMPLETED");
    assertThat(ferry("vm", "verify", "demo")).contains("identical:  yes");

    // Memory of guests is on the network for it alone.
    assertThat(containers.logs("host-a")).contains("migration 10.89.72.11:7420").contains("grpc 10.89.71.11:7410");
    for (String each : containers.servers().reversed()) {
      assertThat(containers.end(each)).as(each).isZero();
    }
    await().atMost(Duration.ofSeconds(20)).until(() -> containers.running().isEmpty());
  }
}
