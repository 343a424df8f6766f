package dev.pageferry.simulation;

import dev.pageferry.simulation.ClusterWorld.Setup;
import dev.pageferry.simulation.ClusterWorld.VmPlan;
import dev.pageferry.simulation.Scenario.BadScenarioException;
import dev.pageferry.simulation.Scenario.Step;
import dev.pageferry.simulation.Scenario.When;
import dev.pageferry.simulation.SimulatedStorage.Kernels;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Reads the files of scenarios. Empty lines, and what follows a #, say nothing. */
final class ScenarioParser {
  private static final Pattern VM = Pattern.compile("vm ([a-z0-9]+) on ([a-z0-9-]+)( with a disk)?(, ha on)?(, off)?");
  private static final Pattern TIMED = Pattern.compile("at ([0-9]+(?:ms|s|m)): (.+)");
  private static final Pattern OWNED = Pattern.compile("once ([a-z0-9]+) is ([a-z0-9-]+)'s: (.+)");
  private static final Pattern DURATION = Pattern.compile("([0-9]+)(ms|s|m)");

  /**
   * A file.
   *
   * @param name for messages
   */
  record Text(String name, List<String> lines) {
    private BadScenarioException wrong(int line, String why) {
      return new BadScenarioException("%s:%d: %s".formatted(name, line + 1, why));
    }

    private String at(int line) {
      return lines.get(line).replaceFirst("#.*", "").strip();
    }
  }

  private ScenarioParser() {
  }

  static Scenario parse(String name, Text world, Text script, List<String> expected) throws BadScenarioException {
    Setup setup = world(world);
    List<Step> steps = new ArrayList<>();
    Duration end = null;
    for (int i = 0; i < script.lines().size(); i++) {
      String line = script.at(i);
      if (line.isEmpty()) {
        continue;
      }
      if (end != null) {
        throw script.wrong(i, "nothing follows the end");
      }
      Matcher timed = TIMED.matcher(line);
      if (timed.matches() && timed.group(2).equals("end")) {
        end = duration(timed.group(1));
      } else {
        steps.add(step(script, i, line, timed, setup));
      }
    }
    if (end == null) {
      throw script.wrong(script.lines().size() - 1, "it does not say when it ends: 'at 60s: end'");
    }
    return new Scenario(name, setup, steps, end, expected);
  }

  private static Step step(Text script, int at, String line, Matcher timed, Setup setup) throws BadScenarioException {
    Matcher owned = OWNED.matcher(line);
    When when;
    String text;
    if (timed.matches()) {
      when = new When.At(duration(timed.group(1)));
      text = timed.group(2);
    } else if (owned.matches()) {
      when = new When.Owned(owned.group(1), owned.group(2));
      text = owned.group(3);
    } else {
      throw script.wrong(at, "'%s' is neither 'at TIME: …' nor 'once VM is HOST's: …'".formatted(line));
    }
    return new Step(when, text, ScenarioAction.of(text, setup).orElseThrow(() -> script.wrong(at,
        "'%s' is nothing that can happen to the hosts and VMs of this world; there are: %s".formatted(text,
            String.join("; ", ScenarioAction.FORMS.stream().map(ScenarioAction.Form::form).toList())))));
  }

  private static Setup world(Text text) throws BadScenarioException {
    List<String> hosts = new ArrayList<>();
    List<VmPlan> vms = new ArrayList<>();
    Kernels kernels = null;
    for (int i = 0; i < text.lines().size(); i++) {
      String line = text.at(i);
      Matcher vm = VM.matcher(line);
      if (line.startsWith("hosts ")) {
        hosts.addAll(List.of(line.substring("hosts ".length()).split(" +")));
      } else if (line.equals("one kernel for all hosts")) {
        kernels = Kernels.ONE;
      } else if (line.equals("a kernel for each host")) {
        kernels = Kernels.OWN;
      } else if (vm.matches()) {
        if (!hosts.contains(vm.group(2))) {
          throw text.wrong(i, "there is no host '%s' above this line".formatted(vm.group(2)));
        }
        vms.add(new VmPlan(vm.group(1), vm.group(3) != null, vm.group(2), vm.group(5) == null, vm.group(4) != null));
      } else if (!line.isEmpty()) {
        throw text.wrong(i,
            "'%s' is none of 'hosts NAME …', 'one kernel for all hosts', 'a kernel for each host', 'vm NAME on HOST[ with a disk][, ha on][, off]'"
                .formatted(line));
      }
    }
    return new Setup(hosts, vms, required(text, kernels), false, 0, SimulatedStore.SOON, 0.002);
  }

  private static Kernels required(Text text, @Nullable Kernels kernels) throws BadScenarioException {
    if (kernels == null) {
      throw text.wrong(text.lines().size() - 1, "it does not say how many kernels there are");
    }
    return kernels;
  }

  /** Zero where there is none. */
  static Duration duration(String text) {
    Matcher found = DURATION.matcher(text);
    if (!found.matches()) {
      return Duration.ZERO;
    }
    long number = Long.parseLong(found.group(1));
    return switch (found.group(2)) {
      case "ms" -> Duration.ofMillis(number);
      case "s" -> Duration.ofSeconds(number);
      default -> Duration.ofMinutes(number);
    };
  }
}
