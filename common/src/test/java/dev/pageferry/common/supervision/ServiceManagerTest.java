package dev.pageferry.common.supervision;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ServiceManagerTest {
  private static final long SELF = 17;

  @TempDir
  Path directory;

  private static ServiceManager manager(String socket) {
    return ServiceManager.of(Map.of("NOTIFY_SOCKET", socket, "WATCHDOG_USEC", "2000000"), SELF);
  }

  @Test
  void theStatesOfAServerReachSocketsWithAPathAndAbstractOnes() throws Throwable {
    for (String socket : List.of(directory.resolve("notify").toString(),
        "@pageferry-%d".formatted(ProcessHandle.current().pid()))) {
      try (LocalInbox inbox = new LocalInbox(socket)) {
        ServiceManager manager = manager(socket);
        manager.ready();
        manager.alive();
        manager.stopping();

        assertThat(inbox.read()).as(socket).containsExactly("READY=1", "WATCHDOG=1", "STOPPING=1");
      }
    }
  }

  @Test
  void nobodyIsToldWhereNobodyAsksAndWhatCannotBeToldEndsNothing() throws Exception {
    ServiceManager.of(Map.of(), SELF).ready();
    ServiceManager.of(Map.of("NOTIFY_SOCKET", ""), SELF).ready();
    for (String wrong : List.of("vsock:2:1234", directory.resolve("missing").toString(), "/" + "x".repeat(200),
        Files.createFile(directory.resolve("file")).toString())) {
      manager(wrong).ready();
    }
  }

  @Test
  void theWatchdogIsThatOfThisProcessAlone() {
    Map<String, String> environment = Map.of("NOTIFY_SOCKET", "@x", "WATCHDOG_USEC", "2000000", "WATCHDOG_PID", "17");

    assertThat(ServiceManager.of(environment, 17).patience()).contains(Duration.ofSeconds(2));
    assertThat(ServiceManager.of(environment, 18).patience()).isEmpty();
    assertThat(ServiceManager.of(Map.of("NOTIFY_SOCKET", "@x"), SELF).patience()).isEmpty();
    assertThat(ServiceManager.of(Map.of("WATCHDOG_USEC", "2000000"), SELF).patience()).isEmpty();
    for (String wrong : List.of("0", "-1", "soon", "9223372036854775807")) {
      assertThat(ServiceManager.of(Map.of("NOTIFY_SOCKET", "@x", "WATCHDOG_USEC", wrong), SELF).patience()).isEmpty();
    }
  }

  @Test
  void aLoopThatDoesNotTurnStopsTheBeatsUntilItTurnsAgain() throws Throwable {
    String socket = directory.resolve("notify").toString();
    Queue<Runnable> stuck = new ConcurrentLinkedQueue<>();
    try (LocalInbox inbox = new LocalInbox(socket)) {
      Watchdog watchdog = new Watchdog(manager(socket),
          List.of(new Watchdog.Loop("turning", Runnable::run), new Watchdog.Loop("stuck", stuck::add)));
      List<Integer> beats = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        watchdog.look();
        beats.add(inbox.read().size());
      }
      assertThat(beats).as("the first look asks, and nothing is known yet").containsExactly(1, 0, 0);

      stuck.remove().run();
      watchdog.look();
      assertThat(inbox.read()).containsExactly("WATCHDOG=1");
      watchdog.look();
      assertThat(inbox.read()).as("each beat needs a turn of its own").isEmpty();
    }
  }
}
