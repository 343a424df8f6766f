package dev.pageferry.simulation;

import dev.pageferry.simulation.Scenario.BadScenarioException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The simulation as a program; see scripts/simulate. Arguments: a directory to work in, then {@code seeds FIRST COUNT [progress]},
 * {@code hash FIRST COUNT}, {@code scenario NAME} or {@code scenarios}. Exit code 0: nothing failed; 1: something did; 2: wrong usage.
 */
final class SimulationMain {
  private static final int SHOWN_LINES = 40;
  private static final Duration TERMINAL = Duration.ofSeconds(1);
  private static final Duration LOG = Duration.ofSeconds(10);

  private SimulationMain() {
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    List<String> rest = List.of(arguments).subList(2, arguments.length);
    Path directory = Path.of(arguments[0]);
    System.exit(switch (arguments[1]) {
      case "seeds" -> seeds(new SimulatedWorlds(directory), Long.parseLong(rest.get(0)), Long.parseLong(rest.get(1)),
          rest.contains("progress"));
      case "hash" -> {
        System.out.printf("%016x%n", hash(new SimulatedWorlds(directory), Long.parseLong(rest.get(0)),
            Long.parseLong(rest.get(1))));
        yield 0;
      }
      case "scenarios" -> {
        Scenario.names().forEach(System.out::println);
        yield 0;
      }
      case "scenario" -> scenario(rest.getFirst(), directory);
      default -> 2;
    });
  }

  private static int scenario(String name, Path directory) throws InterruptedException {
    Scenario scenario;
    try {
      scenario = Scenario.load(name);
    } catch (BadScenarioException e) {
      System.err.println("scripts/simulate: " + e.getMessage());
      return 2;
    }
    List<String> found = scenario.play(directory);
    found.forEach(System.out::println);
    List<String> differences = Scenario.differences(scenario.expected(), found);
    System.out.println(differences.isEmpty() ? "as expected" : "not as expected:");
    differences.forEach(System.out::println);
    return differences.isEmpty() ? 0 : 1;
  }

  /** Of the traces of so many seeds: two runs that print the same went the same way. */
  static long hash(SimulatedWorlds worlds, long first, long count) throws InterruptedException {
    long hash = 0;
    for (long seed = first; seed < first + count; seed++) {
      hash = 31 * hash + worlds.run(seed, Planted.NOTHING).traceHash();
    }
    return hash;
  }

  private static int seeds(SimulatedWorlds worlds, long first, long count, boolean isTerminal)
      throws InterruptedException {
    Map<String, Integer> counts = new TreeMap<>();
    long start = System.nanoTime();
    long shown = start;
    for (long done = 0; done < count; done++) {
      long seed = first + done;
      try {
        worlds.run(seed, Planted.NOTHING).counts().forEach((what, number) -> counts.merge(what, number, Integer::sum));
      } catch (AssertionError e) {
        fails(seed, e, isTerminal);
        return 1;
      }
      long now = System.nanoTime();
      if (now - shown > (isTerminal ? TERMINAL : LOG).toNanos()) {
        shown = now;
        System.out.print((isTerminal ? "\r" : "") + progress(done + 1, count, now - start)
            + (isTerminal ? "  " : System.lineSeparator()));
        System.out.flush();
      }
    }
    if (count > 1) {
      System.out.println((isTerminal ? "\r" : "") + progress(count, count, System.nanoTime() - start));
    }
    System.out.println("no violation; what happened: " + counts);
    return 0;
  }

  private static String progress(long done, long count, long nanos) {
    return "%d of %d seeds, %.1f a second, %.1f ms each".formatted(done, count, done * 1e9 / nanos, nanos / 1e6 / done);
  }

  private static void fails(long seed, AssertionError failure, boolean isTerminal) {
    List<String> lines = String.valueOf(failure.getMessage()).lines().toList();
    System.out.println((isTerminal ? "\n" : "") + "seed %d (%s): %s".formatted(seed, SimulatedWorlds.kind(seed),
        lines.getFirst().replace("java.lang.AssertionError: ", "")));
    lines.stream().skip(Math.max(1, lines.size() - SHOWN_LINES)).forEach(System.out::println);
    System.out.printf("to see all of it: scripts/simulate --seed %d --trace%n", seed);
  }
}
