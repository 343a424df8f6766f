package dev.pageferry.simulation;

import dev.pageferry.simulation.ClusterWorld.Setup;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A world and what befalls it, as an operator would tell it: the files {@code world}, {@code script} and {@code expected.log} of a
 * directory {@code scenarios/NAME}.
 *
 * @param end when it is over, from when its VMs run
 */
record Scenario(String name, Setup setup, List<Step> steps, Duration end, List<String> expected) {
  private static final String DIRECTORY = "/scenarios";
  private static final long SEED = 1;

  /**
   * Something that happens.
   *
   * @param when at what time, or once what has come about
   * @param text as it stands in the script
   */
  record Step(When when, String text, ScenarioAction action) {
  }

  /** When a step is taken. */
  sealed interface When {
    record At(Duration time) implements When {
    }

    /** Once the row says that the VM is the host's. */
    record Owned(String vm, String host) implements When {
    }
  }

  /** A scenario cannot be understood; the message names file and line. */
  static final class BadScenarioException extends Exception {
    private static final long serialVersionUID = 1L;

    BadScenarioException(String message) {
      super(message);
    }
  }

  /** The names of all that there are. */
  static List<String> names() {
    URL directory = Objects.requireNonNull(Scenario.class.getResource(DIRECTORY), "no scenarios in this build");
    try (Stream<Path> all = Files.list(Path.of(directory.toURI()))) {
      return all.map(each -> each.getFileName().toString()).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  /** @throws BadScenarioException if there is none of that name, or its files cannot be understood */
  static Scenario load(String name) throws BadScenarioException {
    if (!name.matches("[a-z0-9-]+") || !names().contains(name)) {
      throw new BadScenarioException("there is no scenario '%s'; there are %s".formatted(name,
          String.join(", ", names())));
    }
    String place = DIRECTORY.substring(1) + "/" + name + "/";
    return ScenarioParser.parse(name, new ScenarioParser.Text(place + "world", lines(name, "world")),
        new ScenarioParser.Text(place + "script", lines(name, "script")), lines(name, "expected.log"));
  }

  private static List<String> lines(String name, String file) throws BadScenarioException {
    String path = DIRECTORY + "/" + name + "/" + file;
    try (InputStream in = Scenario.class.getResourceAsStream(path)) {
      if (in == null) {
        throw new BadScenarioException("%s is missing".formatted(path.substring(1)));
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Runs it, and returns what an operator would have seen. */
  List<String> play(Path directory) throws InterruptedException {
    List<String> disks = setup.vms().stream().filter(ClusterWorld.VmPlan::hasDisk).map(ClusterWorld.VmPlan::name)
        .toList();
    try (ScenarioLog log = new ScenarioLog()) {
      ClusterWorld world = new ClusterWorld(SEED, setup, new ClusterDirectory(directory, disks), Planted.NOTHING);
      ClusterWorld.Outcome unused = world.run(told -> {
        log.follow(told);
        tell(told, log);
      });
      return log.lines();
    }
  }

  private void tell(ClusterWorld world, ScenarioLog log) throws InterruptedException {
    for (Step each : steps) {
      Runnable taken = () -> {
        log.line("script", each.text());
        each.action().happen(world);
      };
      switch (each.when()) {
        case When.At(Duration time) -> world.process().later(time, each.text(), taken);
        case When.Owned(String vm, String host) -> world.checks().onceOwned(vm, host,
            () -> world.process().later(Duration.ZERO, each.text(), taken));
      }
    }
    world.process().sleep(end);
    log.end();
  }

  /**
   * What is missing or was not expected; empty: nothing. The same line within a second is the same: what draws lots may change, and with
   * it moments, and the order of what comes about at one time.
   */
  static List<String> differences(List<String> expected, List<String> found) {
    List<String> differences = new ArrayList<>();
    List<String> left = new ArrayList<>(found);
    for (String each : expected) {
      Optional<String> same = left.stream().filter(line -> isSame(each, line)).findFirst();
      if (same.isPresent()) {
        left.remove(same.get());
      } else {
        differences.add("missing:      " + each);
      }
    }
    left.forEach(each -> differences.add("not expected: " + each));
    return differences;
  }

  private static boolean isSame(String one, String other) {
    return text(one).equals(text(other)) && Math.abs(seconds(one) - seconds(other)) <= 1;
  }

  private static double seconds(String line) {
    return line.length() < ScenarioLog.TIME_CHARS
        ? Double.NaN
        : Double.parseDouble(line.substring(0, ScenarioLog.TIME_CHARS).strip());
  }

  /** What was counted in seconds belongs to the moment. */
  private static String text(String line) {
    return line.substring(Math.min(line.length(), ScenarioLog.TIME_CHARS)).replaceAll("for [0-9]+ s", "for … s");
  }
}
