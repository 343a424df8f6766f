package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.support.CommandResult;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
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

  private static boolean isFree(int port) {
    try (ServerSocket socket = listen(port)) {
      return socket.isBound();
    } catch (IOException e) {
      return false;
    }
  }

  /** The first of some neighbouring ports, below those that the kernel gives out by itself. */
  private static int freePorts() {
    return new Random().ints(1000, 10_000, 30_000)
        .filter(base -> IntStream.range(base, base + PORTS).allMatch(ScriptsTest::isFree)).findFirst().orElseThrow();
  }

  private List<String> leftBehind() throws IOException {
    try (Stream<Path> files = Files.walk(directory.resolve("cluster"))) {
      return files.filter(Files::isRegularFile).map(each -> each.getFileName().toString()).distinct().toList();
    }
  }

  @Test
  void aClusterThatCannotStartLeavesNothingBehindButItsLogs() throws Exception {
    int base = freePorts();
    String cluster = directory.resolve("cluster").toString();
    CommandResult up;
    try (ServerSocket taken = listen(base + GRPC_OF_HOST_B)) {
      assertThat(taken.isBound()).isTrue();
      up = run("scripts/dev-cluster", "up", "--hosts", "2", "--memory", "64MiB", "--port-base", String.valueOf(base),
          "--dir", cluster);
    }

    assertThat(up.exitCode()).isEqualTo(1);
    assertThat(up.errors()).contains("host-b ended while it started").contains("what had started was stopped");
    assertThat(leftBehind()).containsExactly("log");
    assertThat(IntStream.range(base, base + PORTS)).as("nobody listens any more").allMatch(ScriptsTest::isFree);
    assertThat(run("scripts/dev-cluster", "status", "--dir", cluster).output()).contains("no cluster in");
  }

  @Test
  void theDemoVerifiesTheVmAfterBothMovesAndStopsWhatItStarted() throws Exception {
    int base = freePorts();
    String cluster = directory.resolve("cluster").toString();

    CommandResult demo = run("scripts/demo", "--no-build", "--port-base", String.valueOf(base), "--dir", cluster);

    assertThat(demo.exitCode()).as("%s%n%s", demo.output(), demo.errors()).isZero();
    assertThat(demo.output()).contains("Moving it live to host-b").contains("Moving it back quickly")
        .contains("Verified after both moves");
    assertThat(run("scripts/dev-cluster", "status", "--dir", cluster).output()).contains("no cluster in");
    assertThat(IntStream.range(base, base + PORTS)).as("nobody listens any more").allMatch(ScriptsTest::isFree);
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
    for (String each : List.of("scripts", "scripts/launch", ".ci")) {
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
