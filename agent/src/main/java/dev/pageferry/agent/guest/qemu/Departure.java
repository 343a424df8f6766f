package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonObject;
import dev.pageferry.agent.guest.PushedPages;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A machine that leaves: QEMU sends its stream to a socket of ours, round after round, until it is stopped. It asks for leave to
 * switch over, which it is never given: so it is us who decide, and a machine that was stopped needs none. Then it sends what is
 * left and its devices, and waits for a word that it never gets: it stays as it is, to go on here or to end. It has its disks and cards
 * from its agent, so that there is nothing else that it would have to give up.
 */
final class Departure {
  private static final Logger log = LoggerFactory.getLogger(Departure.class);
  private static final Duration LOOK = Duration.ofMillis(20);
  private static final Duration CONNECTED = Duration.ofSeconds(10);
  private static final Duration ALL_SENT = Duration.ofSeconds(60);
  private static final Duration ENDED = Duration.ofSeconds(10);
  private static final Duration SOON = Duration.ofMillis(1);
  /** So long is waited for what can go ahead of the state; it can go in the pause, too. */
  private static final Duration FIRST_PART = Duration.ofSeconds(2);

  /** Of a migration that does nothing any more. Source: QEMU's {@code qapi/migration.json}, MigrationStatus. */
  private static final Set<String> OVER = Set.of("cancelled", "failed", "completed", "none");

  private enum Kind {
    /** RAM and all: its pages are told, or the guest can be held back. */
    WITH_RAM("auto-converge"),
    /** All else, as far as it is there while the guest runs, and then the rest. */
    BESIDE_RAM(StreamFormat.IGNORE_SHARED),
    /** All else, of a machine that is stopped already. */
    AT_ONCE(StreamFormat.IGNORE_SHARED);

    private final List<String> capabilities;

    Kind(String own) {
      this.capabilities = List.of("return-path", "switchover-ack", own);
    }
  }

  private final Qmp monitor;
  private final Scheduler scheduler;
  /** Told of the pages of RAM; none: nobody asks for them. */
  private final @Nullable PushedPages pages;
  private final SocketChannel channel;
  private final StreamReader stream;
  private final Kind kind;
  /** What is too large for the rest, and was not told yet. */
  private @Nullable MachineImage large;
  private @Nullable MachineImage toldAhead;
  private boolean wasAsked;
  private final Signal changed;
  private volatile boolean isHeld;
  /** Of {@link #watch}: over all of RAM, as far as QEMU has told. */
  private long passesOver;
  private final GuestThrottle throttle;
  /** On the scheduler's clock. */
  private final long firstPartBy;
  private volatile boolean firstPartRead;
  private final Promise<MachineImage> image;
  private volatile boolean over;
  private @Nullable Task reader;
  private @Nullable Task watcher;

  private Departure(Qmp monitor, Scheduler scheduler, @Nullable PushedPages pages, SocketChannel channel,
      Kind kind) {
    this.kind = kind;
    this.isHeld = kind == Kind.BESIDE_RAM;
    this.changed = scheduler.newSignal();
    this.monitor = monitor;
    this.scheduler = scheduler;
    this.throttle = new GuestThrottle(scheduler);
    this.firstPartBy = scheduler.nanos() + FIRST_PART.toNanos();
    this.pages = pages;
    this.channel = channel;
    this.image = scheduler.newPromise();
    this.stream = new StreamReader(channel, QemuCommand.RAM_BLOCK, new StreamReader.Sink() {
      @Override
      public boolean pages(long first, long count) throws InterruptedException {
        return !over && (pages == null || pages.push(first, count));
      }

      @Override
      public void restPushed() {
        if (!over && pages != null) {
          pages.restPushed();
        }
      }

      @Override
      public void smallBlocksRead() throws InterruptedException {
        firstPartRead = true;
        changed.raise();
        changed.await(() -> !isHeld || over);
      }
    });
  }

  /**
   * Has the machine begin.
   *
   * @param socket where its stream comes
   * @param pages told what is to be sent; none: that is known from elsewhere
   */
  static Departure begin(Qmp monitor, Path socket, Scheduler scheduler, @Nullable PushedPages pages)
      throws IOException, InterruptedException {
    return begin(monitor, socket, scheduler, pages, Kind.WITH_RAM);
  }

  /**
   * As {@link #begin}, without RAM. Once the blocks beside it are read nothing more is, until {@link #readOn}: a QEMU with nothing to send
   * would go round and round, and hold its lock, while one that cannot send waits outside of it.
   */
  static Departure beginBesideRam(Qmp monitor, Path socket, Scheduler scheduler)
      throws IOException, InterruptedException {
    return begin(monitor, socket, scheduler, null, Kind.BESIDE_RAM);
  }

  /** As {@link #begin}, of a stopped machine without its RAM, all at once. */
  static Departure beginWithoutRam(Qmp monitor, Path socket, Scheduler scheduler)
      throws IOException, InterruptedException {
    return begin(monitor, socket, scheduler, null, Kind.AT_ONCE);
  }

  private static Departure begin(Qmp monitor, Path socket, Scheduler scheduler, @Nullable PushedPages pages,
      Kind kind) throws IOException, InterruptedException {
    prepare(monitor, kind.capabilities);
    Files.deleteIfExists(socket);
    try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(socket), 1);
      JsonObject target = new JsonObject();
      target.addProperty("uri", "unix:" + socket);
      JsonObject _ = monitor.execute("migrate", target);
      Departure departure = new Departure(monitor, scheduler, pages, accept(server, scheduler), kind);
      departure.start();
      return departure;
    } finally {
      Files.deleteIfExists(socket);
    }
  }

  /** QEMU connects a moment after it has answered, unless it dies. */
  private static SocketChannel accept(ServerSocketChannel server, Scheduler scheduler)
      throws IOException, InterruptedException {
    server.configureBlocking(false);
    long end = scheduler.nanos() + CONNECTED.toNanos();
    while (true) {
      SocketChannel accepted = server.accept();
      if (accepted != null) {
        accepted.configureBlocking(true);
        return accepted;
      }
      if (scheduler.nanos() > end) {
        throw new IOException("QEMU did not begin to send within %d s".formatted(CONNECTED.toSeconds()));
      }
      scheduler.sleep(SOON);
    }
  }

  private static void prepare(Qmp monitor, List<String> capabilities) throws IOException, InterruptedException {
    Capabilities.set(monitor, capabilities);
    JsonObject parameters = new JsonObject();
    // Bytes a second; our own cap is ahead of the network.
    parameters.addProperty("max-bandwidth", 1L << 40);
    GuestThrottle.prepare(parameters);
    JsonObject _ = monitor.execute("migrate-set-parameters", parameters);
  }

  private void start() {
    reader = scheduler.startBlocking("qemu-stream", this::read);
    if (kind == Kind.WITH_RAM) {
      watcher = scheduler.start("qemu-figures", this::watch);
    }
  }

  /** The machine is stopped, so that QEMU comes to an end, or is soon; for that it holds its lock until all is read. Any thread. */
  void readOn() {
    isHeld = false;
    changed.raise();
  }

  private void read() {
    try {
      image.complete(stream.read());
    } catch (IOException e) {
      failed(e);
    } catch (InterruptedException e) {
      failed(new IOException("it is not wanted any more", e));
    } catch (RuntimeException | Error e) {
      failed(new IOException("its stream cannot be read: " + e, e));
      throw e;
    }
  }

  private void failed(IOException cause) {
    image.fail(cause);
    if (!over && pages != null) {
      pages.failed(new IOException("QEMU's stream: " + cause.getMessage(), cause));
    }
  }

  /** Tells how far QEMU is, as far as it knows. */
  private void watch() {
    try {
      while (!over && !image.isSettled()) {
        look();
        scheduler.sleep(LOOK);
      }
    } catch (InterruptedException e) {
      scheduler.current().interrupt();
    }
  }

  /** Where it does not tell it is asked again. */
  private void look() throws InterruptedException {
    try {
      JsonObject said = query();
      JsonObject ram = said.getAsJsonObject("ram");
      if (ram == null || over) {
        return;
      }
      double rate = ram.get("pages-per-second").getAsDouble();
      long rest = ram.get("remaining").getAsLong() / PageSize.BYTES;
      long passes = ram.get("dirty-sync-count").getAsLong() - 1;
      boolean isPassOver = passes > passesOver;
      passesOver = Math.max(passesOver, passes);
      if (pages != null) {
        pages.figures(rest, rate > 0 ? rate : Double.POSITIVE_INFINITY);
        if (isPassOver) {
          pages.passOver();
        }
      }
      throttle.hear(said);
      changed.raise();
    } catch (IOException | RuntimeException e) {
      log.debug("QEMU does not tell how far it is: {}", e.toString());
    }
  }

  private JsonObject query() throws IOException, InterruptedException {
    return monitor.execute("query-migrate");
  }

  private static String status(Qmp monitor) throws IOException, InterruptedException {
    JsonObject said = monitor.execute("query-migrate");
    return said.has("status") ? said.get("status").getAsString() : "none";
  }

  /**
   * What the blocks beside RAM held when all of them had come, once; {@link #image} is what came since. After that again what it has too much of
   * to be told at once.
   */
  Optional<MachineImage> ahead() {
    MachineImage left = large;
    if (left != null) {
      large = null;
      return Optional.of(left);
    }
    Optional<MachineImage> first = stream.takeAhead();
    first.ifPresent(each -> toldAhead = each);
    return first;
  }

  /** All that the stopped machine is but its RAM, and but what was told {@link #ahead}. */
  MachineImage image() throws IOException, InterruptedException {
    Optional<MachineImage> all = image.await(ALL_SENT);
    if (all.isEmpty()) {
      throw new IOException("QEMU does not give its state: %s".formatted(
          image.failure().map(Throwable::getMessage).orElse("it did not end within " + ALL_SENT.toSeconds() + " s")));
    }
    MachineImage rest = all.get();
    // Asked again, of a machine that did not run in between: whoever takes it has begun anew, and has nothing of what was told before.
    MachineImage told = wasAsked ? toldAhead : null;
    wasAsked = true;
    MachineImage whole = told == null ? rest : rest.behind(told);
    if (kind == Kind.AT_ONCE || whole.parts().size() == 1) {
      return whole;
    }
    large = MachineImage.ahead(whole.memory(), whole.contents());
    return new MachineImage(whole.memory(), List.of(), whole.commands(), whole.devices(), whole.console());
  }

  /** Whether {@link #throttle} is of use. */
  boolean mayThrottle() {
    return kind == Kind.WITH_RAM;
  }

  /**
   * Waits until a pass over RAM may count: beside RAM, what can go ahead of the state is there; and the guest is held back as it is to be, if it
   * writes so much that QEMU does that. Neither is waited for without end.
   *
   * @return whether it may
   */
  boolean awaitPass(Duration atMost) throws InterruptedException {
    return changed.await(() -> over || image.isSettled() || throttle.isSettled() && isFirstPartThere(), atMost);
  }

  private boolean isFirstPartThere() {
    return kind != Kind.BESIDE_RAM || firstPartRead || !isHeld || scheduler.nanos() > firstPartBy;
  }

  /** @param percent of the time for which the guest is held back from now on, up to 99 */
  void throttle(int percent) throws IOException, InterruptedException {
    throttle.set(monitor, percent);
  }

  /** Ends what an agent that has ended began: its stream leads nowhere. */
  static void endLeftOver(Qmp monitor, Scheduler scheduler) throws IOException, InterruptedException {
    JsonObject _ = monitor.execute("migrate_cancel");
    awaitStatus(monitor, scheduler, OVER);
  }

  private static void awaitStatus(Qmp monitor, Scheduler scheduler, Set<String> wanted)
      throws IOException, InterruptedException {
    long end = scheduler.nanos() + ENDED.toNanos();
    while (true) {
      String now = status(monitor);
      if (wanted.contains(now)) {
        return;
      }
      if (scheduler.nanos() > end) {
        throw new IOException("QEMU's migration is '%s' after %d s, expected one of %s".formatted(now,
            ENDED.toSeconds(), wanted));
      }
      scheduler.sleep(SOON);
    }
  }

  /**
   * Ends it; the machine is as it was. Nothing is told of its pages any more once this returns. Idempotent; where it is interrupted it
   * is to be asked again.
   *
   * @param isAlive whether there is a QEMU that can be asked to end it
   */
  void close(boolean isAlive) throws IOException, InterruptedException {
    try {
      if (isAlive && !over) {
        throttle.pause(monitor);
      }
    } finally {
      try {
        endStream(isAlive);
      } finally {
        throttle.goOn(monitor);
      }
    }
  }

  private void endStream(boolean isAlive) throws IOException, InterruptedException {
    if (over) {
      return;
    }
    over = true;
    changed.raise();
    // First: a stopped machine answers nobody while it waits for us to read what is left of its memory.
    channel.close();
    try {
      if (isAlive) {
        JsonObject _ = monitor.execute("migrate_cancel");
      }
    } finally {
      if (reader != null) {
        reader.interrupt();
      }
      awaitEnd(reader);
      // Not interrupted: that would close the monitor's socket. It looks whether it is over after each answer.
      awaitEnd(watcher);
    }
    if (isAlive) {
      awaitStatus(monitor, scheduler, OVER);
    }
  }

  private static void awaitEnd(@Nullable Task task) throws InterruptedException {
    if (task != null && !task.join(ENDED)) {
      log.error("what listened to a machine that left does not end");
    }
  }
}
