package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.net.httpserver.HttpServer;
import dev.pageferry.support.CommandResult;
import dev.pageferry.support.Distribution;
import dev.pageferry.support.FreePorts;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The scripts of a checkout, run as a user runs them. */
class ScriptsTest {
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  /** What a cluster of two hosts needs: ten for each process, of which the last is the HTTP port. */
  private static final int PORTS = 24;
  private static final int GRPC_OF_HOST_B = 20;

  @TempDir
  Path directory;

  private static CommandResult run(String script, String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(ROOT.resolve(script).toString()));
    command.addAll(List.of(arguments));
    return CommandResult.of(command, Map.of());
  }

  private static ServerSocket listen(int port) throws IOException {
    return new ServerSocket(port, 1, InetAddress.getLoopbackAddress());
  }

  private List<String> leftBehind() throws IOException {
    try (Stream<Path> files = Files.walk(directory.resolve("cluster"))) {
      return files.filter(Files::isRegularFile).map(each -> each.getFileName().toString()).distinct().toList();
    }
  }

  private static CommandResult up(int base, Path cluster) throws IOException, InterruptedException {
    return run("scripts/dev-cluster", "up", "--hosts", "1", "--memory", "64MiB", "--port-base", String.valueOf(base),
        "--dir", cluster.toString());
  }

  /** Writes files, each with its own path as its content. */
  private static void fill(Path top, String... paths) throws IOException {
    for (String each : paths) {
      Path file = top.resolve(each);
      Files.createDirectories(Objects.requireNonNull(file.getParent()));
      Files.writeString(file, each);
    }
  }

  /** The files below a directory, with what is in them. */
  private static Map<String, String> contents(Path top) throws IOException {
    Map<String, String> contents = new TreeMap<>();
    try (Stream<Path> files = Files.walk(top)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        contents.put(top.relativize(file).toString(), Files.readString(file, StandardCharsets.ISO_8859_1));
      }
    }
    return contents;
  }

  @Test
  void aClusterThatCannotStartLeavesNothingBehindButItsLogs() throws Exception {
    int base = FreePorts.first(PORTS);
    String cluster = directory.resolve("cluster").toString();
    CommandResult up;
    try (ServerSocket taken = listen(base + GRPC_OF_HOST_B)) {
      assertThat(taken.isBound()).isTrue();
      up = run("scripts/dev-cluster", "up", "--hosts", "2", "--memory", "64MiB", "--port-base", String.valueOf(base),
          "--dir", cluster);
    }

    assertThat(up.exitCode()).isEqualTo(1);
    assertThat(up.errors()).contains("host-b ended while it started").contains("what had started was stopped");
    assertThat(leftBehind()).containsExactlyInAnyOrder(".dev-cluster", "log");
    assertThat(IntStream.range(base, base + PORTS)).as("nobody listens any more").allMatch(FreePorts::isFree);
    assertThat(run("scripts/dev-cluster", "status", "--dir", cluster).output()).contains("no cluster in");
  }

  @Test
  void aProgramThatAnswersOnThePortsOfAClusterIsNotTakenForIt() throws Exception {
    int base = FreePorts.first(PORTS);
    HttpServer other = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), base + 1), 1);
    other.createContext("/", exchange -> {
      exchange.sendResponseHeaders(200, -1);
      exchange.close();
    });
    other.start();
    CommandResult up;
    try {
      up = up(base, directory.resolve("cluster"));
    } finally {
      other.stop(0);
    }

    assertThat(up.exitCode()).isEqualTo(1);
    assertThat(up.output()).doesNotContain("The cluster runs");
    assertThat(up.errors()).contains("coordinator ended while it started");
  }

  @Test
  void aDirectoryThatIsNotAClustersIsLeftAlone() throws Exception {
    Path other = directory.resolve("other");
    fill(other, "settings", "run/socket", "storage/disk", "coordinator/data/rows", "web/args", "host-a/args");
    Map<String, String> before = contents(other);

    assertThat(up(FreePorts.first(PORTS), other)).satisfies(up -> {
      assertThat(up.exitCode()).isEqualTo(2);
      assertThat(up.errors()).contains("is not empty and not from an earlier cluster");
    });
    for (List<String> each : List.of(List.of("down"), List.of("kill", "host-a"), List.of("start", "host-a"))) {
      List<String> words = new ArrayList<>(each);
      words.addAll(List.of("--dir", other.toString()));
      CommandResult refused = run("scripts/dev-cluster", words.toArray(String[]::new));
      assertThat(refused.exitCode()).as(refused.errors()).isEqualTo(2);
      assertThat(refused.errors()).contains("no cluster in " + other);
    }
    assertThat(contents(other)).isEqualTo(before);
  }

  @Test
  void aStartThatFailsLeavesWhatAnEarlierClusterLeft() throws Exception {
    int base = FreePorts.first(PORTS);
    Path cluster = directory.resolve("cluster");
    // As after a reboot: nothing runs, and nothing was taken down. No process has these numbers.
    fill(cluster, ".dev-cluster", ".demo", "settings", "storage/disk", "run/lock", "coordinator/data/note",
        "coordinator/args", "coordinator/ports", "host-a/args", "host-a/ports", "host-a/pid", "host-a/started");
    Map<String, String> before = contents(cluster);
    CommandResult up;
    try (ServerSocket taken = listen(base)) {
      assertThat(taken.isBound()).isTrue();
      up = up(base, cluster);
    }

    assertThat(up.exitCode()).isEqualTo(1);
    assertThat(up.errors()).contains("the cluster did not start");
    assertThat(contents(cluster)).containsAllEntriesOf(before).doesNotContainKey("coordinator/pid");
  }

  @Test
  void aWrongOptionIsNamedWithoutTheExitCode() throws Exception {
    CommandResult up = run("scripts/dev-cluster", "up", "--hosts", "0", "--dir", directory.resolve("none").toString());

    assertThat(up.exitCode()).isEqualTo(2);
    assertThat(up.errors()).isEqualToIgnoringNewLines("dev-cluster: --hosts 0 is not 1 to 26");
    assertThat(directory.resolve("none")).doesNotExist();
  }

  @Test
  void whatALabCannotBeIsRefusedInOneLine() throws Exception {
    Path none = directory.resolve("none");
    Map<List<String>, String> wrong = Map.of(
        List.of("up", "--insecure"),
        "--insecure is not possible: servers without certificates listen on loopback alone",
        List.of("up", "--hosts", "27"), "--hosts 27 is not 1 to 26",
        List.of("up", "--bandwidth", "1g"),
        "--bandwidth 1g is not a rate from 64kbit to 100gbit, such as 100mbit",
        List.of("up", "--machine", "switch"), "--machine switch is a name of the lab's own",
        List.of("up", "--agent-option", "listen=:1"),
        "--agent-option listen=:1: the lab itself says what --listen is",
        List.of("limit", "host-a", "migration", "fast"),
        "'fast' is not a rate from 64kbit to 100gbit, such as 100mbit",
        List.of("mtu", "host-a", "migration", "9"), "'9' is not 68 to 65535",
        List.of("cut", "host-a", "eth0"), "'eth0' is neither management nor migration",
        List.of("kill", "host-a"), "no lab in " + none);
    for (Map.Entry<List<String>, String> each : wrong.entrySet()) {
      List<String> words = new ArrayList<>(each.getKey());
      words.addAll(List.of("--dir", none.toString()));
      CommandResult refused = run("scripts/lab", words.toArray(String[]::new));
      assertThat(refused.exitCode()).as(words.toString()).isEqualTo(2);
      assertThat(refused.errors()).isEqualToIgnoringNewLines("lab: " + each.getValue());
    }
    assertThat(none).doesNotExist();
  }

  @Test
  void theDemoLeavesAClusterThatWasStartedWhereAnEarlierDemoRan() throws Exception {
    int base = FreePorts.first(PORTS);
    Path cluster = directory.resolve("cluster");
    fill(cluster, ".demo");
    try {
      assertThat(up(base, cluster)).satisfies(up -> assertThat(up.exitCode()).as(up.errors()).isZero());

      CommandResult demo = run("scripts/demo", "--no-build", "--dir", cluster.toString());

      assertThat(demo.exitCode()).isEqualTo(2);
      assertThat(demo.errors()).contains("is not empty and not from an earlier demo");
      assertThat(run("scripts/dev-cluster", "status", "--dir", cluster.toString()).output().lines())
          .hasSize(2).allMatch(line -> line.contains(" ready "))
          .anyMatch(line -> line.contains("grpc 127.0.0.1:" + base));
    } finally {
      run("scripts/dev-cluster", "down", "--dir", cluster.toString());
    }
  }

  @Test
  void programsStartThroughSymbolicLinks() throws Exception {
    for (String each : List.of("ferry", "ferry-agent", "ferry-coordinator")) {
      Path link = Files.createSymbolicLink(directory.resolve(each), Distribution.PRESENT.program(each));
      Path relative = Files.createSymbolicLink(directory.resolve(each + "-25"), Path.of(each));
      Path ofCheckout = Files.createSymbolicLink(directory.resolve(each + "-dev"), ROOT.resolve("scripts/" + each));
      for (Path start : List.of(link, relative, ofCheckout)) {
        List<String> command = List.of(start.toString(), "--version");
        CommandResult version = CommandResult.of(command, Map.of("FERRY_START_CACHE", "off"));
        assertThat(version.exitCode()).as(version.errors()).isZero();
        assertThat(version.output()).startsWith(each + " ");
      }
    }
  }

  @Test
  void theDemoVerifiesTheVmAfterBothMovesAndStopsWhatItStarted() throws Exception {
    int base = FreePorts.first(PORTS);
    String cluster = directory.resolve("cluster").toString();

    // What it shows of Linux guests is what QemuTest does, and takes long.
    CommandResult demo = run("scripts/demo", "--no-build", "--no-qemu", "--failover", "--port-base",
        String.valueOf(base), "--dir",
        cluster);

    assertThat(demo.exitCode()).as("%s%n%s", demo.output(), demo.errors()).isZero();
    assertThat(demo.output()).contains("Moving it live to host-b").contains("Moving it back quickly")
        .contains("Killing host-a", "it runs again", "Verified after both moves")
        .contains("Not shown: a Linux guest in QEMU, because --no-qemu was given");
    assertThat(run("scripts/dev-cluster", "status", "--dir", cluster).output()).contains("no cluster in");
    assertThat(IntStream.range(base, base + PORTS)).as("nobody listens any more").allMatch(FreePorts::isFree);
  }

  @Test
  void theDemoTakesNoDirectoryThatHoldsSomethingElse() throws Exception {
    Path file = Files.writeString(Files.createDirectories(directory.resolve("home")).resolve("letter"), "dear");

    CommandResult demo = run("scripts/demo", "--no-build", "--dir", directory.resolve("home").toString());

    assertThat(demo.exitCode()).isEqualTo(2);
    assertThat(demo.errors()).contains("is not empty and not from an earlier demo");
    assertThat(file).hasContent("dear");
  }

  @Test
  void scriptsPassShellcheck() throws Exception {
    assumeTrue(isInstalled("shellcheck"), "shellcheck is not installed: scripts are not checked");
    // Files without a first line of their own are checked with those that read them.
    List<String> command = new ArrayList<>(
        List.of("shellcheck", "--external-sources", "--check-sourced", "--source-path=SCRIPTDIR:" + ROOT));
    for (String each : List.of("scripts", "scripts/launch", "scripts/containers", ".ci", "agent/src/main/deb",
        "agent/src/main/deb/control", "coordinator/server/src/main/deb/control")) {
      try (Stream<Path> files = Files.list(ROOT.resolve(each))) {
        for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
          if (Files.readString(file).startsWith("#!")) {
            command.add(file.toString());
          }
        }
      }
    }

    CommandResult checked = CommandResult.of(command, Map.of());

    assertThat(command).hasSizeGreaterThan(15);
    assertThat(checked.exitCode()).as(checked.output()).isZero();
  }

  private static boolean isInstalled(String program) {
    return Stream.of(System.getenv("PATH").split(":")).anyMatch(each -> Files.isExecutable(Path.of(each, program)));
  }
}
