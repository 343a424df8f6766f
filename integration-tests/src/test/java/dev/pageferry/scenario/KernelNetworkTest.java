package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.support.CommandResult;
import dev.pageferry.support.NamespaceLab;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** VMs between hosts in namespaces, with the kernel's own bridge, VXLAN device and ping on the other side. */
class KernelNetworkTest {
  private static final String MAC = "02:00:00:00:00:05";
  private static final Duration WHILE = Duration.ofSeconds(60);
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

  @Test
  void aHostThatWasFrozenSendsOneFrameAtMostOfAVmThatRunsElsewhereWhenItWakes() throws Exception {
    try (NamespaceLab lab = NamespaceLab.of("uplink=management@7")) {
      createVm(lab);
      done(lab.ferry("vm", "set", "web", "--ha", "on"));
      Path log = lab.directory().resolve("host-a").resolve("log");
      Awaitility.await("its host knows, and has said so").pollDelay(Duration.ofSeconds(3)).atMost(WHILE)
          .until(() -> Files.readString(log).contains("is bound to the membership lease"));
      lab.in("client", "ip", "addr", "add", "10.97.0.9/24", "dev", "management");
      // What comes while the host is frozen waits there for its VM.
      Process ping = lab.startIn("client", List.of("ping", "-q", "-i", "0.01", "-w", "90", "10.97.0.5"));
      try {
        Awaitility.await().atMost(WHILE).until(() -> lab.bridgeTable().contains(MAC + " dev host-a-mgt"));
        signal(lab, "STOP");
        Awaitility.await("it runs elsewhere").atMost(WHILE)
            .until(() -> lab.bridgeTable().contains(MAC + " dev host-b-mgt"));
        List<String> learned = whatTheBridgeLearns(lab, () -> {
          signal(lab, "CONT");
          Awaitility.await("the old copy is gone").atMost(WHILE)
              .until(() -> Files.readString(log).contains("destroyed: its epoch"));
        });
        assertThat(learned.stream().filter(each -> each.contains(MAC + " dev host-a-mgt"))).hasSizeLessThan(2);
        assertThat(lab.in("client", "ping", "-c", "1", "-W", "2", "10.97.0.5")).contains("1 received");
      } finally {
        signal(lab, "CONT");
        ping.destroy();
      }
    }
  }

  private static void signal(NamespaceLab lab, String name) throws Exception {
    done(CommandResult.of(List.of("kill", "-" + name,
        Files.readString(lab.directory().resolve("host-a").resolve("pid")).strip()), Map.of()));
  }

  private interface Meanwhile {
    void happens() throws Exception;
  }

  /** Each station that the bridge of management cards learns, or learns anew, from before something happens until after it. */
  private static List<String> whatTheBridgeLearns(NamespaceLab lab, Meanwhile meanwhile) throws Exception {
    Process monitor = lab.startIn(NamespaceLab.SWITCH, List.of("bridge", "monitor", "fdb"));
    List<String> lines = new CopyOnWriteArrayList<>();
    Thread reader = Thread.ofVirtual().start(() -> monitor.inputReader().lines().forEach(lines::add));
    try {
      markIn(lab, lines, "02:00:00:00:01:");
      meanwhile.happens();
      markIn(lab, lines, "02:00:00:00:02:");
    } finally {
      monitor.descendants().forEach(ProcessHandle::destroy);
      monitor.destroy();
      reader.join(Duration.ofSeconds(10));
    }
    return lines;
  }

  /** Until the monitor shows a station that nobody else has: by then it shows all that was before. */
  private static void markIn(NamespaceLab lab, List<String> lines, String prefix) {
    AtomicInteger number = new AtomicInteger(16);
    Awaitility.await().atMost(WHILE).until(() -> {
      String mark = prefix + Integer.toHexString(number.getAndIncrement());
      lab.in(NamespaceLab.SWITCH, "bridge", "fdb", "add", mark, "dev", "host-b-mgt", "master", "static");
      return lines.stream().anyMatch(each -> each.contains(prefix));
    });
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
