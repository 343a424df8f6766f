package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.support.CommandResult;
import dev.pageferry.support.DebianPackages;
import dev.pageferry.support.DebianRoot;
import dev.pageferry.support.FreePorts;
import dev.pageferry.support.ServerProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Debian packages in a small Debian system of their own: installed, upgraded, removed and purged, with guests and without. */
@Timeout(300)
class PackagesTest {
  private static final Pattern READY = Pattern.compile("listening: grpc|registered with the coordinator");
  private static final String NEXT = "9.9";
  /** Whose beans SnakeYAML would use if it were asked for objects. */
  private static final String NOT_USED = "java.desktop";

  @TempDir
  Path directory;
  private DebianRoot debian;
  private final List<ServerProcess> servers = new ArrayList<>();
  private final int base = FreePorts.first(30);

  @BeforeEach
  void install() throws Exception {
    Optional<String> obstacle = DebianPackages.obstacle();
    assumeTrue(obstacle.isEmpty(), obstacle.orElse(""));
    debian = new DebianRoot();
    debian.install(DebianPackages.files());
  }

  @AfterEach
  void close() throws Exception {
    for (ServerProcess each : servers.reversed()) {
      each.close();
    }
    if (debian != null) {
      debian.close();
    }
  }

  private void start(String user, String... command) throws IOException {
    List<String> whole = new ArrayList<>(List.of("setpriv", "--reuid", user, "--regid", user, "--clear-groups"));
    whole.addAll(List.of(command));
    ServerProcess server = debian.server(whole, directory.resolve("%d.log".formatted(servers.size())));
    servers.add(server);
    server.start(READY);
  }

  private void startCoordinator() throws IOException {
    start("pageferry-coordinator", "/usr/bin/ferry-coordinator", "--config", "/etc/pageferry/coordinator.yaml",
        "--listen", "127.0.0.1:" + base, "--http", "127.0.0.1:0");
  }

  private void startAgent(String host) throws IOException {
    start("pageferry-agent", "/usr/bin/ferry-agent", "--config", "/etc/pageferry/agent.yaml", "--run-dir",
        "/run/pageferry", "--host-id", host, "--coordinator", "127.0.0.1:" + base, "--listen", "127.0.0.1:0",
        "--migration-listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--memory", "256MiB", "--rehearse", "false");
  }

  private String ferry(String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of("ferry", "--coordinator", "127.0.0.1:" + base));
    command.addAll(List.of(arguments));
    return debian.require(command.toArray(String[]::new));
  }

  private String guestsHere(String... options) throws Exception {
    List<String> command = new ArrayList<>(List.of("/usr/lib/pageferry/agent/bin/guests-here"));
    command.addAll(List.of(options));
    return debian.require(command.toArray(String[]::new)).strip();
  }

  @Test
  void theDemoRunsWithTheRuntimeOfThePackageWhereThereIsNoJdk() throws Exception {
    assertThat(debian.run("sh", "-c", "command -v java javac").output()).isEmpty();
    for (String each : List.of("ferry", "ferry-agent", "ferry-coordinator")) {
      assertThat(debian.require(each, "--version")).startsWith(each + " ");
    }

    String demo = debian.require("/usr/lib/pageferry/scripts/demo", "--no-qemu", "--port-base", String.valueOf(base));

    assertThat(demo).contains("Moving it live to host-b").contains("Moving it back quickly")
        .contains("Verified after both moves");
    assertThat(debian.processes()).isEmpty();
  }

  @Test
  void theRuntimeHasTheModulesThatTheProgramsUseAndEveryCommandHasItsPage() throws Exception {
    Set<String> modules = new TreeSet<>(
        List.of(debian.require("/usr/lib/pageferry/runtime/bin/java", "--list-modules").replaceAll("@[^\\s]*", "")
            .split("\\s+")));
    for (String each : List.of("agent", "coordinator", "ferry")) {
      String lib = debian.file("usr/lib/pageferry/" + each + "/lib").toString();
      CommandResult used = CommandResult.of(List.of("bash", "-c",
          "\"$0/bin/jdeps\" --multi-release 25 --ignore-missing-deps --print-module-deps --class-path \"$1/*\" \"$1\"/*.jar | tail -n 1",
          System.getProperty("java.home"), lib), Map.of());
      List<String> needed = new ArrayList<>(List.of(used.output().strip().split(",")));
      needed.remove(NOT_USED);
      assertThat(needed).as(used.errors()).contains("java.base", "java.naming");
      assertThat(modules).as(each).containsAll(needed);
    }
    assertThat(modules).doesNotContain(NOT_USED, "jdk.compiler");
    for (String page : List.of("man1/ferry.1.gz", "man1/ferry-vm-create.1.gz", "man8/ferry-agent.8.gz",
        "man8/ferry-coordinator.8.gz")) {
      assertThat(debian.require("zcat", "/usr/share/man/" + page)).startsWith(".TH ").contains(".SH OPTIONS")
          .doesNotContainPattern("(?m)^'");
    }
    assertThat(debian.require("zcat", "/usr/share/man/man8/ferry-agent.8.gz")).contains("\\-\\-migration\\-listen")
        .contains(".SH EXIT STATUS");
    assertThat(debian.require("cat", "/usr/share/bash-completion/completions/ferry")).contains("complete -F");
  }

  @Test
  void anUpgradeEndsNoGuestAndAMachineWithGuestsKeepsItsAgent() throws Exception {
    debian.require("install", "-d", "-m", "700", "-o", "pageferry-agent", "-g", "pageferry-agent", "/run/pageferry");
    startCoordinator();
    startAgent("host-a");
    startAgent("host-b");
    ferry("vm", "create", "demo", "--host", "host-a", "--memory", "64MiB", "--program", "hotset", "--program-arg",
        "rate=10MB/s");
    await().untilAsserted(() -> assertThat(guestsHere("--ending")).isEqualTo("1"));
    Map<Long, String> before = debian.processes();

    String upgraded = debian.install(DebianPackages.asVersion(NEXT, directory));

    assertThat(upgraded).contains("pageferry-agent: still runs as it was: a restart would end 1 guest(s)");
    assertThat(debian.require("dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", "pageferry-agent"))
        .isEqualTo(NEXT + " installed");
    assertThat(debian.processes()).isEqualTo(before);
    // Its files are gone by now; what it needs for a move it has.
    ferry("migrate", "live", "demo", "--to", "host-b");
    assertThat(ferry("vm", "verify", "demo")).contains("identical:  yes");

    assertRefused();
    servers.getLast().kill();
    assertThat(guestsHere()).as("the file of an agent that was killed").isEqualTo("0");
    assertRefusedWithAMachineOfAnAgentThatIsGone();

    assertRemovalLeavesNothingBut("/srv/pageferry/disks");
  }

  private void assertRefused() throws Exception {
    CommandResult removed = debian.run("dpkg", "--remove", "pageferry-agent");
    assertThat(removed.exitCode()).isNotZero();
    assertThat(removed.errors())
        .contains(
            "pageferry-agent: not removed: 1 guest(s) are on this host ('ferry vm list'); move or delete them first");
    assertThat(debian.require("dpkg-query", "-W", "-f", "${db:Status-Status}", "pageferry-agent"))
        .isEqualTo("installed");
  }

  /** As a QEMU and its keeper. */
  private void assertRefusedWithAMachineOfAnAgentThatIsGone() throws Exception {
    String machine = "/dev/shm/pageferry-host-c-1";
    debian.require("install", "-d", "-o", "pageferry-agent", machine);
    ServerProcess qemu = debian.server(List.of("sh", "-c", "echo runs; while read -r _; do :; done", machine),
        directory.resolve("qemu.log"));
    servers.add(qemu);
    qemu.start(Pattern.compile("runs"));
    Files.writeString(debian.file(machine.substring(1) + "/pids"), "%d %d\n".formatted(qemu.pid(), qemu.pid()));
    Files.writeString(debian.file(machine.substring(1) + "/ram"), "of a guest");
    Files.writeString(debian.file(machine.substring(1) + "/record"), "of a machine");
    assertThat(guestsHere("--ending")).isEqualTo("0");

    assertRefused();

    qemu.kill();
    assertThat(guestsHere("--directories")).isEqualTo(machine);
  }

  private void assertRemovalLeavesNothingBut(String disks) throws Exception {
    Files.createDirectories(debian.file(disks.substring(1)));
    Path key = Files.writeString(debian.file("etc/pageferry/tls/agent/host-a.key"), "a secret");
    assertThat(debian.processes()).isNotEmpty();

    debian.require("dpkg", "--remove", "pageferry-client", "pageferry-agent", "pageferry-coordinator",
        "pageferry-runtime");

    assertThat(debian.processes()).isEmpty();
    assertThat(debian.require("ls", "/dev/shm", "/run")).doesNotContain("pageferry");
    assertThat(key).as("settings stay until they are purged").exists();

    debian.require("dpkg", "--purge", "pageferry-client", "pageferry-agent", "pageferry-coordinator",
        "pageferry-runtime");

    assertThat(debian.require("find", "/", "-xdev", "-name", "*ferry*", "-not", "-path", "/tmp/*", "-not", "-path",
        "/root/*").lines()).containsExactly("/srv/pageferry");
    assertThat(debian.file(disks.substring(1))).exists();
  }
}
