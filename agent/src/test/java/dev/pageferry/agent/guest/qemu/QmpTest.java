package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The monitor against a QEMU that is played, line by line. */
@Timeout(60)
class QmpTest {
  @TempDir
  Path directory;
  private ServerSocketChannel server;
  private Qmp monitor;
  private Played qemu;
  private final List<String> events = new CopyOnWriteArrayList<>();

  /** The other end. */
  private record Played(SocketChannel channel, BufferedReader lines) {
    JsonObject hears() throws IOException {
      return JsonParser.parseString(lines.readLine()).getAsJsonObject();
    }

    void says(String line) throws IOException {
      channel.write(ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8)));
    }
  }

  @BeforeEach
  void connect() throws Exception {
    Path socket = directory.resolve("qmp");
    server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    server.bind(UnixDomainSocketAddress.of(socket));
    CompletableFuture<Qmp> connecting = later(
        () -> Qmp.connect(socket, Scheduler.SYSTEM, event -> events.add(event.get("event").getAsString())));
    SocketChannel channel = server.accept();
    qemu = new Played(channel, new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8)));
    monitor = greet(connecting);
  }

  private Qmp greet(CompletableFuture<Qmp> connecting) throws Exception {
    qemu.says(
        "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 10, \"minor\": 0, \"micro\": 2}}, \"capabilities\": [\"oob\"]}}");
    JsonObject first = qemu.hears();
    assertThat(first.get("execute").getAsString()).isEqualTo("qmp_capabilities");
    qemu.says("{\"return\": {}, \"id\": %s}".formatted(first.get("id")));
    return connecting.get();
  }

  @AfterEach
  void close() throws IOException {
    monitor.close();
    qemu.channel().close();
    server.close();
  }

  private interface Work<T> {
    T run() throws Exception;
  }

  private static <T> CompletableFuture<T> later(Work<T> work) {
    CompletableFuture<T> result = new CompletableFuture<>();
    var _ = Executors.newVirtualThreadPerTaskExecutor().submit(() -> {
      try {
        result.complete(work.run());
      } catch (Exception e) {
        result.completeExceptionally(e);
      }
    });
    return result;
  }

  @Test
  void aMonitorThatIsThereAndDoesNotListenYetIsWaitedFor() throws Exception {
    Path socket = directory.resolve("late");
    try (SocketChannel bound = SocketChannel.open(StandardProtocolFamily.UNIX);
        ServerSocketChannel late = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      var _ = bound.bind(UnixDomainSocketAddress.of(socket));
      CompletableFuture<Qmp> connecting = later(() -> Qmp.connect(socket, Scheduler.SYSTEM, event -> {
      }));
      // It is refused meanwhile.
      assertThatThrownBy(() -> connecting.get(100, TimeUnit.MILLISECONDS)).isInstanceOf(TimeoutException.class);
      late.bind(UnixDomainSocketAddress.of(directory.resolve("listening")));
      Files.move(directory.resolve("listening"), socket, StandardCopyOption.ATOMIC_MOVE);
      qemu.channel().close();
      SocketChannel channel = late.accept();
      qemu = new Played(channel, new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8)));
      try (Qmp there = greet(connecting)) {
        assertThat(there.version()).hasToString("10.0.2");
      }
    }
  }

  @Test
  void theVersionIsThatOfTheGreeting() throws Exception {
    assertThat(monitor.version()).hasToString("10.0.2");
    assertThat(monitor.version().isAtLeast(QemuVersion.OLDEST)).isTrue();
    assertThat(new QemuVersion(8, 2, 1).isAtLeast(QemuVersion.OLDEST)).isFalse();
  }

  @Test
  void aCommandIsAnsweredThoughEventsComeInBetween() throws Exception {
    CompletableFuture<JsonObject> asked = later(() -> monitor.execute("query-status"));
    JsonObject request = qemu.hears();
    qemu.says("{\"event\": \"STOP\", \"timestamp\": {}}");
    qemu.says("{\"return\": {\"status\": \"paused\"}, \"id\": %s}".formatted(request.get("id")));

    assertThat(asked.get().get("status").getAsString()).isEqualTo("paused");
    assertThat(events).containsExactly("STOP");
  }

  @Test
  void aRefusalNamesTheCommandAndTheReason() throws Exception {
    CompletableFuture<JsonObject> asked = later(() -> monitor.execute("cont"));
    JsonObject request = qemu.hears();
    qemu.says("{\"id\": %s, \"error\": {\"class\": \"GenericError\", \"desc\": \"Resetting is required\"}}"
        .formatted(request.get("id")));

    assertThatThrownBy(asked::get).hasCauseInstanceOf(Qmp.RefusedException.class)
        .hasMessageContaining("QEMU refuses cont: Resetting is required");
  }

  @Test
  void anAnswerToAnotherCommandIsNotTakenForThisOne() throws Exception {
    CompletableFuture<JsonObject> asked = later(() -> monitor.execute("query-status"));
    JsonObject request = qemu.hears();
    qemu.says("{\"return\": {\"status\": \"running\"}, \"id\": 999}");
    qemu.says("{\"return\": {\"status\": \"paused\"}, \"id\": %s}".formatted(request.get("id")));

    assertThat(asked.get().get("status").getAsString()).isEqualTo("paused");
  }

  @Test
  void whoWaitsForAQemuThatEndsIsToldSo() throws Exception {
    CompletableFuture<JsonObject> asked = later(() -> monitor.execute("query-status"));
    JsonObject _ = qemu.hears();
    qemu.channel().close();

    assertThatThrownBy(asked::get).hasMessageContaining("QEMU has ended");
    assertThatThrownBy(() -> monitor.execute("query-status")).isInstanceOf(IOException.class);
  }

  @Test
  void aLineThatIsNotJsonEndsTheMonitorWithAnError() throws Exception {
    CompletableFuture<JsonObject> asked = later(() -> monitor.execute("query-status"));
    JsonObject _ = qemu.hears();
    qemu.says("this is not json");

    assertThatThrownBy(asked::get).hasMessageContaining("QEMU is not heard any more");
  }
}
