package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonObject;
import dev.pageferry.agent.guest.qemu.MachineImage.Memory;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Gives a machine that waits for it a state, from the first part on that is there; its RAM is filled by somebody else. The devices,
 * which look into RAM while they are loaded, come last.
 */
final class Arrival implements AutoCloseable {
  private static final Duration TAKEN = Duration.ofSeconds(60);
  private static final Duration SOON = Duration.ofMillis(1);
  /** Bytes; so much as the kernel allows. */
  private static final int ALL_DEVICES = 1 << 20;

  private final Qmp monitor;
  private final MigrationNews news;
  private final SocketChannel channel;
  private final Scheduler scheduler;
  private final Memory memory;

  private Arrival(Qmp monitor, MigrationNews news, SocketChannel channel, Scheduler scheduler, Memory memory) {
    this.monitor = monitor;
    this.news = news;
    this.channel = channel;
    this.scheduler = scheduler;
    this.memory = memory;
  }

  /** Ahead of everything else. */
  static void prepare(Qmp monitor) throws IOException, InterruptedException {
    Capabilities.set(monitor, List.of(StreamFormat.IGNORE_SHARED, Capabilities.EVENTS));
    JsonObject parameters = new JsonObject();
    // Nothing is announced before it is known whose the machine is; then the switch does it.
    parameters.addProperty("announce-rounds", 0);
    JsonObject _ = monitor.execute("migrate-set-parameters", parameters);
  }

  /**
   * Has QEMU begin to take its state.
   *
   * @param news what it tells of that
   * @param socket where it is to listen for it
   * @param memory of the machine that comes
   */
  static Arrival begin(Qmp monitor, MigrationNews news, Path socket, Memory memory, Scheduler scheduler)
      throws IOException, InterruptedException {
    news.begin();
    Files.deleteIfExists(socket);
    try {
      JsonObject source = new JsonObject();
      source.addProperty("uri", "unix:" + socket);
      if (monitor.version().isAtLeast(QemuVersion.STAYS_AFTER_A_BAD_STATE)) {
        source.addProperty("exit-on-error", false);
      }
      JsonObject _ = monitor.execute("migrate-incoming", source);
      Arrival arrival = new Arrival(monitor, news, connected(socket), scheduler, memory);
      boolean hasBegun = false;
      try {
        arrival.write(StreamWriter.head(memory));
        hasBegun = true;
        return arrival;
      } finally {
        if (!hasBegun) {
          arrival.close();
        }
      }
    } finally {
      Files.deleteIfExists(socket);
    }
  }

  @SuppressWarnings("MustBeClosedChecker") // the arrival's
  private static SocketChannel connected(Path socket) throws IOException {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    boolean isReady = false;
    try {
      boolean _ = channel.connect(UnixDomainSocketAddress.of(socket));
      channel.setOption(StandardSocketOptions.SO_SNDBUF, ALL_DEVICES);
      // Written to without waiting, so that a QEMU that hangs holds nobody for ever.
      channel.configureBlocking(false);
      isReady = true;
      return channel;
    } finally {
      if (!isReady) {
        channel.close();
      }
    }
  }

  /**
   * Gives it a part of its state.
   *
   * @throws IllegalArgumentException if it is not a part of this machine's
   * @throws IOException with what QEMU says, if it does not take it
   */
  void take(MachineImage part) throws IOException, InterruptedException {
    require(part);
    write(StreamWriter.contents(part));
  }

  /** Gives it the rest, and waits until it has loaded all; as {@link #take}. */
  void finish(MachineImage rest) throws IOException, InterruptedException {
    require(rest);
    write(StreamWriter.end(rest));
    String status = news.awaitEnd(TAKEN);
    if (!status.equals("completed")) {
      throw refused(status, null);
    }
  }

  private void require(MachineImage part) {
    if (!part.memory().equals(memory)) {
      throw new IllegalArgumentException("a part of machine '%s' with %s, after one of '%s' with %s".formatted(
          part.memory().machine(), part.memory().blocks(), memory.machine(), memory.blocks()));
    }
  }

  private void write(byte[] bytes) throws IOException, InterruptedException {
    ByteBuffer left = ByteBuffer.wrap(bytes);
    long end = scheduler.nanos() + TAKEN.toNanos();
    while (left.hasRemaining()) {
      int written;
      try {
        written = channel.write(left);
      } catch (IOException e) {
        throw refused(news.awaitEnd(TAKEN), e);
      }
      if (written == 0) {
        if (news.isOver() || scheduler.nanos() > end) {
          throw refused(news.awaitEnd(SOON), null);
        }
        scheduler.sleep(SOON);
      }
    }
  }

  private IOException refused(String status, @Nullable IOException cause) throws InterruptedException {
    String reason;
    try {
      JsonObject said = monitor.execute("query-migrate");
      reason = said.has("error-desc") ? said.get("error-desc").getAsString() : "it is " + status;
    } catch (IOException e) {
      reason = e.getMessage();
    }
    return new IOException("QEMU does not take the state: " + reason, cause);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
