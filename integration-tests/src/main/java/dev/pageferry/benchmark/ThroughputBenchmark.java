package dev.pageferry.benchmark;

import dev.pageferry.common.units.ByteSize;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

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
  private static final Path DIRECTORY = Path.of("target", "bench");
  private static final long MIN_HOST_MEMORY_BYTES = 10 * 1024 * Bench.MEBIBYTE;
  private static final List<String> ALL = List.of("P1", "P2", "P3", "P4");

  @Option(names = "--quick", description = "One pair and few moves, to see that all works.")
  private boolean quick;

  @Option(names = "--pairs", paramLabel = "N",
      description = "Interleaved pairs for each comparison (default 5; 1 with --quick).")
  private @Nullable Integer pairs;

  @Option(names = "--memory", paramLabel = "SIZE", defaultValue = "4GiB", converter = Size.class,
      description = "RAM of the VM of P1 and P2; P3 takes half as much again (default ${DEFAULT-VALUE}).")
  private long memoryBytes;

  @Option(names = "--only", paramLabel = "P1,P2,…", hideParamSyntax = true, split = ",",
      description = "Only these of P1, P2, P3, P4.")
  private List<String> only = List.copyOf(ALL);

  @Option(names = "--peers-only", description = "Measures iperf3 and QEMU alone, and starts nothing of Pageferry.")
  private boolean peersOnly;

  @Option(names = {"-h", "--help"}, usageHelp = true, description = "Prints this and ends.")
  @SuppressWarnings("unused") // picocli reads it
  private boolean help;

  private final Progress progress = new Progress();
  private final CleanUp cleanUp = new CleanUp();
  private final Children children = new Children(cleanUp);
  private final List<Outcome> outcomes = new ArrayList<>();

  public static void main(String[] args) {
    System.exit(new CommandLine(new ThroughputBenchmark()).execute(args));
  }

  /** Sizes as the other programs take them. */
  static final class Size implements ITypeConverter<Long> {
    @Override
    public Long convert(String text) {
      try {
        return ByteSize.parse(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  @Override
  public Integer call() {
    Set<String> chosen = only.stream().map(each -> each.toUpperCase(Locale.ROOT)).collect(Collectors.toSet());
    if (!ALL.containsAll(chosen) || (pairs != null && pairs < 1) || memoryBytes < 16 * Bench.MEBIBYTE
        || memoryBytes % Bench.MEBIBYTE != 0) {
      System.err.println("--only takes some of P1,P2,P3,P4; --pairs at least 1; --memory whole MiB, at least 16MiB");
      return CommandLine.ExitCode.USAGE;
    }
    GuestMemoryFile.deleteAbandoned();
    if (peersOnly) {
      measure(new PeersScenario(bench(null)));
    } else {
      measureAll(chosen);
    }
    new Report(DIRECTORY, peersOnly ? "peers-only-" : "", outcomes).write();
    return outcomes.stream().allMatch(outcome -> outcome.faults().isEmpty()) ? 0 : 1;
  }

  private void measureAll(Set<String> chosen) {
    progress.say("starting a coordinator and two agents");
    // Room for the VM and for the twin that verifies it.
    long hostMemoryBytes = Math.max(MIN_HOST_MEMORY_BYTES, 2 * memoryBytes + 1024 * Bench.MEBIBYTE);
    try (Cluster cluster = new Cluster(children, cleanUp, DIRECTORY.resolve("cluster"), hostMemoryBytes)) {
      Bench bench = bench(cluster);
      for (String each : ALL) {
        if (chosen.contains(each)) {
          measure(switch (each) {
            case "P1" -> new StreamScenario(bench);
            case "P2" -> new TotalTimeScenario(bench);
            case "P3" -> new ZeroMemoryScenario(bench);
            case "P4" -> new BlackoutScenario(bench);
            default -> throw new IllegalStateException(each);
          });
        }
      }
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

  private Bench bench(@Nullable Cluster cluster) {
    int count = pairs != null ? pairs : quick ? 1 : 5;
    return new Bench(progress, children, cleanUp, quick, count, memoryBytes, cluster);
  }
}
