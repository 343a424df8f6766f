package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.support.CommandResult;
import dev.pageferry.support.Distribution;
import dev.pageferry.support.NotifyInbox;
import dev.pageferry.support.ServerProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a service manager hears of servers: an agent lives whether coordinator and storage answer or not. */
@Timeout(120)
class SupervisionTest {
  private static final Pattern LISTENING = Pattern.compile("listening: grpc");
  private static final String BEAT = "WATCHDOG=1";

  @TempDir
  Path directory;
  private final List<AutoCloseable> open = new ArrayList<>();

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable each : open.reversed()) {
      each.close();
    }
  }

  private ServerProcess server(NotifyInbox inbox, String program, List<String> options) {
    List<String> command = new ArrayList<>(
        List.of("NOTIFY_SOCKET=" + inbox.address(), "WATCHDOG_USEC=1000000",
            Distribution.PRESENT.program(program).toString(),
            "--http", "127.0.0.1:0", "--listen", "127.0.0.1:0"));
    command.addAll(options);
    ServerProcess server = new ServerProcess(Path.of("/usr/bin/env"), command, directory.resolve(program + ".log"));
    open.add(server);
    return server;
  }

  private ServerProcess agent(NotifyInbox inbox, String... more) {
    List<String> options = new ArrayList<>(List.of("--host-id", "host-a", "--coordinator", "127.0.0.1:1", "--memory",
        "64MiB", "--migration-listen", "127.0.0.1:0", "--rehearse", "false", "--run-dir",
        directory.resolve("run").toString()));
    options.addAll(List.of(more));
    return server(inbox, "ferry-agent", options);
  }

  private NotifyInbox inbox() throws Exception {
    NotifyInbox inbox = NotifyInbox.open(directory.resolve("notify"));
    open.add(inbox);
    return inbox;
  }

  private static void awaitBeats(NotifyInbox inbox, int more) {
    long before = inbox.count(BEAT);
    await().until(() -> inbox.count(BEAT) >= before + more);
  }

  @Test
  void anAgentWithoutACoordinatorIsReadyAndAliveUntilItIsAskedToEnd() throws Exception {
    NotifyInbox inbox = inbox();
    ServerProcess agent = agent(inbox);
    agent.start(LISTENING);
    awaitBeats(inbox, 5);

    assertThat(agent.end("TERM")).isZero();

    assertThat(inbox.heard()).startsWith("READY=1", BEAT);
    await().untilAsserted(() -> assertThat(inbox.heard().getLast()).isEqualTo("STOPPING=1"));
  }

  @Test
  void anAgentThatIsFrozenDoesNotBeat() throws Exception {
    NotifyInbox inbox = inbox();
    ServerProcess agent = agent(inbox);
    agent.start(LISTENING);
    awaitBeats(inbox, 2);
    agent.freeze();
    long frozen = inbox.count(BEAT);

    await().during(Duration.ofMillis(1500)).atMost(Duration.ofSeconds(10))
        .until(() -> inbox.count(BEAT) <= frozen + 1);
    agent.thaw();
    awaitBeats(inbox, 2);
  }

  @Test
  void storageThatHangsDoesNotStopTheBeats() throws Exception {
    Path image = directory.resolve("storage.img");
    Path storage = Files.createDirectory(directory.resolve("storage"));
    CommandResult mounted = CommandResult.of(List.of("sh", "-euc",
        "command -v fsfreeze; truncate -s 32M \"$0\"; mkfs.ext4 -q -F \"$0\"; mount -o loop \"$0\" \"$1\"",
        image.toString(), storage.toString()), Map.of());
    assumeTrue(mounted.exitCode() == 0, "no file system can be mounted to be frozen here: " + mounted.errors().strip());
    open.add(() -> require("umount", storage.toString()));
    NotifyInbox inbox = inbox();
    ServerProcess agent = agent(inbox, "--storage", storage.toString());
    agent.start(LISTENING);

    require("fsfreeze", "--freeze", storage.toString());
    try {
      // Of the lease on the storage, which is renewed all the time.
      await().until(() -> hasHangingThread(agent.pid()));
      awaitBeats(inbox, 12);
    } finally {
      require("fsfreeze", "--unfreeze", storage.toString());
    }
    assertThat(agent.end("TERM")).isZero();
  }

  /** Whether a thread waits for the kernel and cannot be interrupted. Source: proc_pid_stat(5). */
  private static boolean hasHangingThread(long pid) throws IOException {
    try (Stream<Path> threads = Files.list(Path.of("/proc", String.valueOf(pid), "task"))) {
      for (Path each : threads.toList()) {
        if (Files.readString(each.resolve("stat")).matches("(?s).*\\) D .*")) {
          return true;
        }
      }
      return false;
    }
  }

  @Test
  void aCoordinatorIsReadyAndSaysThatItEnds() throws Exception {
    NotifyInbox inbox = inbox();
    ServerProcess coordinator = server(inbox, "ferry-coordinator",
        List.of("--data", directory.resolve("data").toString()));
    coordinator.start(LISTENING);
    await().until(() -> inbox.count("READY=1") == 1);

    assertThat(coordinator.end("TERM")).isZero();

    await().until(() -> inbox.count("STOPPING=1") == 1);
  }

  private static void require(String... command) throws Exception {
    CommandResult result = CommandResult.of(List.of(command), Map.of());
    assertThat(result.exitCode()).as(result.toString()).isZero();
  }
}
