package dev.pageferry.benchmark;

import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Measures moves of Linux guests in QEMU next to moves by QEMU alone; see {@code scripts/bench --help}. */
@Command(name = "scripts/bench qemu", sortOptions = false,
    description = "Moves Linux guests in QEMU by Pageferry and by QEMU alone, in turns, and writes"
        + " target/bench/qemu-results.json and target/bench/qemu-report.md.",
    footer = {"",
        "Q1 blackout; Q2 total time; Q3 total time over a link of 1 Gbit/s (root); Q4 the same RAM on both sides;",
        "Q5 memory of the agent for each guest. --memory: of the guests of Q2 and Q3, 2GiB at most.", "",
        "Exit code: 0 measured, whether or not targets are met; 1 something failed or memory differed;"
            + " 2 wrong usage."})
public final class QemuBenchmark implements Callable<Integer> {
  private static final List<String> ALL = List.of("Q1", "Q2", "Q3", "Q4", "Q5");
  private static final long MOST_MEMORY_BYTES = 2048 * Bench.MEBIBYTE;
  private static final long QUICK_MEMORY_BYTES = 384 * Bench.MEBIBYTE;
  private static final long HOST_EXTRA_BYTES = 1024 * Bench.MEBIBYTE;

  @Mixin
  private final BenchmarkRun run = new BenchmarkRun();

  @Option(names = "--only", order = 10, paramLabel = "Q1,Q2,…", hideParamSyntax = true, split = ",",
      description = "Only these of Q1, Q2, Q3, Q4, Q5.")
  private List<String> only = List.copyOf(ALL);

  public static void main(String[] args) {
    System.exit(new CommandLine(new QemuBenchmark()).execute(args));
  }

  @Override
  public Integer call() {
    Set<String> chosen = only.stream().map(each -> each.toUpperCase(Locale.ROOT)).collect(Collectors.toSet());
    if (!ALL.containsAll(chosen)) {
      System.err.println("--only takes some of Q1,Q2,Q3,Q4,Q5");
      return CommandLine.ExitCode.USAGE;
    }
    if (run.isMisused()) {
      return CommandLine.ExitCode.USAGE;
    }
    GuestMemoryFile.deleteAbandoned();
    Bench bench = run.bench(null);
    @Nullable
    String obstacle = LinuxGuest.obstacle(bench.children());
    if (obstacle != null) {
      run.skip(new Outcome("qemu", "Linux guests in QEMU"), obstacle);
      return run.report("qemu-");
    }
    try {
      measure(chosen, LinuxGuest.make(bench.children()));
    } catch (BenchmarkException e) {
      run.skip(new Outcome("qemu", "Linux guests in QEMU"), String.valueOf(e.getMessage()));
    }
    return run.report("qemu-");
  }

  private void measure(Set<String> chosen, LinuxGuest guest) {
    long memoryBytes = run.isQuick() ? QUICK_MEMORY_BYTES : Math.min(run.memoryBytes(), MOST_MEMORY_BYTES);
    String allowed = "FERRY_ALLOW_PATH=" + guest.directory();
    if (chosen.contains("Q1")) {
      run.onCluster(2, HOST_EXTRA_BYTES, List.of(allowed),
          bench -> run.measure(new GuestBlackoutScenario(bench, guest)));
    }
    if (chosen.contains("Q2")) {
      run.onCluster(2, memoryBytes + HOST_EXTRA_BYTES, List.of(allowed),
          bench -> run.measure(new GuestTotalTimeScenario(bench, guest, memoryBytes)));
    }
    if (chosen.contains("Q3")) {
      run.measure(new CappedLinkScenario(run.bench(null), guest, memoryBytes));
    }
    if (chosen.contains("Q4")) {
      run.onCluster(3, HOST_EXTRA_BYTES, List.of(allowed, "FERRY_DEV_FAILPOINTS=1"),
          bench -> run.measure(new SameMemoryScenario(bench, guest)));
    }
    if (chosen.contains("Q5")) {
      run.onCluster(2, 2 * HOST_EXTRA_BYTES, List.of(allowed),
          bench -> run.measure(new AgentMemoryScenario(bench, guest)));
    }
  }
}
