package dev.pageferry.benchmark;

import dev.pageferry.common.units.ByteSize;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** What all benchmark commands are told, and how they measure one scenario after another. */
final class BenchmarkRun {
  private static final Path DIRECTORY = Path.of("target", "bench");
  private static final int DEFAULT_PAIRS = 5;
  private static final int SECURED_PORTS = 300;

  @Option(names = "--quick", order = 1, description = "One pair and few moves, to see that all works.")
  private boolean quick;

  @Option(names = "--pairs", order = 2, paramLabel = "N",
      description = "Interleaved pairs for each comparison (default 5; 1 with --quick).")
  private @Nullable Integer pairs;

  @Option(names = "--memory", order = 3, paramLabel = "SIZE", defaultValue = "4GiB", converter = Size.class,
      description = "RAM of the VMs that are measured most (default ${DEFAULT-VALUE}).")
  private long memoryBytes;

  @Option(names = "--port-base", order = 4, paramLabel = "P", defaultValue = "7600",
      description = "First port of the cluster (default ${DEFAULT-VALUE}).")
  private int portBase;

  @Option(names = {"-h", "--help"}, order = 100, usageHelp = true, description = "Prints this and ends.")
  @SuppressWarnings("unused") // picocli reads it
  private boolean help;

  private final Progress progress = new Progress();
  private final CleanUp cleanUp = new CleanUp();
  private final Children children = new Children(cleanUp);
  private final List<Outcome> outcomes = new ArrayList<>();

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

  boolean isQuick() {
    return quick;
  }

  long memoryBytes() {
    return memoryBytes;
  }

  /** Says what is wrong with the options; true if something is. */
  boolean isMisused() {
    boolean misused = (pairs != null && pairs < 1) || memoryBytes < 16 * Bench.MEBIBYTE
        || memoryBytes % Bench.MEBIBYTE != 0;
    if (misused) {
      System.err.println("--pairs takes at least 1; --memory whole MiB, at least 16MiB");
    }
    return misused;
  }

  /** @param cluster none where nothing of Pageferry is measured */
  Bench bench(@Nullable Cluster cluster) {
    int count = pairs != null ? pairs : quick ? 1 : DEFAULT_PAIRS;
    return new Bench(progress, children, cleanUp, quick, count, memoryBytes, cluster);
  }

  /** Starts a coordinator and two agents, and measures on them. */
  void onCluster(long hostMemoryBytes, Consumer<Bench> measurements) {
    onCluster(2, hostMemoryBytes, List.of(), measurements);
  }

  /** As {@link #onCluster(long, Consumer)}, with so many agents. @param environment of all programs, {@code K=V} */
  void onCluster(int hosts, long hostMemoryBytes, List<String> environment, Consumer<Bench> measurements) {
    progress.say("starting a coordinator and %d agents", hosts);
    try (Cluster cluster = new Cluster(children, cleanUp,
        new Cluster.Settings(DIRECTORY.resolve("cluster"), portBase, hosts, hostMemoryBytes, environment))) {
      measurements.accept(bench(cluster));
      progress.say("stopping the coordinator and the agents");
    } catch (BenchmarkException e) {
      Outcome failed = new Outcome("cluster", "Coordinator and agents");
      failed.fault(String.valueOf(e.getMessage()));
      outcomes.add(failed);
    }
  }

  /** As {@link #onCluster(long, Consumer)}, with a second cluster, whose members have certificates, beside the first. */
  void besideSecured(long hostMemoryBytes, BiConsumer<Bench, Cluster> measurements) {
    onCluster(hostMemoryBytes, bench -> {
      try (Cluster secured = new Cluster(children, cleanUp, new Cluster.Settings(DIRECTORY.resolve("cluster-secured"),
          portBase + SECURED_PORTS, 2, hostMemoryBytes, List.of(), true))) {
        measurements.accept(bench, secured);
      }
    });
  }

  /** One scenario that cannot go on does not keep the others from being measured. */
  void measure(Scenario scenario) {
    outcomes.add(scenario.outcome());
    try {
      scenario.run();
    } catch (RuntimeException e) {
      String message = e instanceof BenchmarkException ? String.valueOf(e.getMessage()) : e.toString();
      progress.say("%s: failed: %s", scenario.outcome().id(), message);
      scenario.outcome().fault(message);
    }
  }

  /** Notes what cannot be measured here, and why. */
  void skip(Outcome outcome, String why) {
    outcomes.add(outcome);
    outcome.skip(why);
  }

  /**
   * Writes the report.
   *
   * @param prefix of its files' names
   * @return the command's exit code
   */
  int report(String prefix) {
    new Report(DIRECTORY, prefix, outcomes).write();
    return outcomes.stream().allMatch(outcome -> outcome.faults().isEmpty())
        ? CommandLine.ExitCode.OK
        : CommandLine.ExitCode.SOFTWARE;
  }
}
