package dev.pageferry.benchmark;

import com.google.gson.JsonObject;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/** A Linux guest in a machine of QEMU that Pageferry has, driven by the operator's commands. Deleted when closed. */
final class FerryMachine implements AutoCloseable {
  private static final Duration COMMAND_LIMIT = Duration.ofMinutes(1);
  private static final Duration MOVE_LIMIT = Duration.ofMinutes(5);
  private static final Duration BOOT_LIMIT = Duration.ofMinutes(4);
  /** A small guest has moved by then. */
  private static final Duration LEFT_ALONE = Duration.ofMillis(2500);
  private static final Set<String> UNDER_WAY = Set.of("QUEUED", "RUNNING", "IN_DOUBT");
  private static final String UP = "the guest is up";

  private final Bench bench;
  private final Operator ferry;
  private final String name;
  private final List<String> hosts;
  private int at;

  /** Boots one on the first of the hosts, and waits until it has filled its memory. */
  FerryMachine(Bench bench, Operator ferry, LinuxGuest guest, LinuxGuest.Spec spec, List<String> hosts) {
    this.bench = bench;
    this.ferry = ferry;
    this.name = spec.name();
    this.hosts = List.copyOf(hosts);
    JsonObject _ = ferry.json(COMMAND_LIMIT, guest.ferryWords(spec, host()).toArray(String[]::new));
    try {
      awaitUp();
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private void awaitUp() {
    long deadline = System.nanoTime() + BOOT_LIMIT.toNanos();
    while (!ferry.must(COMMAND_LIMIT, "vm", "console", name, "--log").output().contains(UP)) {
      if (System.nanoTime() - deadline > 0) {
        throw new BenchmarkException(name + " was not up after " + BOOT_LIMIT.toSeconds() + " s");
      }
      bench.settle();
    }
  }

  String name() {
    return name;
  }

  String host() {
    return hosts.get(at);
  }

  String next() {
    return hosts.get((at + 1) % hosts.size());
  }

  /** The id by which its files are named. */
  String id() {
    return ferry.json(COMMAND_LIMIT, "vm", "show", name).get("id").getAsString();
  }

  /** Moves it to the next host, after the last the first one. */
  Move move() {
    long start = System.nanoTime();
    JsonObject document = ferry.json(MOVE_LIMIT, "migrate", "live", name, "--to", next());
    Move move = Move.parse(document, (System.nanoTime() - start) / 1e9);
    at = (at + 1) % hosts.size();
    return move;
  }

  /** As {@link #move}, with the command ended before the guest is paused: a JVM that starts takes a processor for half a second. */
  Move moveUnwatched() {
    return moveUnwatched(() -> {
    });
  }

  /**
   * As {@link #moveUnwatched()}.
   *
   * @param moved run when a small guest has moved, ahead of the command that asks for the report
   */
  Move moveUnwatched(Runnable moved) {
    long start = System.nanoTime();
    String id = ferry.json(COMMAND_LIMIT, "migrate", "live", name, "--to", next(), "--detach").get("id").getAsString();
    long deadline = start + MOVE_LIMIT.toNanos();
    bench.pass(LEFT_ALONE);
    moved.run();
    JsonObject document = ferry.json(COMMAND_LIMIT, "migration", "show", id);
    while (UNDER_WAY.contains(document.get("state").getAsString())) {
      if (System.nanoTime() - deadline > 0) {
        throw new BenchmarkException("migration %s was not over after %d s".formatted(id, MOVE_LIMIT.toSeconds()));
      }
      bench.pass(LEFT_ALONE);
      document = ferry.json(COMMAND_LIMIT, "migration", "show", id);
    }
    Move move = Move.parse(document, (System.nanoTime() - start) / 1e9);
    at = (at + 1) % hosts.size();
    return move;
  }

  void warmUp(int moves) {
    for (int i = 0; i < moves; i++) {
      move();
    }
    bench.settle();
  }

  void pause() {
    ferry.json(COMMAND_LIMIT, "vm", "pause", name);
  }

  void resume() {
    ferry.json(COMMAND_LIMIT, "vm", "resume", name);
  }

  /** SHA-256 of its RAM while it is paused. */
  String digest() {
    return ferry.json(COMMAND_LIMIT, "vm", "digest", name).get("memoryDigest").getAsString();
  }

  @Override
  public void close() {
    ferry.json(COMMAND_LIMIT, "vm", "delete", name, "--force");
  }
}
