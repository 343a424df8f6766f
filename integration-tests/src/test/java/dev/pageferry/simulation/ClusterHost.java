package dev.pageferry.simulation;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** A machine whose agents come and go. */
final class ClusterHost {
  private static final String SHARED_BOOT = "boot-of-all";

  private final ClusterWorld world;
  private final String name;
  private final double rate;
  /** That ended on the kernel that runs now, newest first. */
  private final List<String> ended = new ArrayList<>();
  private int boots;
  private SimulatedAgent agent;

  ClusterHost(ClusterWorld world, String name, double rate) {
    this.world = world;
    this.name = name;
    this.rate = rate;
    this.agent = born();
  }

  private SimulatedAgent born() {
    boolean isShared = world.storage().kernels() == SimulatedStorage.Kernels.ONE;
    SimulatedScheduler process = world.baton().newHost(name, rate);
    return new SimulatedAgent(world.surroundings(), new SimulatedAgent.Life(process,
        isShared ? SHARED_BOOT : "boot-%d-of-%s".formatted(boots, name), List.copyOf(ended),
        reason -> shutOut(process, reason)));
  }

  /** What the agent does when its place was given to another one. */
  private void shutOut(SimulatedScheduler process, String reason) {
    world.baton().trace(name, "its agent is shut out: " + reason);
    if (!process.isSealed()) {
      die(false);
    }
    throw new HostKilled(name);
  }

  String name() {
    return name;
  }

  SimulatedAgent agent() {
    return agent;
  }

  SimulatedScheduler process() {
    return agent.host();
  }

  boolean isDead() {
    return process().isSealed();
  }

  void start() {
    agent.start();
  }

  /** @param isPowerCut of a kernel of its own, rather than of the agent alone */
  void die(boolean isPowerCut) {
    if (isDead()) {
      return;
    }
    boolean isKernelDead = isPowerCut && world.storage().kernels() == SimulatedStorage.Kernels.OWN;
    ended.addFirst(agent.incarnation());
    if (isKernelDead) {
      ended.clear();
      boots++;
    }
    process().kill();
    world.storage().died(process(), isKernelDead);
    world.links().died(process());
  }

  /** The agent is started again. */
  void comeBack() {
    if (isDead()) {
      world.baton().trace(name, "comes back");
      agent = born();
      world.listens(agent);
      agent.start();
    }
  }

  /** @param asWhole its kernel, too, so that a file server hears nothing of it */
  void freeze(Duration time, boolean asWhole) {
    SimulatedScheduler frozen = process();
    if (isDead() || frozen.isFrozen()) {
      return;
    }
    frozen.freeze(true);
    if (asWhole) {
      world.storage().silent(frozen, time);
    }
    world.baton().at(world.baton().nanos() + time.toNanos(), name, "it thaws", () -> thaw(frozen));
  }

  void thaw() {
    thaw(process());
  }

  private static void thaw(SimulatedScheduler frozen) {
    if (!frozen.isSealed() && frozen.isFrozen()) {
      frozen.freeze(false);
    }
  }
}
