package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.support.CommandResult;
import dev.pageferry.support.NamespaceLab;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** VMs between hosts in namespaces, with the kernel's own bridge, VXLAN device and ping on the other side. */
class KernelNetworkTest {
  private static final String MAC = "02:00:00:00:00:05";
  private static final Pattern LOSS = Pattern.compile("(\\d+) packets transmitted, (\\d+) received");

  @BeforeAll
  static void requireNamespaces() throws Exception {
    Optional<String> obstacle = NamespaceLab.obstacle();
    assumeTrue(obstacle.isEmpty(), "SKIPPED: " + obstacle.orElse(""));
  }

  private static void createVm(NamespaceLab lab) throws Exception {
    done(lab.ferry("vm", "create", "web", "--host", "host-a", "--memory", "64MiB", "--nic",
        MAC + "@7,ip=10.97.0.5", "--program", "hotset"));
  }

  private static void move(NamespaceLab lab, String to) throws Exception {
    done(lab.ferry("migrate", "live", "web", "--to", to));
  }

  private static void done(CommandResult result) {
    assertThat(result.exitCode()).as(result.errors()).isZero();
  }

  @Test
  void theBridgeLearnsTheNewPortBeforeTheVmItselfSendsAnything() throws Exception {
    try (NamespaceLab lab = NamespaceLab.of("uplink=management@7")) {
      createVm(lab);
      assertThat(lab.bridgeTable()).containsPattern(MAC + " dev host-a-mgt ");

      move(lab, "host-b");
      // Nobody asked the VM for anything, so that it had nothing to send.
      assertThat(lab.bridgeTable()).containsPattern(MAC + " dev host-b-mgt ").doesNotContainPattern(
          MAC + " dev host-a-mgt ");

      lab.in("client", "ip", "addr", "add", "10.97.0.9/24", "dev", "management");
      assertThatPingGoesOnThroughMoves(lab, "host-a", "host-b");
    }
  }

  @Test
  void aLinuxHostWithTheKernelsVxlanDeviceReachesTheVmBeforeDuringAndAfterMoves() throws Exception {
    try (NamespaceLab lab = NamespaceLab.of()) {
      createVm(lab);
      lab.joinByVxlan("client", 7, "10.97.0.9/24");

      assertThatPingGoesOnThroughMoves(lab, "host-b", "host-a");
      assertThat(lab.in("client", "bridge", "fdb", "show", "dev", "vx"))
          .contains(MAC + " dst " + NamespaceLab.address("host-a"));
    }
  }

  private static void assertThatPingGoesOnThroughMoves(NamespaceLab lab, String... hosts) throws Exception {
    Awaitility.await("the VM answers").ignoreExceptions()
        .until(() -> lab.in("client", "ping", "-c", "1", "-W", "1", "10.97.0.5").contains("1 received"));
    CompletableFuture<String> ping = CompletableFuture.supplyAsync(() -> {
      try {
        return lab.in("client", "ping", "-q", "-i", "0.01", "-w", "8", "10.97.0.5");
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    });
    for (String host : hosts) {
      move(lab, host);
    }
    Matcher outcome = LOSS.matcher(ping.get());
    assertThat(outcome.find()).isTrue();
    int sent = Integer.parseInt(outcome.group(1));
    int received = Integer.parseInt(outcome.group(2));
    // A frame or two may be lost; a VM that is cut off for a second would lose a hundred.
    assertThat(received).as("answers to %d requests", sent).isGreaterThan(sent * 9 / 10);
    assertThat(lab.in("client", "ping", "-c", "1", "-W", "2", "10.97.0.5")).contains("1 received");
  }
}
