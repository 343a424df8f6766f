package dev.pageferry.benchmark;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Measures saved states and disks against their targets on this machine; see {@code scripts/bench --help}. */
@Command(name = "scripts/bench storage", sortOptions = false,
    description = "Measures VMs that are saved, restored, and moved with a disk, next to dd on the same file system, and"
        + " writes target/bench/storage-results.json and target/bench/storage-report.md.",
    footer = {"",
        "Exit code: 0 measured, whether or not targets are met; 1 something failed or memory differed;"
            + " 2 wrong usage."})
public final class StorageBenchmark implements Callable<Integer> {
  private static final Path DIRECTORY = Path.of("target", "bench");

  @Option(names = "--quick", description = "One pair and few moves, to see that all works.")
  private boolean quick;

  @Option(names = "--pairs", paramLabel = "N",
      description = "Interleaved pairs for each comparison (default 5; 1 with --quick).")
  private @Nullable Integer pairs;

  @Option(names = "--memory", paramLabel = "SIZE", defaultValue = "4GiB", converter = ThroughputBenchmark.Size.class,
      description = "RAM of the VMs that are saved (default ${DEFAULT-VALUE}).")
  private long memoryBytes;

  @Option(names = {"-h", "--help"}, usageHelp = true, description = "Prints this and ends.")
  @SuppressWarnings("unused") // picocli reads it
  private boolean help;

  private final Progress progress = new Progress();
  private final CleanUp cleanUp = new CleanUp();
  private final Children children = new Children(cleanUp);
  private final List<Outcome> outcomes = new ArrayList<>();

  public static void main(String[] args) {
    System.exit(new CommandLine(new StorageBenchmark()).execute(args));
  }

  @Override
  public Integer call() {
    if ((pairs != null && pairs < 1) || memoryBytes < 16 * Bench.MEBIBYTE || memoryBytes % Bench.MEBIBYTE != 0) {
      System.err.println("--pairs takes at least 1; --memory whole MiB, at least 16MiB");
      return CommandLine.ExitCode.USAGE;
    }
    measureAll();
    new Report(DIRECTORY, "storage-", outcomes).write();
    return outcomes.stream().allMatch(outcome -> outcome.faults().isEmpty()) ? 0 : 1;
  }

  private void measureAll() {
    progress.say("starting a coordinator and two agents");
    // Room for both VMs and for the twin that verifies one.
    long hostMemoryBytes = 3 * memoryBytes + 1024 * Bench.MEBIBYTE;
    try (Cluster cluster = new Cluster(children, cleanUp, DIRECTORY.resolve("cluster"), hostMemoryBytes)) {
      int count = pairs != null ? pairs : quick ? 1 : 5;
      Bench bench = new Bench(progress, children, cleanUp, quick, count, memoryBytes, cluster);
      measure(new HandoffScenario(bench));
      measure(new SaveRestoreScenario(bench));
      progress.say("stopping the coordinator and the agents");
    } catch (BenchmarkException e) {
      Outcome failed = new Outcome("cluster", "Coordinator and agents");
      failed.fault(String.valueOf(e.getMessage()));
      outcomes.add(failed);
    }
  }

  /** One scenario that cannot go on does not keep the others from being measured. */
  private void measure(Scenario scenario) {
    outcomes.add(scenario.outcome());
    try {
      scenario.run();
    } catch (RuntimeException e) {
      String message = e instanceof BenchmarkException ? String.valueOf(e.getMessage()) : e.toString();
      progress.say("%s: failed: %s", scenario.outcome().id(), message);
      scenario.outcome().fault(message);
    }
  }
}
