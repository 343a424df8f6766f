package dev.pageferry.agent.guest.qemu;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.pageferry.common.concurrent.Mutex;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * QEMU's machine protocol (QMP) over a unix socket: a command at a time, each answered by its return value or an error; events
 * in between. Source: QEMU's {@code docs/interop/qmp-spec.rst}. Any thread may call.
 */
final class Qmp implements AutoCloseable {
  /** A machine that does not answer for so long hangs; no command waits for a disk or a network longer. */
  private static final Duration ANSWER = Duration.ofSeconds(20);
  private static final Duration LISTENS = Duration.ofSeconds(2);
  private static final Duration BETWEEN_ATTEMPTS = Duration.ofMillis(5);
  private static final int LONGEST_LINE = 16 << 20;

  /** QEMU has refused a command. */
  static final class RefusedException extends IOException {
    private static final long serialVersionUID = 1L;

    RefusedException(String command, String description) {
      super("QEMU refuses %s: %s".formatted(command, description));
    }
  }

  private final SocketChannel channel;
  private final Scheduler scheduler;
  private final Mutex commands;
  private final Consumer<JsonObject> events;
  private final Task reader;
  private volatile @Nullable Awaited awaited;
  /** Inside {@link #commands} only. */
  private long lastId;
  private volatile @Nullable IOException ended;
  /** Its greeting, which comes first. */
  private volatile @Nullable QemuVersion version;

  /** A command that is under way; an answer to one that was given up has another id. */
  private record Awaited(long id, Promise<JsonObject> answer) {
  }

  private Qmp(SocketChannel channel, Scheduler scheduler, Consumer<JsonObject> events) {
    this.channel = channel;
    this.scheduler = scheduler;
    this.commands = scheduler.newMutex();
    this.events = events;
    this.reader = scheduler.start("qmp", this::read);
  }

  /**
   * Connects and leaves the mode in which QEMU negotiates.
   *
   * @param events told each event, in order, by the reading thread; must not call back
   */
  static Qmp connect(Path socket, Scheduler scheduler, Consumer<JsonObject> events)
      throws IOException, InterruptedException {
    SocketChannel channel = connected(socket, scheduler);
    try {
      Qmp qmp = new Qmp(channel, scheduler, events);
      JsonObject unused = qmp.execute("qmp_capabilities", new JsonObject());
      return qmp;
    } catch (IOException | InterruptedException | RuntimeException | Error e) {
      channel.close();
      throw e;
    }
  }

  /** A socket is there a moment before its owner listens, and refuses until then. Source: {@code bind(2)}, {@code listen(2)}. */
  private static SocketChannel connected(Path socket, Scheduler scheduler) throws IOException, InterruptedException {
    long end = scheduler.nanos() + LISTENS.toNanos();
    while (true) {
      SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
      boolean isConnected = false;
      try {
        isConnected = channel.connect(UnixDomainSocketAddress.of(socket));
        return channel;
      } catch (ConnectException e) {
        if (scheduler.nanos() > end) {
          throw e;
        }
      } finally {
        if (!isConnected) {
          channel.close();
        }
      }
      scheduler.sleep(BETWEEN_ATTEMPTS);
    }
  }

  QemuVersion version() throws IOException {
    QemuVersion told = version;
    if (told == null) {
      throw new IOException("QEMU did not tell its version");
    }
    return told;
  }

  JsonObject execute(String command) throws IOException, InterruptedException {
    return execute(command, new JsonObject());
  }

  /**
   * Has QEMU do something.
   *
   * @return what it returns; empty for commands that return nothing, or no object
   * @throws RefusedException if it does not do it
   * @throws IOException if it is gone, or does not answer
   */
  JsonObject execute(String command, JsonObject arguments) throws IOException, InterruptedException {
    return execute(command, arguments, ANSWER);
  }

  /** As {@link #execute(String, JsonObject)}; what is not answered in time may be done later. */
  JsonObject execute(String command, JsonObject arguments, Duration atMost) throws IOException, InterruptedException {
    return commands.<JsonObject, IOException>alone(() -> {
      Promise<JsonObject> answer = scheduler.newPromise();
      awaited = new Awaited(++lastId, answer);
      JsonObject request = new JsonObject();
      request.addProperty("execute", command);
      request.add("arguments", arguments);
      request.addProperty("id", lastId);
      sendWhole(request.toString() + "\n");
      // Looked at behind the promise: who ends the reading sees one of them.
      IOException end = ended;
      if (end != null) {
        throw end;
      }
      Optional<JsonObject> said = answer.await(atMost);
      if (said.isEmpty()) {
        IOException cause = ended;
        throw cause == null
            ? new IOException("QEMU did not answer %s within %d s".formatted(command, atMost.toSeconds()))
            : cause;
      }
      return result(command, said.get());
    });
  }

  private static JsonObject result(String command, JsonObject answer) throws RefusedException {
    if (answer.has("error")) {
      throw new RefusedException(command, answer.getAsJsonObject("error").get("desc").getAsString());
    }
    JsonElement value = answer.get("return");
    return value != null && value.isJsonObject() ? value.getAsJsonObject() : answer;
  }

  /** An interrupt would close the socket for good: it waits until the line is written. */
  private void sendWhole(String line) throws IOException {
    boolean interrupted = Thread.interrupted();
    try {
      send(line);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private void send(String line) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(line.getBytes(UTF_8));
    while (bytes.hasRemaining()) {
      int unused = channel.write(bytes);
    }
  }

  private void read() {
    IOException end;
    try (BufferedReader lines = new BufferedReader(Channels.newReader(channel, UTF_8))) {
      for (String line = readLine(lines); line != null; line = readLine(lines)) {
        take(JsonParser.parseString(line).getAsJsonObject());
      }
      end = new IOException("QEMU has ended");
    } catch (IOException | RuntimeException e) {
      end = new IOException("QEMU is not heard any more: " + e.getMessage(), e);
    }
    ended = end;
    Awaited waiting = awaited;
    if (waiting != null) {
      waiting.answer().fail(end);
    }
  }

  private static @Nullable String readLine(BufferedReader lines) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = lines.read(); c != '\n'; c = lines.read()) {
      if (c < 0) {
        return null;
      }
      if (line.length() == LONGEST_LINE) {
        throw new IOException("a line of more than %d characters".formatted(LONGEST_LINE));
      }
      line.append((char) c);
    }
    return line.toString();
  }

  private void take(JsonObject message) {
    if (message.has("event")) {
      events.accept(message);
    } else if (message.has("QMP")) {
      version = QemuVersion.of(message);
    } else if (message.has("return") || message.has("error")) {
      Awaited waiting = awaited;
      if (waiting != null && message.has("id") && message.get("id").getAsLong() == waiting.id()) {
        waiting.answer().complete(message);
      }
    }
  }

  /** Waits until it is not heard any more: QEMU has ended, or this is closed. @return whether it is so */
  boolean awaitEnd(Duration atMost) throws InterruptedException {
    return reader.join(atMost);
  }

  @Override
  public void close() throws IOException {
    channel.close();
    reader.interrupt();
  }
}
