package dev.pageferry.simulation;

import dev.pageferry.common.concurrent.Task;
import dev.pageferry.coordinator.ownership.RowsFrozenException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a script can have happen. */
@FunctionalInterface
interface ScenarioAction {
  void happen(ClusterWorld world);

  /**
   * A form of words, with the action that it stands for.
   *
   * @param form with HOST, VM and TIME where those are named, in that order
   */
  record Form(String form, BiConsumer<Words, ClusterWorld> action) {
    private Pattern pattern() {
      return Pattern.compile(form.replace("HOST", "(?<host>[a-z0-9-]+)").replace("VM", "(?<vm>[a-z0-9]+)")
          .replace("TIME", "(?<time>[0-9]+(?:ms|s|m))"));
    }
  }

  /** What is named in a line. */
  record Words(String host, String vm, Duration time) {
  }

  List<Form> FORMS = List.of(
      new Form("kill HOST", (words, world) -> died(world, words.host(), false)),
      new Form("cut the power of HOST", (words, world) -> died(world, words.host(), true)),
      new Form("start HOST", (words, world) -> {
        world.host(words.host()).comeBack();
      }),
      new Form("cut HOST from the coordinator for TIME", (words, world) -> {
        world.network().cut(world.host(words.host()).process(), words.time());
      }),
      new Form("cut HOST from the storage for TIME", (words, world) -> {
        world.storage().cut(world.host(words.host()).process(), words.time());
      }),
      new Form("cut HOST off for TIME", (words, world) -> {
        world.network().cut(world.host(words.host()).process(), words.time());
        world.storage().cut(world.host(words.host()).process(), words.time());
      }),
      new Form("slow the storage of HOST for TIME", (words, world) -> {
        world.storage().slow(world.host(words.host()).process(), words.time());
      }),
      new Form("freeze the agent of HOST for TIME", (words, world) -> {
        world.host(words.host()).freeze(words.time(), false);
      }),
      new Form("freeze HOST for TIME", (words, world) -> {
        world.host(words.host()).freeze(words.time(), true);
      }),
      new Form("stop the coordinator for TIME", (words, world) -> {
        world.coordinator().restartAfter(words.time());
      }),
      new Form("move VM live to HOST", (words, world) -> ask(world, "live", words)),
      new Form("move VM quickly to HOST", (words, world) -> ask(world, "quick", words)),
      new Form("stop VM", (words, world) -> ask(world, "stop", words)),
      new Form("start VM on HOST", (words, world) -> ask(world, "start", words)),
      new Form("disarm", (words, world) -> arm(world, false)), new Form("arm", (words, world) -> arm(world, true)));

  /** The action that words stand for; empty: none. */
  static Optional<ScenarioAction> of(String text, ClusterWorld.Setup setup) {
    for (Form each : FORMS) {
      Matcher found = each.pattern().matcher(text);
      if (found.matches()) {
        Words words = new Words(group(found, "host"), group(found, "vm"),
            ScenarioParser.duration(group(found, "time")));
        boolean isHost = words.host().isEmpty() || setup.hosts().contains(words.host());
        boolean isVm = words.vm().isEmpty()
            || setup.vms().stream().anyMatch(vm -> vm.name().equals(words.vm()));
        return isHost && isVm ? Optional.of(world -> each.action().accept(words, world)) : Optional.empty();
      }
    }
    return Optional.empty();
  }

  private static String group(Matcher found, String name) {
    return found.namedGroups().containsKey(name) ? String.valueOf(found.group(name)) : "";
  }

  private static void died(ClusterWorld world, String host, boolean isPowerCut) {
    world.host(host).die(isPowerCut);
  }

  private static void ask(ClusterWorld world, String what, Words words) {
    if (what.equals("stop") || what.equals("start")) {
      world.rest().mayBeOff(words.vm());
    }
    Task unused = world.process().start("asks", () -> {
      try {
        world.operator().ask(services -> ClusterTrouble.carryOut(services, what, words.vm(), words.host()));
      } catch (InterruptedException e) {
        throw new IllegalStateException("nobody interrupts it", e);
      }
    });
  }

  private static void arm(ClusterWorld world, boolean armed) {
    Task unused = world.process().start("arms", () -> {
      try {
        world.operator().ask(services -> {
          services.failover().arm(armed);
          return true;
        });
      } catch (InterruptedException | RowsFrozenException e) {
        throw new IllegalStateException(e);
      }
    });
  }
}
