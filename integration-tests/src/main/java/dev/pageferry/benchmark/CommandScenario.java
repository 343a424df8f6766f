package dev.pageferry.benchmark;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** P13: what the command itself costs an operator, beside another build of it and beside a bare JVM. */
final class CommandScenario implements Scenario {
  private static final List<String> COMMANDS = List.of("--version", "host list", "vm list");
  private static final Duration BARE_LIMIT = Duration.ofSeconds(30);

  private final Bench bench;
  private final Optional<Path> before;
  private final Outcome outcome = new Outcome("p13", "The command's own time");

  /** @param before the checkout of another build, in which {@code scripts/ferry} runs */
  CommandScenario(Bench bench, Optional<Path> before) {
    this.bench = bench;
    this.before = before;
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    Cluster cluster = bench.requireCluster();
    bench.progress().say("P13: first runs, which make the archives of classes");
    warmUp(cluster, Cluster.HERE);
    before.ifPresent(each -> warmUp(cluster, each));
    for (String command : COMMANDS) {
      for (int pair = 1; pair <= bench.pairs(); pair++) {
        measure(cluster, command, pair);
      }
    }
    moves();
    outcome.note(
        "Wall time of the whole process, start of its JVM included, output to a file. Bare JVM: java -version, the same"
            + " Java. migrate live: the whole command less its totalSeconds, for a VM of "
            + bench.memoryBytes() / Bench.MEBIBYTE + " MiB."
            + (before.isPresent() ? " The build before asks the same servers." : ""));
  }

  /** An archive is made in the background after a first run, by a process that takes seconds. */
  private void warmUp(Cluster cluster, Path checkout) {
    for (int i = 0; i < Bench.WARM_UP_MOVES; i++) {
      double _ = cluster.time(checkout, List.of("host", "list"));
      bench.settle();
    }
  }

  private void measure(Cluster cluster, String command, int pair) {
    List<String> words = List.of(command.split(" "));
    double seconds = cluster.time(Cluster.HERE, words);
    double bare = bareJvm();
    outcome.add(command, Metric.SECONDS, seconds);
    outcome.add(command + ": bare JVM", Metric.SECONDS, bare);
    before.ifPresent(checkout -> {
      double old = cluster.time(checkout, words);
      outcome.add(command + ": the build before", Metric.SECONDS, old);
      outcome.add(command + " ÷ the build before", Metric.RATIO, seconds / old, Goal.medianAtMost(0.5));
    });
    bench.progress().say("P13: ferry %s, pair %d of %d: %.2f s, bare JVM %.2f s", command, pair, bench.pairs(), seconds,
        bare);
  }

  private void moves() {
    try (Cluster.Vm vm = bench.requireCluster()
        .create(new Cluster.Spec("bench-p13", bench.memoryBytes(), "idle", List.of("fill=random")))) {
      bench.warmUp(vm);
      for (int pair = 1; pair <= bench.pairs(); pair++) {
        Move move = vm.move();
        outcome.add("migrate live: beside totalSeconds", Metric.SECONDS, move.commandSeconds() - move.totalSeconds());
        before.ifPresent(checkout -> {
          Move old = vm.moveBy(checkout);
          outcome.add("migrate live: the build before", Metric.SECONDS, old.commandSeconds() - old.totalSeconds());
        });
        bench.progress().say("P13: migrate live, pair %d of %d: %.2f s beside its %.2f s", pair, bench.pairs(),
            move.commandSeconds() - move.totalSeconds(), move.totalSeconds());
      }
    }
  }

  private double bareJvm() {
    String java = ProcessHandle.current().info().command().orElse("java");
    return bench.children().run(BARE_LIMIT, List.of(java, "-version")).wallSeconds();
  }
}
