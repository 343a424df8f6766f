package dev.pageferry.benchmark;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Measures the network of VMs that move against its targets on this machine; see {@code scripts/bench --help}. */
@Command(name = "scripts/bench network", sortOptions = false,
    description = "Moves VMs that are pinged and talked to, and writes target/bench/network-results.json and"
        + " target/bench/network-report.md. Frames per second of the switch alone: scripts/bench jmh SwitchBenchmark.",
    footer = {"",
        "Exit code: 0 measured, whether or not targets are met; 1 something failed or a conversation broke;"
            + " 2 wrong usage."})
public final class NetworkBenchmark implements Callable<Integer> {
  @Mixin
  private final BenchmarkRun run = new BenchmarkRun();

  public static void main(String[] args) {
    System.exit(new CommandLine(new NetworkBenchmark()).execute(args));
  }

  @Override
  public Integer call() {
    if (run.isMisused()) {
      return CommandLine.ExitCode.USAGE;
    }
    // Room for a VM and for the twin that verifies it.
    run.onCluster(3072 * Bench.MEBIBYTE, bench -> {
      run.measure(new OutageScenario(bench));
      run.measure(new ConversationScenario(bench));
    });
    run.measure(new BridgeScenario(run.bench(null)));
    return run.report("network-");
  }
}
