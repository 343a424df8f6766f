package dev.pageferry.benchmark;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Measures the command's own time on this machine; see {@code scripts/bench --help}. */
@Command(name = "scripts/bench cli", sortOptions = false,
    description = "Measures what the ferry command itself costs, and writes target/bench/cli-results.json and"
        + " target/bench/cli-report.md.",
    footer = {"",
        "Exit code: 0 measured, whether or not targets are met; 1 something failed; 2 wrong usage."})
public final class CommandBenchmark implements Callable<Integer> {
  @Mixin
  private final BenchmarkRun run = new BenchmarkRun();

  @Option(names = "--beside", order = 10, paramLabel = "DIR",
      description = "A checkout of the build before, built: its scripts/ferry is measured in turns.")
  private @Nullable Path before;

  public static void main(String[] args) {
    System.exit(new CommandLine(new CommandBenchmark()).execute(args));
  }

  @Override
  public Integer call() {
    if (run.isMisused()) {
      return CommandLine.ExitCode.USAGE;
    }
    if (before != null && !Files.isExecutable(before.resolve("scripts/ferry"))) {
      System.err.println("--beside " + before + ": scripts/ferry is missing or cannot be run");
      return CommandLine.ExitCode.USAGE;
    }
    run.onCluster(2 * run.memoryBytes() + 1024 * Bench.MEBIBYTE,
        bench -> run.measure(new CommandScenario(bench, Optional.ofNullable(before))));
    return run.report("cli-");
  }
}
