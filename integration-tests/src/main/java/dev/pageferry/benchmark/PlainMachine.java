package dev.pageferry.benchmark;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * A Linux guest that QEMU alone moves to and fro between two places. Each has a file of memory that is kept from move to move, so
 * that it stays warm; the process that receives it is new each time, and was there before the time is taken.
 */
final class PlainMachine implements AutoCloseable {
  private static final Duration MIGRATION_LIMIT = Duration.ofMinutes(5);
  private static final Duration EVENT_LIMIT = Duration.ofSeconds(30);
  private static final Duration FIGURES_LIMIT = Duration.ofSeconds(10);
  private static final Duration BOOT_LIMIT = Duration.ofMinutes(4);
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(100);
  private static final String UP = "the guest is up";

  private final Bench bench;
  private final LinuxGuest guest;
  private final LinuxGuest.Spec spec;
  private final List<Place> places;
  private final List<GuestMemoryFile> memories = new ArrayList<>();
  private final List<Path> consoles = new ArrayList<>();
  private QemuMachine running;
  private int at;

  /**
   * Where it can be.
   *
   * @param address at which it receives
   * @param within what the words that start QEMU become there
   */
  record Place(String address, UnaryOperator<List<String>> within) {
    static final List<Place> LOOPBACK = List.of(new Place("127.0.0.1", words -> words),
        new Place("127.0.0.1", words -> words));
  }

  /**
   * A move. totalSeconds: from the command until the guest runs at the destination and the source says completed;
   * blackoutSeconds: from QEMU's STOP to the other QEMU's RESUME, by their own clocks, which are one here; preparationSeconds: until
   * the destination's QEMU was there with all its memory.
   */
  record Moved(double totalSeconds, double blackoutSeconds, double preparationSeconds, long bytes) {
  }

  /** Boots one in the first place, and waits until it has filled its memory. */
  PlainMachine(Bench bench, LinuxGuest guest, LinuxGuest.Spec spec, List<Place> places) {
    this.bench = bench;
    this.guest = guest;
    this.spec = spec;
    this.places = List.copyOf(places);
    try {
      for (int i = 0; i < places.size(); i++) {
        memories.add(new GuestMemoryFile("linux-" + i, spec.memoryBytes(), bench.cleanUp()));
        Path console = Files.createTempFile(Path.of("/dev/shm"), "pageferry-bench-", ".console");
        consoles.add(console);
      }
      running = start(0, false);
      awaitUp();
    } catch (IOException e) {
      closeFiles();
      throw new BenchmarkException("QEMU: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BenchmarkException("interrupted", e);
    }
  }

  private QemuMachine start(int place, boolean incoming) throws IOException, InterruptedException {
    return new QemuMachine(bench.children(), places.get(place).within()
        .apply(guest.qemuWords(spec, memories.get(place), consoles.get(place), incoming)));
  }

  private void awaitUp() throws IOException, InterruptedException {
    long deadline = System.nanoTime() + BOOT_LIMIT.toNanos();
    while (!Files.readString(console()).contains(UP)) {
      if (System.nanoTime() - deadline > 0) {
        close();
        throw new BenchmarkException("QEMU: the guest was not up after " + BOOT_LIMIT.toSeconds() + " s");
      }
      Thread.sleep(BETWEEN_LOOKS);
    }
  }

  /** The files of what it writes to its console: one for each place. */
  List<Path> consoles() {
    return List.copyOf(consoles);
  }

  private Path console() {
    return consoles.get(at);
  }

  int at() {
    return at;
  }

  void pause() {
    execute("stop");
  }

  void resume() {
    execute("cont");
  }

  private void execute(String command) {
    try {
      running.qmp().execute(command, new JsonObject());
    } catch (IOException e) {
      throw new BenchmarkException("QEMU: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BenchmarkException("interrupted", e);
    }
  }

  /** Moves it to the other place. @param downtimeLimitMillis that QEMU is to aim at */
  Moved move(int downtimeLimitMillis) {
    return move(downtimeLimitMillis, () -> {
    });
  }

  /** As {@link #move(int)}. @param begins run when the destination is prepared, just before the command */
  Moved move(int downtimeLimitMillis, Runnable begins) {
    try {
      return moveTo(1 - at, downtimeLimitMillis, begins);
    } catch (IOException e) {
      throw new BenchmarkException("QEMU: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BenchmarkException("interrupted", e);
    }
  }

  private Moved moveTo(int place, int downtimeLimitMillis, Runnable begins) throws IOException, InterruptedException {
    long began = System.nanoTime();
    QemuMachine destination = start(place, true);
    boolean arrived = false;
    try {
      destination.configureMigration(0, downtimeLimitMillis);
      running.configureMigration(0, downtimeLimitMillis);
      JsonObject uri = new JsonObject();
      uri.addProperty("uri", "tcp:" + places.get(place).address() + ":" + Children.freePort());
      destination.qmp().execute("migrate-incoming", uri);
      running.qmp().forgetEvents();
      destination.qmp().forgetEvents();
      begins.run();
      long start = System.nanoTime();
      running.qmp().execute("migrate", uri);
      long stopMicros = running.qmp().awaitEvent("STOP", MIGRATION_LIMIT);
      long resumeMicros = destination.qmp().awaitEvent("RESUME", EVENT_LIMIT);
      running.qmp().awaitMigrationCompleted(EVENT_LIMIT);
      double seconds = (System.nanoTime() - start) / 1e9;
      QemuPeer.awaitFigures(running.qmp(), FIGURES_LIMIT);
      long bytes = running.qmp().execute("query-migrate", new JsonObject()).getAsJsonObject("ram").get("transferred")
          .getAsLong();
      QemuMachine source = running;
      running = destination;
      at = place;
      arrived = true;
      source.close();
      return new Moved(seconds, (resumeMicros - stopMicros) / 1e6, (start - began) / 1e9, bytes);
    } finally {
      if (!arrived) {
        destination.close();
      }
    }
  }

  @Override
  public void close() {
    try {
      running.close();
    } catch (IOException e) {
      throw new BenchmarkException("QEMU: " + e.getMessage(), e);
    } finally {
      closeFiles();
    }
  }

  private void closeFiles() {
    memories.forEach(GuestMemoryFile::close);
    for (Path each : consoles) {
      try {
        Files.deleteIfExists(each);
      } catch (IOException e) {
        System.err.println("clean-up: " + e.getMessage());
      }
    }
  }
}
