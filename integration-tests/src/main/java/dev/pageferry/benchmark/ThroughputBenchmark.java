package dev.pageferry.benchmark;

import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Measures Pageferry against its targets and its peers on this machine; see
 * {@code scripts/bench --help}.
 */
@Command(name = "scripts/bench throughput", sortOptions = false,
    description = "Measures moves of VMs between two agents on loopback next to iperf3 and QEMU, and writes"
        + " target/bench/results.json and target/bench/report.md.",
    footer = {"",
        "Exit code: 0 measured, whether or not targets are met; 1 something failed or memory differed;"
            + " 2 wrong usage."})
public final class ThroughputBenchmark implements Callable<Integer> {
  private static final long MIN_HOST_MEMORY_BYTES = 10 * 1024 * Bench.MEBIBYTE;
  private static final List<String> ALL = List.of("P1", "P2", "P3", "P4", "P5");

  /** On two clusters, one with certificates. */
  private static final String TLS = "P5";

  @Mixin
  private final BenchmarkRun run = new BenchmarkRun();

  @Option(names = "--only", order = 10, paramLabel = "P1,P2,…", hideParamSyntax = true, split = ",",
      description = "Only these of P1, P2, P3, P4, P5.")
  private List<String> only = List.copyOf(ALL);

  @Option(names = "--peers-only", order = 11,
      description = "Measures iperf3 and QEMU alone, and starts nothing of Pageferry.")
  private boolean peersOnly;

  public static void main(String[] args) {
    System.exit(new CommandLine(new ThroughputBenchmark()).execute(args));
  }

  @Override
  public Integer call() {
    Set<String> chosen = only.stream().map(each -> each.toUpperCase(Locale.ROOT)).collect(Collectors.toSet());
    if (!ALL.containsAll(chosen)) {
      System.err.println("--only takes some of P1,P2,P3,P4,P5");
      return CommandLine.ExitCode.USAGE;
    }
    if (run.isMisused()) {
      return CommandLine.ExitCode.USAGE;
    }
    GuestMemoryFile.deleteAbandoned();
    if (peersOnly) {
      run.measure(new PeersScenario(run.bench(null)));
      return run.report("peers-only-");
    }
    // Room for the VM and for the twin that verifies it.
    long hostMemoryBytes = Math.max(MIN_HOST_MEMORY_BYTES, 2 * run.memoryBytes() + 1024 * Bench.MEBIBYTE);
    // Hosts of its own for each: they keep memory of a VM that left, for the next one of its size.
    ALL.stream().filter(chosen::contains).filter(each -> !each.equals(TLS))
        .forEach(each -> run.onCluster(hostMemoryBytes, bench -> run.measure(scenario(each, bench))));
    if (chosen.contains(TLS)) {
      run.besideSecured(hostMemoryBytes, (bench, secured) -> run.measure(new TlsScenario(bench, secured)));
    }
    return run.report("");
  }

  private static Scenario scenario(String name, Bench bench) {
    return switch (name) {
      case "P1" -> new StreamScenario(bench);
      case "P2" -> new TotalTimeScenario(bench);
      case "P3" -> new ZeroMemoryScenario(bench);
      case "P4" -> new BlackoutScenario(bench);
      default -> throw new IllegalStateException(name);
    };
  }
}
