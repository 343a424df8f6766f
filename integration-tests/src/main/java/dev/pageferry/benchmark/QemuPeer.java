package dev.pageferry.benchmark;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/**
 * Migrations between two processes of QEMU over loopback, RAM full of random bytes. The files of
 * memory are kept from run to run, so that memory stays warm; the processes are new for every run.
 * Each side has a file of its own: pages cross by TCP only.
 */
final class QemuPeer implements AutoCloseable {
  private static final Duration MIGRATION_LIMIT = Duration.ofMinutes(3);
  private static final Duration FIGURES_LIMIT = Duration.ofSeconds(10);
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(5);
  /** Long enough for the firmware to find nothing to boot and to wait. */
  private static final Duration BOOT = Duration.ofSeconds(3);
  private static final long SEED = 7;

  private final Children children;
  private final long memoryBytes;
  private final boolean cpuRuns;
  private final GuestMemoryFile sourceMemory;
  private final GuestMemoryFile destinationMemory;

  /** How QEMU is asked to send: 0 channels is its plain single stream. */
  record Variant(String name, int channels, boolean isSecured) {
    static final Variant PLAIN = new Variant("plain", 0, false);
    static final Variant MULTIFD_2 = new Variant("multifd 2", 2, false);
    static final Variant MULTIFD_4 = new Variant("multifd 4", 4, false);
    static final Variant SECURED = new Variant("multifd 2 over TLS", 2, true);
    static final List<Variant> ALL = List.of(PLAIN, MULTIFD_2, MULTIFD_4);
  }

  /**
   * One migration. seconds: from the command until the source says completed, by our clock; the rest
   * is what QEMU reports.
   */
  record Run(Variant variant, double seconds, long totalMillis, long downtimeMillis, double bytesPerSecond,
      long transferredBytes) {
  }

  /**
   * Takes twice memoryBytes of shared memory until closed.
   *
   * @param cpuRuns
   *          whether the guest's CPU runs its firmware (idle, nothing to boot) or stands still
   */
  QemuPeer(Children children, CleanUp cleanUp, long memoryBytes, boolean cpuRuns) {
    this.children = children;
    this.memoryBytes = memoryBytes;
    this.cpuRuns = cpuRuns;
    sourceMemory = new GuestMemoryFile("source", memoryBytes, cleanUp);
    try {
      sourceMemory.fillRandom(SEED);
      destinationMemory = new GuestMemoryFile("destination", memoryBytes, cleanUp);
    } catch (IOException | RuntimeException e) {
      sourceMemory.close();
      throw new BenchmarkException("RAM for QEMU: " + e.getMessage(), e);
    }
  }

  static boolean installed() {
    return Children.installed(QemuMachine.PROGRAM);
  }

  Run migrate(Variant variant) {
    try {
      destinationMemory.wipeSamples();
      QemuMachine.Mode here = new QemuMachine.Mode(cpuRuns, false);
      QemuMachine.Mode there = new QemuMachine.Mode(cpuRuns, true);
      try (QemuMachine source = new QemuMachine(children, sourceMemory, memoryBytes, here);
          QemuMachine destination = new QemuMachine(children, destinationMemory, memoryBytes, there)) {
        source.configureMigration(variant.channels());
        destination.configureMigration(variant.channels());
        if (variant.isSecured()) {
          source.secure("client");
          destination.secure("server");
        }
        if (cpuRuns) {
          Thread.sleep(BOOT);
        }
        return migrate(variant, source.qmp(), destination.qmp());
      }
    } catch (IOException e) {
      throw new BenchmarkException("QEMU: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BenchmarkException("interrupted", e);
    }
  }

  @Override
  public void close() {
    try (sourceMemory) {
      destinationMemory.close();
    }
  }

  private Run migrate(Variant variant, Qmp source, Qmp destination) throws IOException, InterruptedException {
    JsonObject uri = new JsonObject();
    uri.addProperty("uri", "tcp:127.0.0.1:" + Children.freePort());
    destination.execute("migrate-incoming", uri);
    long start = System.nanoTime();
    source.execute("migrate", uri);
    source.awaitMigrationCompleted(MIGRATION_LIMIT);
    double seconds = (System.nanoTime() - start) / 1e9;
    destination.awaitMigrationCompleted(MIGRATION_LIMIT);
    awaitFigures(source, FIGURES_LIMIT);
    JsonObject report = source.execute("query-migrate", new JsonObject());
    JsonObject ram = report.getAsJsonObject("ram");
    Run run = new Run(variant, seconds, report.get("total-time").getAsLong(), report.get("downtime").getAsLong(),
        ram.get("mbps").getAsDouble() * 1e6 / 8, ram.get("transferred").getAsLong());
    if (run.transferredBytes() < memoryBytes / 100 * 99 || !sourceMemory.sameSamples(destinationMemory)) {
      throw new BenchmarkException("QEMU: the memory did not arrive, transferred=" + run.transferredBytes());
    }
    return run;
  }

  /**
   * QEMU says completed before it works out its figures; it has them once the machine is in the state
   * postmigrate.
   */
  static void awaitFigures(Qmp source, Duration limit) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + limit.toNanos();
    while (!"postmigrate".equals(source.execute("query-status", new JsonObject()).get("status").getAsString())) {
      if (System.nanoTime() - deadline > 0) {
        throw new BenchmarkException("QEMU: not in the state postmigrate after " + limit.toSeconds() + " s");
      }
      Thread.sleep(BETWEEN_LOOKS);
    }
  }
}
