package dev.pageferry.agent.guest.qemu;

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
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;

/** A QEMU that does all that it is told, and whose migration stream a test writes. */
final class PlayedQemu implements AutoCloseable {
  private final ServerSocketChannel server;
  private final Qmp monitor;
  private final CompletableFuture<SocketChannel> stream = new CompletableFuture<>();
  private volatile String status = "active";
  private volatile int passes = 1;
  private volatile boolean runs = true;
  private final List<String> told = new CopyOnWriteArrayList<>();

  PlayedQemu(Path socket) throws IOException, InterruptedException {
    server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    server.bind(UnixDomainSocketAddress.of(socket));
    Thread _ = Thread.ofVirtual().start(this::answer);
    monitor = Qmp.connect(socket, Scheduler.SYSTEM, _ -> {
    });
  }

  Qmp monitor() {
    return monitor;
  }

  /** It has gone over its memory that often, and begun once more. */
  void passesOver(int count) {
    passes = count + 1;
  }

  /** What it was told to do with its machine and its migration, and how the machine was when it was told to end that. */
  List<String> told() {
    return told;
  }

  void stops() {
    runs = false;
  }

  /** Sends that much of a machine that leaves. */
  void sends(TestStream part) throws Exception {
    ByteBuffer bytes = ByteBuffer.wrap(part.toBytes());
    while (bytes.hasRemaining()) {
      int _ = stream.get().write(bytes);
    }
  }

  private void answer() {
    try (SocketChannel channel = server.accept()) {
      BufferedReader lines = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
      says(channel, "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 10, \"minor\": 0, \"micro\": 2}}}}");
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        JsonObject command = JsonParser.parseString(line).getAsJsonObject();
        says(channel, "{\"return\": %s, \"id\": %s}".formatted(carryOut(command), command.get("id")));
      }
    } catch (IOException e) {
      boolean _ = stream.completeExceptionally(e);
    }
  }

  private String carryOut(JsonObject command) throws IOException {
    switch (command.get("execute").getAsString()) {
      case "migrate" -> {
        String uri = command.getAsJsonObject("arguments").get("uri").getAsString();
        boolean _ = stream.complete(SocketChannel.open(UnixDomainSocketAddress.of(uri.substring("unix:".length()))));
      }
      case "migrate_cancel" -> {
        told.add(runs ? "cancel while it runs" : "cancel while it is paused");
        status = "cancelled";
      }
      case "stop" -> {
        told.add("stop");
        runs = false;
      }
      case "cont" -> {
        told.add("cont");
        runs = true;
      }
      case "query-status" -> {
        return "{\"status\": \"%s\"}".formatted(runs ? "running" : "paused");
      }
      case "query-migrate" -> {
        return "{\"status\": \"%s\", \"ram\": {\"remaining\": 0, \"pages-per-second\": 0, \"dirty-sync-count\": %d}}"
            .formatted(status, passes);
      }
      default -> {
      }
    }
    return "{}";
  }

  private static void says(SocketChannel channel, String line) throws IOException {
    int _ = channel.write(ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8)));
  }

  @Override
  public void close() throws Exception {
    monitor.close();
    server.close();
    stream.get().close();
  }
}
