package dev.pageferry.simulation;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.disk.WriteTracking;
import dev.pageferry.agent.guest.GuestState;
import dev.pageferry.agent.guest.HarvestedPages;
import dev.pageferry.agent.guest.HeldDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.NetworkArrival;
import dev.pageferry.agent.guest.PageSource;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.guest.VmDigest;
import dev.pageferry.agent.guest.builtin.MachineState;
import dev.pageferry.agent.guest.builtin.Registers;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.memory.AtomicPageBitmap;
import dev.pageferry.agent.memory.DirtyLog;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.memory.VcpuDirtyLog;
import dev.pageferry.agent.ownership.LeaveToRun;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A guest with a real page store and a real dirty log, whose one vCPU is an event: now and then it does some steps. Step n
 * alone decides what it writes, so that the memory follows from the number of steps. One with a disk makes a record of its journal
 * safe ahead of them, which takes a task.
 */
final class SimulatedGuest implements IncomingGuest, Replayable {
  private static final int MOST_STEPS = 16;
  /** Registers. */
  private static final int BOOT = 5;
  private static final int JOURNAL = 6;
  /** As a vCPU whose host may not run it asks again. */
  private static final Duration NOT_PERMITTED = Duration.ofMillis(100);
  private static final int LONGEST_PAUSE_NANOS = 3_000_000;

  private final VmSpec spec;
  private final SimulatedScheduler host;
  private final Baton baton;
  private final SplittableRandom random;
  private final Effects effects;
  private final PageStore ram;
  private final DirtyLog log;
  private final Set<PauseReason> reasons = EnumSet.of(PauseReason.OPERATOR);
  private final Signal stepped;
  private final HeldDisks disks;
  private final SimulatedMachines machines;
  private final Signal requestOver;
  private @Nullable SimulatedJournal journal;
  private @Nullable MachineState state;
  private long steps;
  private long stepsBrought;
  private long firstStepNanos;
  private boolean ticking;
  /** A request to a disk is under way: the guest does not pause meanwhile. */
  private boolean inRequest;
  /** Its pages were handed over before. */
  private boolean hasLeft;
  /** Tells boots apart: memory of an earlier one is of no use any more. */
  private long boot;
  private long epoch;
  private boolean closed;
  private boolean freed;
  private @Nullable BooleanSupplier isHeard;
  private int throttlePercent;

  /** Who watches what the guests of all hosts do. */
  interface Effects {
    void steps(SimulatedGuest guest, long from, long to);

    /** The guest is switched on, with what its journal had; told which boot this is. */
    default long boots(SimulatedGuest guest, long epoch, long journalled) {
      return 0;
    }

    /** It was told that the record is safe. */
    default void journalled(SimulatedGuest guest, long record) {
    }

    void built(SimulatedGuest guest);
  }

  SimulatedGuest(VmSpec spec, SimulatedMachines machines) throws OutOfMemoryException, InterruptedException {
    this.spec = spec;
    this.machines = machines;
    this.host = machines.host();
    this.baton = machines.baton();
    this.effects = machines.effects();
    this.disks = machines.held();
    this.random = baton.newRandom();
    this.ram = PageStore.allocate(spec.memoryBytes());
    this.log = new DirtyLog(ram.pageCount(), 1);
    this.requestOver = host.newSignal();
    this.stepped = host.newSignal();
    effects.built(this);
  }

  SimulatedScheduler host() {
    return host;
  }

  boolean isClosed() {
    return closed;
  }

  /** Whether nothing but its host keeps it from its next step. */
  boolean runs() {
    return state != null && reasons.isEmpty() && !closed && !host.isSealed();
  }

  /** Whether it would do its next step. */
  boolean isAtWork() {
    return runs() && !host.isFrozen() && isPermitted();
  }

  /** What others hear of one without disks are its steps. */
  private boolean isPermitted() {
    BooleanSupplier heard = isHeard;
    return disks.isPermitted() && (!spec.disks().isEmpty() || heard == null || heard.getAsBoolean());
  }

  long boot() {
    return boot;
  }

  @Override
  public void load(GuestState loaded, Set<PauseReason> newReasons) {
    load(MachineState.of(loaded), newReasons);
  }

  void load(MachineState loaded, Set<PauseReason> newReasons) {
    state = loaded;
    steps = loaded.steps();
    stepsBrought = steps;
    boot = loaded.vcpus().getFirst().get(BOOT);
    if (!spec.disks().isEmpty()) {
      journal = new SimulatedJournal(disks, loaded.vcpus().getFirst().get(JOURNAL));
    }
    reasons.clear();
    reasons.addAll(newReasons);
    reasons.add(PauseReason.MIGRATION);
  }

  private void go() {
    if (runs() && !ticking) {
      ticking = true;
      tickSoon();
    }
  }

  private void tickSoon() {
    long wait = machines.pace().toNanos() * 100 / (100 - throttlePercent);
    host.later(Duration.ofNanos(wait / 2 + random.nextLong(wait)), "the guest steps", this::tick);
  }

  private void tick() {
    ticking = runs();
    if (!ticking) {
      return;
    }
    SimulatedJournal kept = journal;
    if (!isPermitted()) {
      host.later(NOT_PERMITTED, "the guest may not step", this::tick);
    } else if (kept == null) {
      step();
      tickSoon();
    } else {
      inRequest = true;
      Task unused = host.start("vcpu " + spec.name(), () -> keepJournal(kept));
    }
  }

  /** A record, and then the steps that depend on its being safe. */
  private void keepJournal(SimulatedJournal kept) {
    boolean isDone = false;
    try {
      isDone = kept.append(epoch);
    } finally {
      if (!host.isSealed()) {
        if (isDone) {
          effects.journalled(this, kept.last());
        }
        inRequest = false;
        ticking = false;
        if (isDone && !closed) {
          step();
        }
        requestOver.raise();
        if (!isDone && runs()) {
          ticking = true;
          host.later(NOT_PERMITTED, "the guest tries again", this::tick);
        } else {
          go();
        }
      }
    }
  }

  private void step() {
    long from = steps;
    VcpuDirtyLog marks = log.vcpu(0);
    marks.unpark();
    long[] words = marks.words();
    for (int i = random.nextInt(MOST_STEPS); i >= 0; i--) {
      VcpuDirtyLog.mark(words, pageOf(steps, ram.pageCount()));
      ram.putLong(addressOf(steps, ram.pageCount()), valueOf(steps));
      steps++;
    }
    marks.park();
    if (firstStepNanos == 0) {
      firstStepNanos = host.nanos();
    }
    effects.steps(this, from, steps);
    stepped.raise();
  }

  static long pageOf(long step, long pages) {
    // Most steps go to few pages, so that rounds shrink what is left.
    long mixed = mix(step);
    return Math.floorMod(mixed >>> 8, (mixed & 7) == 0 ? pages : Math.min(pages, 24));
  }

  static long addressOf(long step, long pages) {
    return PageSize.bytesOf(pageOf(step, pages)) + ((mix(step ^ 0x5555) & 0x1ff) << 3);
  }

  static long valueOf(long step) {
    return mix(step * 31 + 7) | 1;
  }

  private static long mix(long value) {
    long z = value + 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  @Override
  public VmSpec spec() {
    return spec;
  }

  @Override
  public PageStore ram() {
    return ram;
  }

  @Override
  public PageSource openPages() {
    boolean isFirst = !hasLeft;
    hasLeft = true;
    return isFirst || !machines.forgetsRounds() ? new HarvestedPages(log) : new ForgottenRounds(log);
  }

  @Override
  public void addWritten(PageBitmap into) {
    log.harvest(into);
    log.addEverWritten(into);
  }

  @Override
  public AtomicPageBitmap written() {
    return log.everWritten();
  }

  @Override
  public void pause(PauseReason reason) throws InterruptedException {
    if (!pause(reason, Signal.FOR_EVER)) {
      throw new IllegalStateException("a request to a disk takes for ever");
    }
  }

  @Override
  public void pauseOrRunOn(PauseReason reason) throws IOException, InterruptedException {
    if (!pause(reason, LONGEST_DRAIN)) {
      throw new IOException("VM %s did not pause: a disk does not answer".formatted(spec.name()));
    }
  }

  private boolean pause(PauseReason reason, Duration atMost) throws InterruptedException {
    boolean isNew = reasons.add(reason);
    boolean pauses = false;
    try {
      baton.park(host, null, random.nextInt(LONGEST_PAUSE_NANOS));
      pauses = requestOver.await(() -> !inRequest, atMost);
      return pauses;
    } finally {
      if (!pauses && isNew && !host.isSealed()) {
        endPause(reason);
      }
    }
  }

  @Override
  public void resume(PauseReason reason) {
    if (reason == PauseReason.MIGRATION) {
      throw new IllegalArgumentException("VM %s runs on only with leave".formatted(spec.name()));
    }
    endPause(reason);
  }

  @Override
  public void runOn(LeaveToRun leave) {
    endPause(PauseReason.MIGRATION);
  }

  private void endPause(PauseReason reason) {
    if (reasons.remove(reason)) {
      firstStepNanos = 0;
      go();
    }
  }

  @Override
  public boolean isPausedFor(PauseReason reason) {
    return reasons.contains(reason);
  }

  @Override
  public void pauseForOperator(boolean paused) throws InterruptedException {
    if (paused) {
      pause(PauseReason.OPERATOR);
    } else {
      resume(PauseReason.OPERATOR);
    }
  }

  @Override
  public void boot(DiskClaim claim, Set<PauseReason> whilePaused) throws IOException, InterruptedException {
    disks.open(spec, claim);
    long journalled = spec.disks().isEmpty() ? 0 : SimulatedJournal.lastOn(disks);
    Registers registers = new Registers();
    registers.set(BOOT, effects.boots(this, claim.epoch(), journalled));
    registers.set(JOURNAL, journalled);
    load(new MachineState(List.of(registers)), whilePaused);
  }

  @Override
  public void ownedUnder(OwnershipEpoch newEpoch) {
    epoch = newEpoch.value();
  }

  @Override
  public GuestState state() {
    if (reasons.isEmpty()) {
      throw new IllegalStateException("the registers of a running VM are not defined");
    }
    long[] values = new long[Registers.COUNT];
    values[Registers.PROGRAM_COUNTER] = steps;
    values[BOOT] = boot;
    values[JOURNAL] = journal == null ? 0 : journal.last();
    return new MachineState(List.of(new Registers(values))).toGuestState();
  }

  @Override
  public void connect(BooleanSupplier isOurs) {
    isHeard = isOurs;
  }

  @Override
  public Optional<NetworkArrival> networkArrival() {
    return Optional.empty();
  }

  @Override
  public boolean isPaused() {
    return !reasons.isEmpty();
  }

  @Override
  public long stepsHere() {
    return steps - stepsBrought;
  }

  @Override
  public long awaitFirstSign(long waitMillis) throws InterruptedException {
    boolean inTime = stepped.await(() -> firstStepNanos != 0, Duration.ofMillis(waitMillis));
    return inTime ? firstStepNanos : 0;
  }

  @Override
  public void openDisks(DiskClaim claim) throws IOException, InterruptedException {
    disks.open(spec, claim);
  }

  @Override
  public void flushDisks() throws IOException {
    disks.flush();
  }

  @Override
  public WriteTracking trackWrites() throws IOException {
    return disks.track();
  }

  @Override
  public void releaseDisks(String migration) throws IOException {
    disks.release(migration);
  }

  @Override
  public void handOverNetwork(String hostName) {
    // It has no network cards.
  }

  @Override
  public void throttle(int percent) {
    throttlePercent = percent;
  }

  @Override
  public long steps() {
    return steps;
  }

  @Override
  public double stepsPerSecond() {
    return 1000;
  }

  @Override
  public Optional<Replayable> replayable() {
    return Optional.of(this);
  }

  @Override
  public VmDigest digest() {
    throw new IllegalStateException("nobody asks for it");
  }

  @Override
  public Result verify(Progress progress) {
    throw new IllegalStateException("nobody asks for it");
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    disks.refuseMore();
    try {
      awaitRequest();
      releaseDisks("");
    } catch (IOException e) {
      baton.trace(host.name(), "disks of %s were not released well: %s".formatted(spec.name(), e.getMessage()));
    }
    free();
  }

  private void awaitRequest() {
    boolean interrupted = false;
    while (inRequest) {
      try {
        requestOver.await(() -> !inRequest);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Gives the memory back, for good. */
  void free() {
    if (!freed) {
      freed = true;
      ram.close();
    }
  }
}
