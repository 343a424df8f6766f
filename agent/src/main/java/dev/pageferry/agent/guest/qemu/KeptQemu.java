package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.os.OsProcess;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A QEMU and its keeper ({@code keep.sh}), a small process that is its parent whatever becomes of this one: it ends QEMU once no
 * agent has been there for as long as it was told, and QEMU ends with it. This agent is there while it has its end of a pipe open.
 * What was left alone for a moment is stopped (SIGSTOP), until an agent knows whose it is.
 */
final class KeptQemu {
  private static final String SCRIPT = "keep.sh";
  /** What the keeper understands. */
  private static final String HERE = "here";
  private static final String GO = "go";
  private static final String END = "end";
  private static final Duration STARTS = Duration.ofSeconds(10);
  private static final Duration KEEPER_ENDS = Duration.ofSeconds(1);
  private static final Duration UNBOUNDED = Duration.ofDays(365);
  private static final Duration LOOK = Duration.ofMillis(1);
  /** What a shell adds to the number of the signal that ended a process. */
  private static final int SIGNALLED = 128;
  /** Left to the next agent. What nobody refers to is closed by the garbage collector, and its keeper would count too soon. */
  private static final Set<KeptQemu> RESTING = ConcurrentHashMap.newKeySet();
  private static final Logger log = LoggerFactory.getLogger(KeptQemu.class);

  private final OsProcess keeper;
  private final OsProcess qemu;
  private final MachineFiles files;
  /** Not a channel: the interrupt of a thread that uses one would close it, and QEMU's end would begin. */
  private final RandomAccessFile leash;
  private final Scheduler scheduler;

  private KeptQemu(OsProcess keeper, OsProcess qemu, MachineFiles files, RandomAccessFile leash, Scheduler scheduler) {
    this.keeper = keeper;
    this.qemu = qemu;
    this.files = files;
    this.leash = leash;
    this.scheduler = scheduler;
  }

  /**
   * How a QEMU is kept.
   *
   * @param patience how long it lives without an agent, in whole seconds
   * @param lock what its keeper has locked meanwhile, so that other hosts see it; empty: nothing
   */
  record Terms(Duration patience, Optional<Path> lock) {
  }

  /**
   * Starts one, in place of any that was in that directory and has ended.
   *
   * @param command QEMU and its arguments
   * @throws IOException with what it said, if it ends at once
   */
  static KeptQemu start(List<String> command, MachineFiles files, Terms terms, Scheduler scheduler)
      throws IOException, InterruptedException {
    for (Path left : List.of(files.pids(), files.leash(), files.ended(), files.run())) {
      Files.deleteIfExists(left);
    }
    Files.write(files.keeper(), script());
    // In a session of its own: what a terminal sends to the agent is not for guests.
    List<String> argv = new ArrayList<>(List.of("setsid", "sh", files.keeper().toString(), files.directory().toString(),
        String.valueOf(terms.patience().toSeconds()), terms.lock().map(Path::toString).orElse("-")));
    argv.addAll(command);
    Process started = new ProcessBuilder(argv).redirectErrorStream(true).redirectOutput(files.log().toFile())
        .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile())).start();
    boolean isKept = false;
    try {
      long end = scheduler.nanos() + STARTS.toNanos();
      // A process that is just becoming another program has no command line for a moment.
      for (Optional<KeptQemu> kept = living(files, scheduler, GO);; kept = living(files, scheduler, GO)) {
        if (kept.isPresent()) {
          isKept = true;
          return kept.get();
        }
        if (!started.isAlive() || scheduler.nanos() > end) {
          throw new IOException("QEMU did not start: " + files.saidLast());
        }
        scheduler.sleep(LOOK);
      }
    } finally {
      if (!isKept) {
        // And QEMU with it.
        started.destroyForcibly();
        files.noteUnsure();
      }
    }
  }

  private static byte[] script() throws IOException {
    try (InputStream in = Objects.requireNonNull(KeptQemu.class.getResourceAsStream(SCRIPT), SCRIPT)) {
      return in.readAllBytes();
    }
  }

  /** The one that lives in a directory, and was left by an agent: from here on one is there, and it is stopped until {@link #goOn}. */
  static Optional<KeptQemu> found(MachineFiles files, Scheduler scheduler) throws IOException {
    return living(files, scheduler, HERE);
  }

  private static Optional<KeptQemu> living(MachineFiles files, Scheduler scheduler, String firstWord)
      throws IOException {
    List<OsProcess> both = processes(files);
    if (both.size() < 2) {
      return Optional.empty();
    }
    RandomAccessFile leash = new RandomAccessFile(files.leash().toFile(), "rw");
    KeptQemu kept = new KeptQemu(both.get(0), both.get(1), files, leash, scheduler);
    boolean isHeld = false;
    try {
      kept.tell(firstWord);
      isHeld = true;
    } finally {
      if (!isHeld) {
        leash.close();
      }
    }
    return Optional.of(kept);
  }

  /** Keeper and QEMU, as far as they live. A number that is another process's by now has another command line. */
  static List<OsProcess> processes(MachineFiles files) throws IOException {
    List<OsProcess> alive = new ArrayList<>();
    try {
      for (String pid : Files.readString(files.pids()).strip().split(" ", -1)) {
        OsProcess.of(Long.parseLong(pid))
            .filter(each -> each.commandLine().contains(files.directory().toString()))
            .ifPresent(alive::add);
      }
    } catch (NoSuchFileException e) {
      // None was started.
    } catch (NumberFormatException e) {
      throw new IOException("%s is not of this form".formatted(files.pids()), e);
    }
    return alive;
  }

  /** Ends what is left of one, without a keeper or without a QEMU. */
  static void endAll(MachineFiles files, Scheduler scheduler) throws IOException, InterruptedException {
    List<OsProcess> left = processes(files);
    left.forEach(OsProcess::kill);
    while (left.stream().anyMatch(OsProcess::isAlive)) {
      scheduler.sleep(LOOK);
    }
  }

  private void tell(String word) throws IOException {
    leash.write((word + "\n").getBytes(StandardCharsets.US_ASCII));
  }

  /** The VM is this host's: QEMU runs, its machine as it was. */
  void goOn() throws IOException {
    tell(GO);
  }

  OsProcess process() {
    return qemu;
  }

  boolean isAlive() {
    return qemu.isAlive();
  }

  /** Ends it, and waits until the kernel has taken its memory and files back. Idempotent. */
  void kill() {
    qemu.kill();
    boolean _ = await(() -> !qemu.isAlive(), UNBOUNDED);
    endKeeper();
    abandon();
  }

  /** QEMU has ended: its keeper, which waits for this agent, is told. */
  private void endKeeper() {
    try {
      tell(END);
    } catch (IOException e) {
      log.debug("a keeper was not told: {}", e.toString());
    }
    if (!await(() -> !keeper.isAlive(), KEEPER_ENDS)) {
      keeper.kill();
      // So that it says nothing of the next one.
      boolean _ = await(() -> !keeper.isAlive(), KEEPER_ENDS);
    }
    if (!Files.exists(files.ended())) {
      files.noteUnsure();
    }
  }

  /** How it ended. */
  String ending() {
    endKeeper();
    try {
      int code = Integer.parseInt(Files.readString(files.ended()).strip());
      return code > SIGNALLED ? "signal " + (code - SIGNALLED) : "exit code " + code;
    } catch (IOException | NumberFormatException e) {
      return "with its keeper";
    }
  }

  /** This agent ends soon: until the next one has it QEMU is stopped. That counts from the end of this process, which may take its time. */
  void rest() {
    boolean _ = RESTING.add(this);
    try {
      tell(HERE);
    } catch (IOException e) {
      log.debug("a keeper was not told: {}", e.toString());
    }
  }

  /** For its keeper no agent is there any more. Idempotent. */
  void abandon() {
    try {
      leash.close();
    } catch (IOException e) {
      log.debug("a keeper was not let go: {}", e.toString());
    }
  }

  /** @return whether it came about in time; an interrupt is kept for whoever waits next */
  private boolean await(BooleanSupplier what, Duration atMost) {
    long end = scheduler.nanos() + atMost.toNanos();
    boolean interrupted = false;
    try {
      while (!what.getAsBoolean()) {
        if (scheduler.nanos() > end) {
          return false;
        }
        try {
          scheduler.sleep(LOOK);
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
      return true;
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
