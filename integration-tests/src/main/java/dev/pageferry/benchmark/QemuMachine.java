package dev.pageferry.benchmark;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * One process of QEMU: no devices but a minimal board, translated code (TCG), RAM in a file of
 * shared memory.
 */
final class QemuMachine implements AutoCloseable {
  static final String PROGRAM = "qemu-system-x86_64";
  private static final Duration START_LIMIT = Duration.ofMinutes(2);
  private static final long UNLIMITED_BYTES_PER_SECOND = 1_000_000_000_000L;
  /** QEMU's own default. */
  static final int DOWNTIME_LIMIT_MILLIS = 300;

  private final Children.Running running;
  private final Path directory;
  private final Qmp qmp;

  /** Whether the guest's CPU runs, and whether this is the side that waits for a migration. */
  record Mode(boolean cpuRuns, boolean incoming) {
  }

  /** Starts it and waits until all its RAM is populated, which QEMU does before it answers. */
  QemuMachine(Children children, GuestMemoryFile memory, long memoryBytes, Mode mode)
      throws IOException, InterruptedException {
    this(children, words(memory, memoryBytes, mode));
  }

  /** @param words that start it, but for its monitor */
  QemuMachine(Children children, List<String> words) throws IOException, InterruptedException {
    directory = Files.createTempDirectory("pageferry-bench-");
    Path socket = directory.resolve("qmp");
    List<String> all = new ArrayList<>(words);
    all.addAll(List.of("-qmp", "unix:" + socket + ",server=on,wait=off"));
    running = children.start(all);
    try {
      qmp = Qmp.connect(socket, START_LIMIT, running.process()::isAlive);
    } catch (IOException e) {
      String said = running.said();
      running.close();
      deleteDirectory();
      throw new BenchmarkException(PROGRAM + " does not start: " + said, e);
    }
  }

  Qmp qmp() {
    return qmp;
  }

  /**
   * Asks for the events of migration, no limit of bandwidth, and so many streams beside the main one.
   */
  void configureMigration(int multifdChannels) throws IOException, InterruptedException {
    configureMigration(multifdChannels, DOWNTIME_LIMIT_MILLIS);
  }

  /** As {@link #configureMigration(int)}, with the longest pause that QEMU is to aim at. */
  void configureMigration(int multifdChannels, int downtimeLimitMillis) throws IOException, InterruptedException {
    JsonArray capabilities = new JsonArray();
    capabilities.add(capability("events", true));
    capabilities.add(capability("multifd", multifdChannels > 0));
    JsonObject set = new JsonObject();
    set.add("capabilities", capabilities);
    qmp.execute("migrate-set-capabilities", set);
    JsonObject parameters = new JsonObject();
    parameters.addProperty("max-bandwidth", UNLIMITED_BYTES_PER_SECOND);
    parameters.addProperty("downtime-limit", downtimeLimitMillis);
    if (multifdChannels > 0) {
      parameters.addProperty("multifd-channels", multifdChannels);
    }
    qmp.execute("migrate-set-parameters", parameters);
  }

  /**
   * Has migrations go over TLS, by a key that both sides have (which spares an authority: what is measured is the encryption of pages).
   *
   * @param endpoint client or server
   */
  void secure(String endpoint) throws IOException, InterruptedException {
    // QEMU's docs/system/tls.rst: a line USER:KEY, the key in hexadecimal.
    Files.writeString(directory.resolve("keys.psk"), "bench:" + "5a".repeat(32) + "\n");
    JsonObject credentials = new JsonObject();
    credentials.addProperty("qom-type", "tls-creds-psk");
    credentials.addProperty("id", "tls0");
    credentials.addProperty("dir", directory.toString());
    credentials.addProperty("endpoint", endpoint);
    if (endpoint.equals("client")) {
      credentials.addProperty("username", "bench");
    }
    qmp.execute("object-add", credentials);
    JsonObject parameters = new JsonObject();
    parameters.addProperty("tls-creds", "tls0");
    qmp.execute("migrate-set-parameters", parameters);
  }

  @Override
  public void close() throws IOException {
    try (qmp) {
      running.close();
    } finally {
      deleteDirectory();
    }
  }

  private static List<String> words(GuestMemoryFile memory, long memoryBytes, Mode mode) {
    int threads = Runtime.getRuntime().availableProcessors();
    List<String> words = new ArrayList<>(List.of(PROGRAM, "-machine", "q35,accel=tcg,memory-backend=ram", "-m",
        memoryBytes + "B", "-object",
        "memory-backend-file,id=ram,size=" + memoryBytes + ",mem-path=" + memory.path() + ",share=on,prealloc=on"
            + ",prealloc-threads=" + threads,
        "-nodefaults", "-no-user-config", "-display", "none"));
    if (!mode.cpuRuns()) {
      words.add("-S");
    }
    if (mode.incoming()) {
      words.addAll(List.of("-incoming", "defer"));
    }
    return words;
  }

  private static JsonObject capability(String name, boolean state) {
    JsonObject capability = new JsonObject();
    capability.addProperty("capability", name);
    capability.addProperty("state", state);
    return capability;
  }

  private void deleteDirectory() throws IOException {
    Files.deleteIfExists(directory.resolve("qmp"));
    Files.deleteIfExists(directory.resolve("keys.psk"));
    Files.deleteIfExists(directory);
  }
}
