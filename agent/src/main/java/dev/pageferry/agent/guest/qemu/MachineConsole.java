package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.guest.GuestConsole;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.concurrent.Task;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The serial console of a machine, read at all times: a guest that nobody listened to would stop at it. */
final class MachineConsole implements GuestConsole, AutoCloseable {
  /** What operators can look back at. */
  private static final int KEPT_BYTES = 1 << 20;
  /** What goes with the guest; a move is not to wait for more. */
  private static final int CARRIED_BYTES = 32 << 10;
  private static final int READ_BYTES = 16 << 10;
  private static final Duration LONGEST_DRAIN = Duration.ofSeconds(1);
  private static final Duration LONGEST_WRITE = Duration.ofSeconds(2);
  private static final Duration LOOK = Duration.ofMillis(10);
  private static final Logger log = LoggerFactory.getLogger(MachineConsole.class);

  private final String vm;
  private final MachineFiles files;
  private final Scheduler scheduler;
  private final Selector selector;
  private final Signal changed;
  private final ConsoleBuffer buffer = new ConsoleBuffer(KEPT_BYTES);
  private final Queue<SocketChannel> connected = new ConcurrentLinkedQueue<>();
  /** Replaced by the thread. */
  private volatile @Nullable SocketChannel socket;
  private volatile @Nullable Promise<Boolean> taken;
  private volatile boolean closed;
  private volatile boolean wasConnected;

  MachineConsole(String vm, MachineFiles files, Scheduler scheduler) throws IOException {
    this.vm = vm;
    this.files = files;
    this.scheduler = scheduler;
    this.changed = scheduler.newSignal();
    this.selector = Selector.open();
    Task _ = scheduler.startBlocking(vm + "-console", this::run);
  }

  /** Connects to a QEMU that was just started; the one before is gone. */
  void connect() throws IOException {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    boolean isConnected = false;
    try {
      channel.connect(UnixDomainSocketAddress.of(files.console()));
      channel.configureBlocking(false);
      isConnected = connected.add(channel);
      wasConnected = true;
    } finally {
      if (!isConnected) {
        channel.close();
      }
    }
    selector.wakeup();
  }

  private void run() {
    ByteBuffer read = ByteBuffer.allocate(READ_BYTES);
    try {
      while (!closed) {
        Promise<Boolean> asked = taken;
        for (SocketChannel next = connected.poll(); next != null; next = connected.poll()) {
          replace(next);
        }
        if (!take(read.clear())) {
          if (asked != null) {
            taken = null;
            asked.complete(true);
          }
          int _ = selector.select();
          selector.selectedKeys().clear();
        }
      }
    } catch (IOException | RuntimeException | Error e) {
      log.error("vm={} its console ends", vm, e);
    } finally {
      // Whoever pauses the machine does not wait for this thread any more.
      closed = true;
      closeAll();
    }
  }

  private void replace(@Nullable SocketChannel next) throws IOException {
    SocketChannel before = socket;
    socket = next;
    if (before != null) {
      before.close();
    }
    if (next != null) {
      SelectionKey _ = next.register(selector, SelectionKey.OP_READ);
    }
  }

  /** @return whether there was anything */
  private boolean take(ByteBuffer into) throws IOException {
    SocketChannel now = socket;
    if (now == null) {
      return false;
    }
    int count;
    try {
      count = now.read(into);
    } catch (IOException e) {
      log.debug("vm={} its console is not heard", vm, e);
      count = -1;
    }
    if (count < 0) {
      replace(null);
    } else if (count > 0) {
      buffer.add(into.array(), count);
      changed.raise();
    }
    return count > 0;
  }

  private void closeAll() {
    try {
      replace(null);
      for (SocketChannel next = connected.poll(); next != null; next = connected.poll()) {
        next.close();
      }
      selector.close();
    } catch (IOException e) {
      log.debug("vm={} its console was not closed well", vm, e);
    }
  }

  /** The machine is paused: waits until all that it wrote is here. */
  void awaitTaken() throws InterruptedException {
    if (closed) {
      return;
    }
    Promise<Boolean> asked = scheduler.newPromise();
    taken = asked;
    selector.wakeup();
    if (asked.await(LONGEST_DRAIN).isEmpty() && !closed) {
      log.warn("vm={} its console was not read to its end within {} s", vm, LONGEST_DRAIN.toSeconds());
    }
  }

  /** The newest of it, to go with the guest. */
  Output carried() {
    return buffer.from(buffer.end() - CARRIED_BYTES, CARRIED_BYTES);
  }

  /** The guest comes with what it wrote elsewhere. */
  void begin(Output carried) {
    buffer.begin(carried.offset(), carried.data());
    changed.raise();
  }

  /** Keeps it for the next agent of this machine. */
  void keep() {
    if (!wasConnected) {
      return;
    }
    Output all = buffer.from(0, KEPT_BYTES);
    try {
      Files.write(files.keptConsole(),
          ByteBuffer.allocate(Long.BYTES + all.data().length).putLong(all.offset()).put(all.data()).array());
    } catch (IOException e) {
      log.warn("vm={} its console is not kept for the next agent: {}", vm, e.toString());
    }
  }

  /** Goes on behind what the agent before has kept; one that was killed kept nothing. */
  void goOn() {
    try {
      ByteBuffer kept = ByteBuffer.wrap(Files.readAllBytes(files.keptConsole()));
      long offset = kept.getLong();
      byte[] data = new byte[kept.remaining()];
      kept.get(data);
      begin(new Output(offset, data));
      Files.delete(files.keptConsole());
    } catch (NoSuchFileException e) {
      log.debug("vm={} nothing of its console was kept", vm);
    } catch (IOException | BufferUnderflowException e) {
      log.warn("vm={} what the agent before kept of its console cannot be read: {}", vm, e.toString());
    }
  }

  @Override
  public long written() {
    return buffer.end();
  }

  @Override
  public Output read(long offset, Duration atMost) throws InterruptedException {
    // Beyond the end was an agent before this one, which took what it had along.
    long from = offset > buffer.end() ? 0 : offset;
    boolean _ = changed.await(() -> closed || buffer.end() > from, atMost);
    return buffer.from(from, MOST_BYTES);
  }

  @Override
  public void write(byte[] data) throws IOException, InterruptedException {
    ByteBuffer left = ByteBuffer.wrap(data);
    long end = scheduler.nanos() + LONGEST_WRITE.toNanos();
    while (true) {
      SocketChannel now = socket;
      if (now == null) {
        throw new IOException("the console of VM %s is not connected".formatted(vm));
      }
      int _ = now.write(left);
      if (!left.hasRemaining()) {
        return;
      }
      if (scheduler.nanos() > end) {
        throw new IOException("VM %s does not read its console: %d of %d bytes were not taken".formatted(vm,
            left.remaining(), data.length));
      }
      scheduler.sleep(LOOK);
    }
  }

  @Override
  public void close() {
    closed = true;
    selector.wakeup();
    changed.raise();
  }
}
