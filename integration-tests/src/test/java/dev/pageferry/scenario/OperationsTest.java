package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.support.CommandResult;
import dev.pageferry.support.DebianPackages;
import dev.pageferry.support.NamespaceLab;
import dev.pageferry.support.OperationsManual;
import dev.pageferry.support.OperationsManual.Block;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The operations manual, from top to bottom, on small Debian machines with systemd. */
@Timeout(900)
class OperationsTest {
  private static final String NEXT = "9.9";
  /** What timeout(1) ends with. */
  private static final int TIMED_OUT = 124;
  private static final Duration PATIENCE = Duration.ofSeconds(90);
  /** How a directory of the lab is mounted where the kernel has no NFS, or nobody serves it. */
  private static final String IN_PLACE_OF_NFS = """
      echo '/mnt/lab /srv/pageferry none bind 0 0' >>/etc/fstab
      """;

  @TempDir
  Path directory;
  private @Nullable NamespaceLab started;

  @AfterEach
  void end() throws Exception {
    if (started != null) {
      started.close();
    }
  }

  private NamespaceLab lab() {
    return Objects.requireNonNull(started);
  }

  @Test
  void blocksRunOnTheMachinesOfTheLabAndOnTheStorageAlone() throws Exception {
    Set<String> machines = new TreeSet<>();
    OperationsManual.blocks().forEach(each -> machines.addAll(each.machines()));
    assertThat(machines).containsExactly("coordinator", "desk", "host-a", "host-b", "host-c", "host-d", "storage");
  }

  @Test
  void everyCommandOfTheManualDoesWhatItSays() throws Exception {
    for (Optional<String> each : List.of(NamespaceLab.obstacle(), DebianPackages.obstacle(),
        DebianPackages.bootObstacle())) {
      assumeTrue(each.isEmpty(), "SKIPPED: " + each.orElse(""));
    }
    System.err.println("SKIPPED in part: NFS; a directory of the lab is mounted in its place");
    started = NamespaceLab.ofDebians();
    preparePackagesAndStorage();
    String section = "";
    for (Block each : OperationsManual.blocks()) {
      if (!each.section().equals(section)) {
        section = each.section();
        before(section);
      }
      runEverywhere(each);
    }
    assertNothingIsLeftOnHosts();
  }

  private void preparePackagesAndStorage() throws Exception {
    for (Path each : DebianPackages.files()) {
      put(each, "desk", "/root/" + each.getFileName());
    }
    lab().in("desk", "mkdir", "/root/next");
    for (Path each : DebianPackages.asVersion(NEXT, directory)) {
      put(each, "desk", "/root/next/" + each.getFileName());
      Files.delete(each);
    }
    lab().in("coordinator", "sh", "-c", "chown 740:740 /mnt/lab && chmod 700 /mnt/lab");
  }

  private void put(Path file, String machine, String path) throws Exception {
    Path handed = lab().directory().resolve("shared").resolve("handed");
    Files.copy(file, handed);
    lab().in(machine, "mv", "/mnt/lab/handed", path);
  }

  /** What happens outside of the page. */
  private void before(String section) throws Exception {
    if (section.equals("A host that died")) {
      lab().done("kill", "host-c");
    }
  }

  private void runEverywhere(Block block) throws Exception {
    Map<String, CompletableFuture<String>> outputs = new TreeMap<>();
    for (String each : block.machines()) {
      if (!each.equals("storage")) {
        outputs.put(each, CompletableFuture.supplyAsync(() -> {
          try {
            return run(block, each);
          } catch (Exception e) {
            throw new CompletionException(e);
          }
        }));
      }
    }
    for (Map.Entry<String, CompletableFuture<String>> each : outputs.entrySet()) {
      check(block, each.getKey(), each.getValue().get());
    }
  }

  private String run(Block block, String machine) throws Exception {
    String script = block.needsNfs() ? IN_PLACE_OF_NFS : block.script();
    if (block.until().isEmpty()) {
      return shell(block, machine, script);
    }
    String[] output = {""};
    await().atMost(PATIENCE).pollInterval(Duration.ofMillis(500)).until(() -> {
      output[0] = shell(block, machine, script);
      return isAsSaid(block.until(), output[0]);
    });
    return output[0];
  }

  private static boolean isAsSaid(String until, String hosts) {
    return switch (until) {
      case "all hosts are UP" ->
        hosts.lines().filter(each -> each.startsWith("host-") && each.contains(" UP ")).count() == 3;
      case "host-c is DOWN" -> hosts.lines().anyMatch(each -> each.startsWith("host-c ") && each.contains(" DOWN "));
      case "host-c is in MAINTENANCE" ->
        hosts.lines().anyMatch(each -> each.startsWith("host-c ") && each.contains(" MAINTENANCE "));
      case "first is RUNNING" -> hosts.lines().anyMatch(each -> each.matches("state: +RUNNING"));
      default -> throw new IllegalArgumentException(until);
    };
  }

  private String shell(Block block, String machine, String script) throws IOException, InterruptedException {
    CommandResult result = lab().run("exec", machine, "env", "-C", "/root", "DEBIAN_FRONTEND=noninteractive", "bash",
        "-euo", "pipefail", "-c", script);
    assertThat(result.exitCode())
        .as("'%s' on %s: %s%n%s%s%s", block.section(), machine, script, result.output(), result.errors(), log(machine))
        .isZero();
    return result.output() + result.errors();
  }

  private String log(String machine) throws IOException, InterruptedException {
    return lab().run("exec", machine, "journalctl", "--no-pager", "-n", "30").output();
  }

  private void check(Block block, String machine, String output) throws Exception {
    switch (block.section()) {
      case "Is it fit?" -> checkValidation(block, output);
      case "The first guest" -> assertThat(output).contains("identical:       yes").contains("first  RUNNING  host-c");
      case "Maintenance of a host" -> {
        if (block.until().equals("host-c is DOWN")) {
          startAgainWhatWasRestarted();
        }
        if (block.script().contains("vm list")) {
          assertThat(output).as("it came back").containsPattern("(?m)^first +RUNNING +host-c ");
        }
      }
      case "Upgrade" -> checkUpgrade(block, machine, output);
      case "A host that died" -> {
        if (block.script().contains("vm show")) {
          assertThat(output).containsPattern("(?m)^host: +host-[ab]$");
        }
      }
      case "Replacing a host" -> {
        if (block.script().contains("validate")) {
          assertThat(output).contains(": 0 failed").doesNotContain("migration is under way");
        }
      }
      case "Certificates that end" -> checkRenewal(output);
      default -> {
      }
    }
  }

  private void checkValidation(Block block, String output) throws Exception {
    if (block.until().isEmpty()) {
      assertThat(output).contains("PASS: 0 failed, 0 warnings");
      // Orders from anyone but the coordinator, and what comes over the other card than its own.
      assertBlocked("desk", "10.98.0.1/7410");
      assertBlocked("host-b", "10.98.0.1/7420");
    }
  }

  /** A machine of the lab that reboots only goes off; it is switched on from outside. */
  private void startAgainWhatWasRestarted() throws Exception {
    await().atMost(PATIENCE).until(() -> lab().done("status").lines()
        .anyMatch(each -> each.matches("host-c +off .*")));
    lab().done("start", "host-c");
  }

  private void checkUpgrade(Block block, String machine, String output) throws Exception {
    if (block.script().contains("apt-get") && machine.equals("host-c")) {
      assertThat(output).contains("still runs as it was: a restart would end 1 guest(s)");
    }
    if (block.script().contains("ferry version")) {
      assertThat(output).contains("identical:       yes");
      for (String each : List.of("host-a", "host-b", "host-c")) {
        assertThat(lab().in(each, "dpkg-query", "-W", "-f", "${Version}", "pageferry-agent")).isEqualTo(NEXT);
        assertThat(lab().in(each, "systemctl", "show", "-p", "ActiveState,NRestarts", "ferry-agent"))
            .contains("ActiveState=active", "NRestarts=0");
      }
      assertThat(lab().in("host-c", "sh", "-c",
          "tr '\\0' ' ' </proc/$(systemctl show -p MainPID --value ferry-agent)/cmdline"))
          .contains("agent-" + NEXT + ".jar");
    }
  }

  /** By what they say of themselves: the old certificates are valid for nearly as long. */
  private void checkRenewal(String output) throws Exception {
    assertThat(output).doesNotContain("DOWN");
    for (String each : List.of("host-a", "host-b", "host-d")) {
      String until = lab().in("desk", "openssl", "x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in",
          "/root/pki/host/%s.crt".formatted(each)).strip().replace("notAfter=", "").replace(' ', 'T');
      assertThat(new BigDecimal(lab().in("desk", "sh", "-c", """
          cd /root/pki && curl -sk --cert metrics/prometheus.crt --key metrics/prometheus.key https://%s:7430/metrics |
            sed -n 's/^ferry_certificate_not_after_seconds //p'
          """.formatted(each)).strip())).as(each).isEqualByComparingTo(
          BigDecimal.valueOf(Instant.parse(until).getEpochSecond()));
    }
  }

  /** Dropped, and not refused, as it would be where nobody listens. */
  private void assertBlocked(String from, String address) throws Exception {
    assertThat(lab().run("exec", from, "timeout", "2", "bash", "-c", "exec 3<>/dev/tcp/" + address).exitCode())
        .as("%s to %s", from, address).isEqualTo(TIMED_OUT);
  }

  private void assertNothingIsLeftOnHosts() throws Exception {
    for (String each : List.of("host-a", "host-b", "host-d")) {
      assertThat(lab().in(each, "sh", "-c", "pgrep -u pageferry-agent || true")).isEmpty();
      assertThat(lab().in(each, "find", "/", "-xdev", "-name", "*ferry*", "-not", "-path", "/root/*", "-not", "-path",
          "/proc/*", "-not", "-path", "/sys/*").lines()).as(each).containsExactly("/srv/pageferry");
    }
    assertThat(lab().in("desk", "sh", "-c", "ls /mnt/lab/leases /mnt/lab/disks")).contains("/mnt/lab/disks")
        .doesNotContain("disk-first.lease", "first.vhd");
    for (String each : List.of("coordinator", "desk", "host-a", "host-b", "host-d")) {
      assertThat(lab().in(each, "sh", "-c", "ls -d /run/*ferry* /dev/shm/*ferry* /tmp/*ferry* 2>/dev/null || true"))
          .as(each).isEmpty();
    }
  }
}
