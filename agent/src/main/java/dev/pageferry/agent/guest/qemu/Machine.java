package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonObject;
import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestCondition;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.identity.OwnershipEpoch;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A machine, in one QEMU after another: a QEMU boots once, or takes one state, in its life. One caller at a time has it do something;
 * any number may ask what became of it.
 */
final class Machine implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Machine.class);

  private final QemuSpec spec;
  private final MachineFiles files;
  private final QemuStarter starter;
  private final MachineCards cards;
  private final MachineConsole console;
  private final Scheduler scheduler;
  private final BooleanSupplier mayRun;
  private final OneAtATime commands;
  /** The condition, or whether it runs. */
  private final Signal changed;
  private final MachineCondition condition;
  private final MigrationNews news;
  /** Of a machine whose state is coming; inside {@link #commands}, as the two below. */
  private @Nullable Arrival arrival;
  /** Whether QEMU has said that it goes on. */
  private boolean running;
  /** Whether it has said that it stopped; neither is known while it has not answered. */
  private boolean stopped;
  private final PageTracking tracking;
  private final Leaving leaving;
  private volatile @Nullable QemuProcess process;
  /** On the scheduler's clock; 0: not since it came. */
  private volatile long runsSince;
  private volatile boolean closed;
  /** Under which this host has it; 0: it is on its way. */
  private volatile long epoch;

  /**
   * @param mayRun whether there is no reason to pause it; {@link #settle} acts on it
   */
  Machine(QemuSpec spec, MachineFiles files, QemuStarter starter, MachineCards cards, MachineConsole console,
      BooleanSupplier mayRun, MachineCondition.Listener listener, Scheduler scheduler) {
    this.spec = spec;
    this.files = files;
    this.starter = starter;
    this.cards = cards;
    this.console = console;
    this.mayRun = mayRun;
    this.scheduler = scheduler;
    this.commands = new OneAtATime(spec.name(), scheduler);
    this.changed = scheduler.newSignal();
    this.tracking = new PageTracking(spec, files, starter.writtenPages(), scheduler);
    this.leaving = new Leaving(spec.name(), files, commands, new Leaving.Current() {
      @Override
      public Qmp monitor() throws IOException {
        return Machine.this.monitor();
      }

      @Override
      public boolean isGone() {
        return Machine.this.isGone();
      }

      @Override
      public boolean isStopped() {
        return stopped;
      }
    }, tracking, scheduler);
    this.condition = new MachineCondition(spec.name(), listener, changed);
    this.news = new MigrationNews(changed, () -> condition.isOver());
  }

  /** Switches it on; it is paused ahead of its first instruction. */
  void boot() throws IOException, InterruptedException {
    commands.run(() -> {
      QemuProcess _ = start(false);
    });
  }

  /** Has a QEMU wait for a state. */
  void expectState() throws IOException, InterruptedException {
    commands.run(() -> Arrival.prepare(start(true).monitor()));
  }

  /** Gives it a part of a state, whose rest and RAM are on their way. */
  void take(MachineImage part) throws IOException, InterruptedException {
    commands.run(() -> arriving(part).take(part));
  }

  /** Gives it a state, or the rest of it, whose RAM is filled already; it is paused. */
  void load(MachineImage image) throws IOException, InterruptedException {
    commands.run(() -> {
      try (Arrival arriving = arriving(image)) {
        arrival = null;
        arriving.finish(image);
      }
    });
  }

  private Arrival arriving(MachineImage image) throws IOException, InterruptedException {
    Arrival begun = arrival;
    if (begun == null) {
      QemuProcess waiting = process;
      if (waiting == null || waiting.isLoaded()) {
        waiting = start(true);
        Arrival.prepare(waiting.monitor());
      }
      // It takes one state, whatever becomes of this one.
      waiting.loads();
      begun = Arrival.begin(waiting.monitor(), news, files.arrival(), image.memory(), scheduler);
      arrival = begun;
    }
    return begun;
  }

  /**
   * Asks what became of a machine that was loaded: its guest may be off, or have crashed.
   *
   * @throws IOException if its QEMU is gone, or does not answer
   */
  void askCondition() throws IOException, InterruptedException {
    commands.run(() -> condition.ask(monitor()));
  }

  /**
   * Goes on with a QEMU that was found. A migration that was under way is none any more.
   *
   * @throws IOException if it does not answer, or waits for a state that nobody has
   */
  void attach(KeptQemu found) throws IOException, InterruptedException {
    commands.run(() -> {
      requireOpen();
      QemuProcess now = adopt(QemuProcess.of(found, files, scheduler, this::hear));
      now.loads();
      Departure.endLeftOver(now.monitor(), scheduler);
      if (RunState.of(now.monitor()).equals(RunState.INCOMING)) {
        throw new IOException("it had no state yet");
      }
      condition.ask(now.monitor());
      tracking.found(found.process());
      // Ahead of the question: a stop that is heard meanwhile counts.
      leaving.runs(true);
      running = RunState.of(now.monitor()).equals(RunState.RUNNING);
      stopped = !running;
      if (stopped) {
        leaving.runs(false);
      }
      if (running) {
        cards.passFrames();
        runsSince = scheduler.nanos();
        files.noteRun();
      }
    });
  }

  /** It cannot be had any more. */
  void failed(String reason) {
    condition.become(new GuestCondition(GuestCondition.Kind.FAILED, reason));
  }

  private void hear(JsonObject event) {
    news.hear(event);
    leaving.hear(event);
    condition.hear(event);
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("VM %s is gone from this host".formatted(spec.name()));
    }
  }

  /** From now on this host has it under that epoch. */
  void ownedUnder(OwnershipEpoch now) {
    epoch = now.value();
    try {
      MachineRecord.change(files, each -> each.under(now));
    } catch (IOException e) {
      log.warn("vm={} under which epoch it is here is not known to the next agent: {}", spec.name(), e.toString());
    }
  }

  private QemuProcess adopt(QemuProcess next) throws IOException {
    process = next;
    next.onEnd(() -> ended(next));
    console.connect();
    return next;
  }

  private QemuProcess start(boolean isIncoming) throws IOException, InterruptedException {
    requireOpen();
    endArrival();
    QemuProcess before = process;
    process = null;
    if (before != null) {
      before.close();
    }
    running = false;
    stopped = true;
    runsSince = 0;
    leaving.runs(false);
    condition.become(GuestCondition.FINE);
    Files.deleteIfExists(files.monitor());
    KeptQemu started = starter.start(spec, files, isIncoming, epoch);
    boolean isThere = false;
    try {
      QemuProcess there = adopt(QemuProcess.of(started, files, scheduler, this::hear));
      tracking.prepare(started.process());
      isThere = true;
      return there;
    } finally {
      if (!isThere) {
        started.kill();
      }
    }
  }

  private Qmp monitor() throws IOException {
    QemuProcess now = process;
    if (now == null) {
      throw new IOException("VM %s has no QEMU".formatted(spec.name()));
    }
    return now.monitor();
  }

  private void endArrival() throws IOException {
    Arrival begun = arrival;
    arrival = null;
    if (begun != null) {
      begun.close();
    }
  }

  /** A QEMU that is not wanted any more has ended well. */
  private void ended(QemuProcess which) {
    if (which == process && !closed) {
      condition.ended(which.epitaph());
    }
  }

  GuestCondition condition() {
    return condition.now();
  }

  /** Whether it stopped by itself, and may go on. */
  boolean isHalted() {
    return condition.isHalted();
  }

  /** Presses the power button. @return whether the guest is off, or over otherwise, within that time */
  boolean powerDown(Duration atMost) throws IOException, InterruptedException {
    if (condition.isOver()) {
      return true;
    }
    commands.run(() -> {
      JsonObject _ = monitor().execute("system_powerdown");
    });
    return changed.await(condition::isOver, atMost);
  }

  /** Stops it or has it go on, as it is to be. */
  void settle() throws IOException, InterruptedException {
    commands.run(() -> {
      boolean runs = mayRun.getAsBoolean() && !closed;
      if (runs && (!running || condition.isHalted())) {
        goOn();
      } else if (!runs && !stopped) {
        stop();
      }
    });
  }

  /** Whether a request to a disk has stopped it; it is halted then. */
  boolean isStoppedByDisk(ServedDisks.Failure failure) throws InterruptedException {
    try {
      boolean isStopped = commands.call(() -> RunState.of(monitor())).equals(RunState.DISK_FAILED);
      if (isStopped) {
        condition.halted(failure);
      }
      return isStopped;
    } catch (IOException e) {
      log.debug("vm={} its state is not known", spec.name(), e);
      return false;
    }
  }

  /** Ends its process at once; the machine has failed then. */
  void kill() {
    QemuProcess now = process;
    if (now != null) {
      now.kill();
    }
  }

  /** Its process has ended: nothing of it runs. */
  private boolean isGone() {
    QemuProcess now = process;
    return now == null || !now.isAlive();
  }

  private void stop() throws IOException, InterruptedException {
    running = false;
    cards.holdFrames();
    if (!isGone()) {
      JsonObject _ = monitor().execute("stop", new JsonObject(), Guest.LONGEST_DRAIN);
    }
    cards.awaitSent();
    console.awaitTaken();
    stopped = true;
  }

  private void goOn() throws IOException, InterruptedException {
    leaving.goesOn();
    stopped = false;
    // Ahead of it: what stops it again is told at once.
    condition.goesOn();
    if (!condition.isOver()) {
      RunState.goOn(monitor(), scheduler);
    }
    cards.passFrames();
    running = true;
    runsSince = scheduler.nanos();
    changed.raise();
    files.noteRun();
    leaving.wentOn();
  }

  /** @return when it went on last, on the scheduler's clock, or 0 if it did not in time */
  long awaitRunning(Duration atMost) throws InterruptedException {
    boolean _ = changed.await(() -> runsSince != 0, atMost);
    return runsSince;
  }

  /** Its pages, its state, and its end here. */
  Leaving leaving() {
    return leaving;
  }

  /**
   * As {@link #settle}, whatever interrupts it. Of a machine that does not go on its condition tells; an operator may try again.
   *
   * @return whether it is as it is to be
   */
  boolean settleAnyway() {
    return commands.anyway(() -> {
      try {
        settle();
      } catch (IOException e) {
        condition.halted("it does not go on (%s)".formatted(e.getMessage()));
        throw e;
      }
    }, "does not go on");
  }

  /** Ends it. Idempotent. */
  @Override
  public void close() {
    end(QemuProcess::close);
  }

  /** Leaves its QEMU to the next agent, as it is. Idempotent. */
  void leave() {
    end(each -> {
      leaving.end();
      each.letGo();
    });
  }

  private interface End {
    void of(QemuProcess process) throws InterruptedException;
  }

  private void end(End end) {
    boolean _ = commands.anyway(() -> commands.run(() -> {
      closed = true;
      endArrival();
      QemuProcess ends = process;
      process = null;
      if (ends != null) {
        end.of(ends);
      }
      leaving.end();
    }), "was not ended well");
  }
}
