package dev.pageferry.benchmark;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** S1 and S2: a full VM, and one that is nine tenths zero, to shared storage and back, next to dd on the same file system. */
final class SaveRestoreScenario implements Scenario {
  private static final Duration DD_LIMIT = Duration.ofMinutes(10);
  private static final Path DROP_CACHES = Path.of("/proc/sys/vm/drop_caches");
  private static final double MOSTLY_ZERO = 0.1;

  private final Bench bench;
  private final Outcome outcome = new Outcome("s1", "Save and restore");
  private final boolean dropsCaches = Files.isWritable(DROP_CACHES);

  SaveRestoreScenario(Bench bench) {
    this.bench = bench;
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    Path scratch = bench.requireCluster().storage().resolve("bench");
    Path contents = scratch.resolve("random");
    Path copy = scratch.resolve("dd");
    Path tenth = scratch.resolve("tenth").toAbsolutePath();
    try {
      Files.createDirectories(scratch);
      random(contents, bench.memoryBytes());
      random(tenth, (long) (bench.memoryBytes() * MOSTLY_ZERO) >> 12 << 12);
      compare(contents, copy, tenth);
    } catch (IOException e) {
      throw new BenchmarkException(scratch + ": " + e.getMessage(), e);
    }
  }

  private void compare(Path contents, Path copy, Path tenth) throws IOException {
    try (Cluster.Vm full = bench.requireCluster().create(new Cluster.Spec("bench-full", bench.memoryBytes(), "idle",
        List.of("fill=random")));
        Cluster.Vm sparse = bench.requireCluster().create(new Cluster.Spec("bench-sparse", bench.memoryBytes(), "idle",
            List.of(), List.of("--memory-image", tenth.toString())))) {
      for (int pair = 0; pair <= bench.pairs(); pair++) {
        read(contents);
        double ddWrite = dd("if=" + contents, "of=" + copy, "conv=fsync");
        double save = full.save();
        dropCaches();
        double ddRead = dd("if=" + copy, "of=/dev/null");
        double restore = full.restore();
        Files.delete(copy);
        double saveSparse = sparse.save();
        dropCaches();
        double restoreSparse = sparse.restore();
        bench.progress().say("S1: pair %d of %d%s: dd %.2f s, save %.2f s, nine tenths zero %.2f s; dd read %.2f s,"
            + " restore %.2f s, %.2f s", pair, bench.pairs(), pair == 0 ? " (not counted)" : "", ddWrite, save,
            saveSparse, ddRead, restore, restoreSparse);
        if (pair > 0) {
          outcome.add("save: dd write ÷ save", Metric.RATIO, ddWrite / save, Goal.medianAtLeast(0.8));
          outcome.add("save: nine tenths zero ÷ full", Metric.RATIO, saveSparse / save, Goal.medianAtMost(0.2));
          outcome.add("restore: dd read ÷ restore", Metric.RATIO, ddRead / restore, Goal.medianAtLeast(0.8));
          outcome.add("restore: nine tenths zero ÷ full", Metric.RATIO, restoreSparse / restore,
              Goal.medianAtMost(0.2));
          outcome.add("save: full", Metric.SECONDS, save);
          outcome.add("save: dd", Metric.SECONDS, ddWrite);
          outcome.add("restore: full", Metric.SECONDS, restore);
          outcome.add("restore: dd", Metric.SECONDS, ddRead);
        }
      }
      if (!full.verify() || !sparse.verify()) {
        outcome.fault("A VM differs from its twin after it was saved and restored.");
      }
    }
    outcome.note("VMs of " + bench.memoryBytes() / Bench.MEBIBYTE + " MiB. Save: from the pause until the file is whole"
        + " on stable storage; dd copies as many random bytes from a cached file, bs=1M conv=fsync. Restore: until every"
        + " page is in place and checked; dd reads its copy."
        + (dropsCaches
            ? " The page cache is dropped before both reads."
            : " The page cache could not be dropped (that takes"
                + " root), so both read from memory."));
  }

  private double dd(String... words) {
    List<String> all = new ArrayList<>(List.of("dd", "bs=1M", "status=none"));
    all.addAll(List.of(words));
    Children.Result result = bench.children().run(DD_LIMIT, all);
    if (result.exitCode() != 0) {
      throw new BenchmarkException("dd: " + result.complaint());
    }
    return result.wallSeconds();
  }

  /** So that dd writes from memory, as a VM is saved from memory. */
  private void read(Path file) {
    dd("if=" + file, "of=/dev/null");
  }

  private void dropCaches() throws IOException {
    if (dropsCaches) {
      bench.children().run(DD_LIMIT, List.of("sync"));
      Files.writeString(DROP_CACHES, "3");
    }
  }

  private static void random(Path file, long bytes) throws IOException {
    byte[] chunk = new byte[1 << 20];
    Random random = new Random(1);
    try (OutputStream out = Files.newOutputStream(file)) {
      for (long left = bytes; left > 0; left -= chunk.length) {
        random.nextBytes(chunk);
        out.write(chunk, 0, (int) Math.min(left, chunk.length));
      }
    }
  }
}
