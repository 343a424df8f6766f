package dev.pageferry.simulation;

import dev.pageferry.common.concurrent.Task;
import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.cluster.v1.Codec;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.MigrateQuickRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.simulation.ClusterWorld.Setup;
import dev.pageferry.simulation.ClusterWorld.VmPlan;
import dev.pageferry.simulation.SimulatedStorage.Kernels;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;

/** What befalls a cluster, as a seed has it: hosts die, freeze and are cut off, while operators ask for things. */
final class ClusterTrouble implements ClusterWorld.Story {
  private static final Duration TROUBLE = Duration.ofSeconds(25);
  /** Two clocks differ by less than the tenth that is left for them. */
  private static final double WORST_CLOCK = 0.045;
  private static final int LATEST_MILLIS = 16_000;
  private static final int[] MISHAPS_PER_MILLE = {0, 0, 20, 60};
  private static final List<String> HOSTS = List.of("host-a", "host-b", "host-c");
  static final List<String> DISKS = List.of("db", "web", "old");
  private static final List<String> FATAL_MESSAGES = List.of("SetupAccepted", "GuestState", "StateSaved", "Ready", "Go",
      "Running");

  private final SplittableRandom random;
  private final Duration focus;
  private int dead;

  ClusterTrouble(long seed) {
    random = new SplittableRandom(seed ^ 0x7A0B1E);
    focus = upTo(LATEST_MILLIS / 2);
  }

  /** The world that a seed has. */
  static Setup setup(long seed) {
    SplittableRandom random = new SplittableRandom(seed ^ 0x5E7);
    List<String> hosts = random.nextInt(4) == 0 ? HOSTS.subList(0, 2) : HOSTS;
    List<VmPlan> vms = List.of(new VmPlan("db", true, "host-a", true, false),
        new VmPlan("web", true, "host-b", true, false),
        new VmPlan("cache", false, "host-a", true, Math.floorMod(seed, 3) > 0),
        new VmPlan("old", true, hosts.getLast(), false, false));
    return new Setup(hosts, vms, random.nextBoolean() ? Kernels.ONE : Kernels.OWN, random.nextBoolean(),
        MISHAPS_PER_MILLE[random.nextInt(MISHAPS_PER_MILLE.length)],
        random.nextInt(5) == 0 ? Duration.ofMillis(400) : SimulatedStore.SOON,
        random.nextInt(4) == 0 ? WORST_CLOCK : 0.002);
  }

  @Override
  public void tell(ClusterWorld world) throws InterruptedException {
    world.process().sleep(upTo(1500));
    for (int i = 1 + random.nextInt(3); i > 0; i--) {
      plan(world);
    }
    for (int i = random.nextInt(4); i > 0; i--) {
      request(world);
    }
    world.process().sleep(TROUBLE);
    world.heal();
  }

  /** As the other, and a host of which nothing comes through any more after its storage had become slow. */
  void tellOfIsolation(ClusterWorld world) throws InterruptedException {
    isolation(world, anyHost(world));
    tell(world);
  }

  private void plan(ClusterWorld world) {
    ClusterHost host = anyHost(world);
    switch (random.nextInt(12)) {
      case 0, 1 -> death(world, host);
      case 2 -> happens(world, "host cut off", () -> world.network().cut(host.process(), upTo(20_000)));
      case 3 -> happens(world, "storage cut off", () -> world.storage().cut(host.process(), upTo(20_000)));
      case 4 -> happens(world, "storage slow", () -> world.storage().slow(host.process(), upTo(15_000)));
      case 5, 6 -> {
        boolean asWhole = random.nextBoolean();
        happens(world, "freeze", () -> host.freeze(upTo(24_000), asWhole));
      }
      case 7 -> {
        Duration down = upTo(10_000);
        happens(world, "coordinator dies", () -> world.coordinator().restartAfter(down));
      }
      case 8, 9 -> isolation(world, host);
      case 10 -> {
        Duration time = upTo(15_000);
        happens(world, "coordinator freezes", () -> world.coordinator().freeze(time));
      }
      default -> linkTrouble(world);
    }
  }

  /** Nothing of a host comes through any more, perhaps after it had become slow. */
  private void isolation(ClusterWorld world, ClusterHost host) {
    Duration fading = random.nextBoolean() ? upTo(4000) : Duration.ZERO;
    Duration time = Duration.ofSeconds(8).plus(upTo(14_000));
    happens(world, "isolated", () -> {
      world.storage().slow(host.process(), fading);
      world.process().later(fading, "nothing comes through", () -> {
        world.network().cut(host.process(), time);
        world.storage().cut(host.process(), time);
      });
    });
  }

  private void linkTrouble(ClusterWorld world) {
    if (random.nextBoolean()) {
      world.links().cutOn(FATAL_MESSAGES.get(random.nextInt(FATAL_MESSAGES.size())), random.nextBoolean());
    } else {
      happens(world, "links halt", () -> world.links().halt(upTo(8000)));
    }
  }

  /** Some hosts come back; all but one do in the end. */
  private void death(ClusterWorld world, ClusterHost host) {
    boolean isPowerCut = random.nextInt(3) > 0;
    boolean staysAway = random.nextInt(3) == 0 && dead++ == 0;
    Duration at = soon();
    world.process().later(at, "a host dies", () -> {
      world.count("death");
      host.die(isPowerCut);
    });
    if (!staysAway) {
      Duration back = random.nextBoolean() ? upTo(3000) : upTo((int) (TROUBLE.toMillis() - at.toMillis()));
      world.process().later(at.plus(back), "a host comes back", host::comeBack);
    }
  }

  private void happens(ClusterWorld world, String what, Runnable action) {
    world.process().later(soon(), what, () -> {
      world.count(what);
      action.run();
    });
  }

  private void request(ClusterWorld world) {
    VmPlan vm = world.setup().vms().get(random.nextInt(world.setup().vms().size()));
    String host = anyHost(world).name();
    String what = switch (random.nextInt(8)) {
      case 0, 1, 2 -> "live";
      case 3, 4 -> "quick";
      case 5 -> "stop";
      case 6 -> "start";
      default -> "save";
    };
    boolean isMove = what.equals("live") || what.equals("quick");
    if (!isMove || what.equals("quick") && !vm.hasDisk()) {
      // Or its host may be taken for lost when its state is whole in a file: there it stays.
      world.rest().mayBeOff(vm.name());
    }
    Duration at = soon();
    asksAt(world, at, what, vm.name(), host);
    if (isMove && random.nextInt(3) == 0) {
      asksAt(world, at.plus(upTo(2000)), "cancel", vm.name(), host);
    }
    if (isMove && random.nextBoolean()) {
      linkTrouble(world);
      asksAt(world, at.plusSeconds(6).plus(upTo(4000)), what, vm.name(), host);
    }
  }

  private static void asksAt(ClusterWorld world, Duration at, String what, String vm, String host) {
    world.process().later(at, "an operator asks", () -> {
      world.count(what);
      Task unused = world.process().start("asks", () -> ask(world, what, vm, host));
    });
  }

  private static void ask(ClusterWorld world, String what, String vm, String host) {
    try {
      boolean isAnswered = world.operator().ask(services -> carryOut(services, what, vm, host)).isPresent();
      if (isAnswered) {
        world.count(what + " done");
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException("nobody interrupts it", e);
    }
  }

  /** As the command does. */
  static boolean carryOut(SimulatedCoordinator.Services services, String what, String vm, String host)
      throws RequestException {
    switch (what) {
      case "live" -> services.migrations().start(MigrateLiveRequest.newBuilder().setName(vm).setTo(host)
          .setTimeoutMillis(30_000).build());
      case "quick" -> services.migrations().start(MigrateQuickRequest.newBuilder().setName(vm).setTo(host)
          .setCodec(Codec.Name.NONE).setTimeoutMillis(30_000).build());
      case "cancel" -> {
        for (Migration each : services.migrations().list()) {
          if (each.getVm().equals(vm) && !MigrationSupervisor.isFinal(each)) {
            services.migrations().cancel(each.getId());
          }
        }
      }
      case "stop" -> services.machines().stop(vm, false, false);
      case "start" -> services.machines().start(vm, host, false);
      case "save" -> services.machines().save(vm, Codec.Name.NONE, (done, total) -> {
      });
      default -> throw new IllegalArgumentException("nobody can ask for '%s'".formatted(what));
    }
    return true;
  }

  private ClusterHost anyHost(ClusterWorld world) {
    return world.hosts().get(random.nextInt(world.hosts().size()));
  }

  /** Much at about one time, which is when it gets into each other's way. */
  private Duration soon() {
    return random.nextBoolean() ? focus.plus(upTo(random.nextBoolean() ? 60 : 1500)) : upTo(LATEST_MILLIS);
  }

  private Duration upTo(int millis) {
    return Duration.ofMillis(1 + random.nextInt(millis));
  }
}
