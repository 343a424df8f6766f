package dev.pageferry.benchmark;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Measures saved states and disks against their targets on this machine; see {@code scripts/bench --help}. */
@Command(name = "scripts/bench storage", sortOptions = false,
    description = "Measures VMs that are saved, restored, and moved with a disk, next to dd on the same file system, and"
        + " writes target/bench/storage-results.json and target/bench/storage-report.md.",
    footer = {"",
        "Exit code: 0 measured, whether or not targets are met; 1 something failed or memory differed;"
            + " 2 wrong usage."})
public final class StorageBenchmark implements Callable<Integer> {
  @Mixin
  private final BenchmarkRun run = new BenchmarkRun();

  public static void main(String[] args) {
    System.exit(new CommandLine(new StorageBenchmark()).execute(args));
  }

  @Override
  public Integer call() {
    if (run.isMisused()) {
      return CommandLine.ExitCode.USAGE;
    }
    // Room for both VMs and for the twin that verifies one.
    run.onCluster(3 * run.memoryBytes() + 1024 * Bench.MEBIBYTE, bench -> {
      run.measure(new HandoffScenario(bench));
      run.measure(new SaveRestoreScenario(bench));
    });
    return run.report("storage-");
  }
}
