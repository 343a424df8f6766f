package dev.pageferry.chaos;

import dev.pageferry.support.CommandResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.stream.Stream;

/** Brings trouble about and heals it. Signals go to processes of the lab alone, and only the lab's storage is touched. */
final class TroubleMaker {
  private static final String FILLING = ".chaos-fill";
  private static final String QEMU = "qemu-system-x86_64";
  private static final int FROZEN_MILLIS = 300;
  private static final int THAWED_MILLIS = 100;

  private final LabMachines machines;
  private final Story story;
  private final Set<String> broken = ConcurrentHashMap.newKeySet();
  /** A server may take longer to be back than was drawn: what comes next waits. */
  private final Semaphore atOnce = new Semaphore(Schedule.MOST_AT_ONCE, true);
  private final Map<String, Semaphore> ofTarget = new ConcurrentHashMap<>();

  TroubleMaker(LabMachines machines, Story story) {
    this.machines = machines;
    this.story = story;
  }

  /** What could not be done: the run says nothing then. */
  Set<String> broken() {
    return Set.copyOf(broken);
  }

  /**
   * Has it come, waits, and heals it.
   *
   * @param lastNanos when it is too late for it to come
   */
  void bringAbout(Trouble trouble, long lastNanos) throws InterruptedException {
    Semaphore target = ofTarget.computeIfAbsent(trouble.target(), _ -> new Semaphore(1, true));
    target.acquire();
    atOnce.acquire();
    try {
      if (System.nanoTime() - lastNanos < 0) {
        bringAbout(trouble);
      }
    } finally {
      atOnce.release();
      target.release();
    }
  }

  private void bringAbout(Trouble trouble) throws InterruptedException {
    try {
      story.tell("TROUBLE  " + trouble.told());
      long end = System.nanoTime() + trouble.millis() * 1_000_000L;
      try {
        if (begin(trouble, end)) {
          story.count("trouble " + trouble.kind());
        } else {
          story.tell("         (there is none)");
        }
        sleepUntil(end);
      } finally {
        heal(trouble);
        if (trouble.millis() > 0) {
          story.tell("healed   " + trouble.told());
        }
      }
    } catch (IOException e) {
      broken.add(trouble.told() + ": " + e.getMessage());
    }
  }

  private static void sleepUntil(long nanos) throws InterruptedException {
    long left = (nanos - System.nanoTime()) / 1_000_000;
    if (left > 0) {
      Thread.sleep(left);
    }
  }

  /** @return whether there was something to hit */
  private boolean begin(Trouble trouble, long end) throws IOException, InterruptedException {
    String target = trouble.target();
    switch (trouble.kind()) {
      case KILL_AGENT, KILL_COORDINATOR -> machines.signal(target, "KILL");
      case FREEZE_AGENT, FREEZE_COORDINATOR -> machines.signal(target, "STOP");
      case KILL_HOST -> {
        if (machines.processes(target).isEmpty()) {
          return false;
        }
        machines.done("kill", target);
      }
      case KILL_QEMU -> {
        return killQemus(target);
      }
      case CUT -> machines.done("cut", target, trouble.card());
      case CUT_IN -> machines.done("cut", target, trouble.card(), "in");
      case CUT_OUT -> machines.done("cut", target, trouble.card(), "out");
      case FULL_DISK -> fill();
      case STALLED_DISK -> freeze();
      case SLOW_DISK -> slow(end);
    }
    return true;
  }

  /** Those of the host, or of the first other one that has any: there are few. */
  private boolean killQemus(String firstChoice) throws IOException, InterruptedException {
    for (String host : Stream.concat(Stream.of(firstChoice), LabMachines.HOSTS.stream()).toList()) {
      List<Long> qemus = machines.processes(host).stream()
          .filter(each -> LabMachines.commandOf(each).startsWith(QEMU)).toList();
      for (long each : qemus) {
        LabMachines.signal(each, "KILL");
      }
      if (!qemus.isEmpty()) {
        story.tell("         (on %s)".formatted(host));
        return true;
      }
    }
    return false;
  }

  private void heal(Trouble trouble) throws IOException, InterruptedException {
    switch (trouble.kind()) {
      case KILL_AGENT, KILL_HOST, KILL_COORDINATOR -> start(trouble.target());
      case FREEZE_AGENT, FREEZE_COORDINATOR -> {
        machines.signal(trouble.target(), "CONT");
        // One that slept for longer than it may ends by itself, as soon as it wakes or a little later: the end of the run sees that.
        start(trouble.target());
      }
      case KILL_QEMU -> {
        // The operator starts what has failed.
      }
      case CUT, CUT_IN, CUT_OUT -> machines.done("mend", trouble.target(), trouble.card());
      case FULL_DISK -> Files.deleteIfExists(machines.storage().resolve(FILLING));
      case SLOW_DISK, STALLED_DISK -> thaw();
    }
  }

  /** Starts a server that does not run. It may take long to be ready, in further trouble. */
  void start(String machine) throws IOException, InterruptedException {
    if (machines.server(machine).isEmpty()) {
      CommandResult started = machines.lab("start", machine);
      if (started.exitCode() != 0) {
        story.tell("         %s: %s".formatted(machine, started.errors().strip()));
      }
    }
  }

  /** Undoes all, whatever was there. */
  void healAll() throws IOException, InterruptedException {
    thaw();
    Files.deleteIfExists(machines.storage().resolve(FILLING));
    for (String host : LabMachines.HOSTS) {
      machines.done("mend", host, "management");
      machines.done("mend", host, "migration");
      machines.signal(host, "CONT");
    }
    machines.signal(Trouble.COORDINATOR, "CONT");
    start(Trouble.COORDINATOR);
    for (String host : LabMachines.HOSTS) {
      start(host);
    }
  }

  private void fill() throws IOException, InterruptedException {
    Path file = machines.storage().resolve(FILLING);
    CommandResult filled = CommandResult.of(List.of("fallocate", "-l",
        String.valueOf(Files.getFileStore(machines.storage()).getUsableSpace()), file.toString()), Map.of());
    if (filled.exitCode() != 0) {
      // What the file system needs for itself is not foreseen: the rest byte by byte.
      CommandResult _ = CommandResult.of(List.of("dd", "if=/dev/zero", "of=" + file, "bs=64K", "status=none"),
          Map.of());
    }
  }

  private void freeze() throws IOException, InterruptedException {
    CommandResult frozen = CommandResult.of(List.of("fsfreeze", "-f", machines.storage().toString()), Map.of());
    if (frozen.exitCode() != 0) {
      throw new IOException(frozen.errors().strip());
    }
  }

  private void thaw() throws IOException, InterruptedException {
    // It says so if nothing is frozen.
    CommandResult _ = CommandResult.of(List.of("fsfreeze", "-u", machines.storage().toString()), Map.of());
  }

  private void slow(long end) throws IOException, InterruptedException {
    while (System.nanoTime() - end < 0) {
      freeze();
      Thread.sleep(FROZEN_MILLIS);
      thaw();
      Thread.sleep(THAWED_MILLIS);
    }
  }
}
