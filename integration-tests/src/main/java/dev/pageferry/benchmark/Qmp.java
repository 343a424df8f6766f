package dev.pageferry.benchmark;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The QEMU Machine Protocol, as far as a migration needs it: commands, replies and events, one JSON
 * object a line, over a Unix socket (docs/interop/qmp-spec of QEMU). For one thread; every wait is
 * bounded.
 */
final class Qmp implements AutoCloseable {
  private static final Duration REPLY_LIMIT = Duration.ofSeconds(30);
  private static final int CONNECT_PAUSE_MILLIS = 10;

  private final SocketChannel channel;
  private final BlockingQueue<JsonObject> received = new LinkedBlockingQueue<>();
  private final Deque<JsonObject> events = new ArrayDeque<>();

  private Qmp(SocketChannel channel) {
    this.channel = channel;
  }

  /** Connects as soon as the socket is there, and leaves the greeting behind. */
  static Qmp connect(Path socket, Duration limit, BooleanSupplier alive) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + limit.toNanos();
    while (true) {
      SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
      try {
        channel.connect(UnixDomainSocketAddress.of(socket));
        Qmp qmp = new Qmp(channel);
        Thread.ofVirtual().name("qmp").start(qmp::read);
        qmp.execute("qmp_capabilities", new JsonObject());
        return qmp;
      } catch (IOException e) {
        channel.close();
        if (!alive.getAsBoolean() || System.nanoTime() - deadline > 0) {
          throw e;
        }
        Thread.sleep(CONNECT_PAUSE_MILLIS);
      }
    }
  }

  /** What the command returned. */
  JsonObject execute(String command, JsonObject arguments) throws IOException, InterruptedException {
    JsonObject request = new JsonObject();
    request.addProperty("execute", command);
    request.add("arguments", arguments);
    ByteBuffer line = ByteBuffer.wrap((request + "\n").getBytes(StandardCharsets.UTF_8));
    while (line.hasRemaining()) {
      channel.write(line);
    }
    long deadline = System.nanoTime() + REPLY_LIMIT.toNanos();
    while (true) {
      JsonObject message = next(deadline, command);
      if (message.has("error")) {
        throw new BenchmarkException("QEMU: " + command + ": " + message.getAsJsonObject("error").get("desc"));
      }
      if (message.has("event")) {
        events.add(message);
      } else if (message.has("return")) {
        return message.get("return").isJsonObject() ? message.getAsJsonObject("return") : new JsonObject();
      }
    }
  }

  /** Waits for the event that says the migration is complete. */
  void awaitMigrationCompleted(Duration limit) throws InterruptedException {
    long deadline = System.nanoTime() + limit.toNanos();
    while (true) {
      JsonObject message = events.isEmpty() ? next(deadline, "migration") : events.remove();
      if (message.has("event") && "MIGRATION".equals(message.get("event").getAsString())) {
        String status = message.getAsJsonObject("data").get("status").getAsString();
        if ("completed".equals(status)) {
          return;
        }
        if ("failed".equals(status) || "cancelled".equals(status)) {
          throw new BenchmarkException("QEMU: migration " + status);
        }
      }
    }
  }

  /** Forgets what it has told so far. */
  void forgetEvents() {
    events.clear();
    // What is not read yet is no answer: nobody asks now.
    received.removeIf(each -> each.has("event"));
  }

  /**
   * Waits for an event, and passes over those before it.
   *
   * @return when QEMU says that it happened, in microseconds since 1970-01-01 UTC
   */
  long awaitEvent(String name, Duration limit) throws InterruptedException {
    long deadline = System.nanoTime() + limit.toNanos();
    while (true) {
      JsonObject message = events.isEmpty() ? next(deadline, name) : events.remove();
      if (message.has("event") && name.equals(message.get("event").getAsString())) {
        JsonObject time = message.getAsJsonObject("timestamp");
        return time.get("seconds").getAsLong() * 1_000_000 + time.get("microseconds").getAsLong();
      }
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  private JsonObject next(long deadlineNanos, String what) throws InterruptedException {
    @Nullable
    JsonObject message = received.poll(deadlineNanos - System.nanoTime(), TimeUnit.NANOSECONDS);
    if (message == null) {
      throw new BenchmarkException("QEMU: no answer in time to " + what);
    }
    if (message.has("closed")) {
      throw new BenchmarkException("QEMU ended during " + what);
    }
    return message;
  }

  private void read() {
    try (BufferedReader reader = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        received.add(JsonParser.parseString(line).getAsJsonObject());
      }
    } catch (IOException | RuntimeException e) {
      // The channel was closed by us or by the end of QEMU: the marker below tells whoever still waits.
    } finally {
      JsonObject closed = new JsonObject();
      closed.addProperty("closed", true);
      received.add(closed);
    }
  }
}
