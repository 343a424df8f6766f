package dev.pageferry.agent.guest;

import dev.pageferry.agent.disk.BlockDevice;
import dev.pageferry.agent.disk.DiskSet;
import dev.pageferry.agent.memory.DirtyLog;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.agent.ownership.LeaveToRun;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A VM of the built-in guest: RAM, dirty log and vCPUs. It is built as a skeleton, with memory and no vCPUs, and comes
 * to life when it is given registers: the initial ones at boot, or those that arrived from another host.
 */
public final class VirtualMachine implements IncomingGuest {
  private static final Logger log = LoggerFactory.getLogger(VirtualMachine.class);
  private static final Duration FOREVER = Duration.ofDays(365);

  private volatile VmSpec spec;
  private final PageStore ram;
  private final DirtyLog dirtyLog;
  private final Optional<HostNetwork> hostNetwork;
  private final RunPermit permit;
  private final Ticker ticker;

  /** Guarded by this; vCPUs run only while it is empty. */
  private final Set<PauseReason> pauseReasons = EnumSet.noneOf(PauseReason.class);
  private volatile List<Vcpu> vcpus = List.of();
  private volatile Optional<GuestNetwork> network = Optional.empty();
  private volatile StepMeter meter;
  /** Steps that the VM had done when it came to this host. */
  private volatile long stepsBrought;
  /** Held while a digest is taken: a reason to pause cannot count those who have it. */
  private final ReentrantLock digesting = new ReentrantLock();

  /** Open where this host owns the VM and has not handed it over; guarded by this for changes. */
  private volatile @Nullable DiskSet disks;
  /** Guarded by this. */
  private boolean closed;
  /** Whether there is a reason to pause; for those who must not wait for the monitor while a disk makes a pause long. */
  private volatile boolean paused;

  private VirtualMachine(VmSpec spec, PageStore ram, Optional<HostNetwork> hostNetwork, RunPermit permit,
      Ticker ticker) {
    this.spec = spec;
    this.ram = ram;
    this.hostNetwork = hostNetwork;
    this.permit = permit;
    this.dirtyLog = new DirtyLog(ram.pageCount(), spec.vcpus());
    this.ticker = ticker;
    this.meter = new StepMeter(ticker, 0);
  }

  /**
   * Reserves and backs the memory of a VM that has no vCPUs yet.
   *
   * @throws OutOfMemoryException if the host has too little; nothing stays reserved
   */
  public static VirtualMachine skeleton(VmSpec spec, HostMemory memory, Optional<HostNetwork> network, RunPermit permit,
      Ticker ticker) throws OutOfMemoryException, InterruptedException {
    PageStore ram = memory.allocate(spec.memoryBytes());
    try {
      return new VirtualMachine(spec, ram, network, permit, ticker);
    } catch (RuntimeException | Error e) {
      ram.close();
      throw e;
    }
  }

  /**
   * The registers of every vCPU before step 0.
   *
   * @param disks of the VM, open; a program may go on behind what it finds there
   */
  public static GuestState bootState(VmSpec spec, List<BlockDevice> disks) throws IOException {
    List<Registers> registers = new ArrayList<>();
    for (int i = 0; i < spec.vcpus(); i++) {
      registers.add(spec.programOf(i).registersAtBoot(disks));
    }
    return new GuestState(registers);
  }

  /**
   * Gives a skeleton its vCPUs, in place of any that it has and that have not run. They stand until {@link #runOn}. The
   * state is copied.
   *
   * @throws IllegalArgumentException if the state is not that of this VM's number of vCPUs
   */
  @Override
  public synchronized void load(GuestState state, Set<PauseReason> reasons) {
    if (closed) {
      throw new IllegalStateException("VM %s is gone from this host".formatted(spec.name()));
    }
    if (state.vcpus().size() != spec.vcpus()) {
      throw new IllegalArgumentException(
          "state of %d vCPUs for a VM of %d vCPUs".formatted(state.vcpus().size(), spec.vcpus()));
    }
    for (int i = 0; i < spec.vcpus(); i++) {
      spec.program().verify(i, state.vcpus().get(i));
    }
    // A migration may come back from stop-and-copy and bring a newer state later; nothing ran in between.
    endThreads();
    pauseReasons.clear();
    pauseReasons.addAll(reasons);
    // Whoever loads a state has no leave to run it yet.
    pauseReasons.add(PauseReason.MIGRATION);
    paused = true;
    List<Vcpu> loaded = new ArrayList<>();
    for (int i = 0; i < spec.vcpus(); i++) {
      loaded.add(
          new Vcpu(spec.name() + "-vcpu-" + i, spec.programOf(i),
              new Registers(state.vcpus().get(i).toArray()), ram, dirtyLog.vcpu(i), outside(),
              spec.program().stepsPerSecondOfVcpu(), ticker));
    }
    vcpus = loaded;
    // They stand by: until connect() the VM is another host's.
    network = GuestNetwork.plugIn(spec, ram, dirtyLog, hostNetwork, this::mayRun, ticker);
    // Steps done on another host are no part of the rate on this one.
    meter = new StepMeter(ticker, state.steps());
    stepsBrought = state.steps();
  }

  @Override
  public void connect(BooleanSupplier isOurs) {
    network.ifPresent(each -> each.activate(isOurs));
  }

  @Override
  public void handOverNetwork(String host) throws InterruptedException {
    if (network.isPresent()) {
      network.get().handOver(host);
    }
  }

  @Override
  public Optional<NetworkArrival> networkArrival() {
    return network().map(GuestNetwork::arrival);
  }

  Optional<GuestNetwork> network() {
    return network;
  }

  /** Whether the host may run guests, and no other host is to have this one's disks: that is known before any pause. */
  private boolean mayRun() {
    DiskSet opened = disks;
    return permit.isLive() && (opened == null || !opened.isFenced());
  }

  private Vcpu.Outside outside() {
    return new Vcpu.Outside() {
      @Override
      public boolean isPermitted() {
        return mayRun();
      }

      @Override
      public @Nullable DiskSet disks() {
        return disks;
      }
    };
  }

  /** Gives the VM its disks, open under the epoch under which this host owns it. */
  @Override
  public synchronized void attach(DiskSet opened) {
    if (disks != null || closed) {
      throw new IllegalStateException(
          "VM %s %s".formatted(spec.name(), closed ? "is gone from this host" : "has its disks open already"));
    }
    disks = opened;
  }

  @Override
  public Optional<DiskSet> disks() {
    return Optional.ofNullable(disks);
  }

  @Override
  public void releaseDisks(String migration) throws IOException {
    DiskSet released;
    synchronized (this) {
      released = disks;
      disks = null;
    }
    // Outside the monitor: a disk may take its time.
    if (released != null) {
      released.release(migration);
    }
  }

  /** Completes the spec once the image has been read. */
  void recordImageSha256(String sha256) {
    spec = spec.withImageSha256(sha256);
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
  public DirtyLog dirtyLog() {
    return dirtyLog;
  }

  @Override
  public synchronized void pause(PauseReason reason) throws InterruptedException {
    boolean unused = pause(reason, Deadline.after(FOREVER, ticker));
  }

  @Override
  public synchronized void pauseOrRunOn(PauseReason reason) throws IOException, InterruptedException {
    if (!pause(reason, Deadline.after(LONGEST_DRAIN, ticker))) {
      throw new IOException(
          "VM %s did not pause within %d s: a disk or the switch does not answer a vCPU or network card"
              .formatted(
                  spec.name(), LONGEST_DRAIN.toSeconds()));
    }
  }

  /** @return false, the reason removed again, if a vCPU does not stand in time */
  private boolean pause(PauseReason reason, Deadline deadline) throws InterruptedException {
    boolean isNew = pauseReasons.add(reason);
    if (reason == PauseReason.MIGRATION) {
      network.ifPresent(each -> each.leaves(true));
    }
    paused = true;
    Optional<GuestNetwork> cards = network;
    vcpus.forEach(Vcpu::hold);
    cards.ifPresent(GuestNetwork::hold);
    try {
      boolean stands = cards.isEmpty() || cards.get().awaitStanding(deadline);
      for (Vcpu each : vcpus) {
        stands = stands && each.awaitStanding(deadline);
      }
      if (!stands) {
        undoPause(reason, isNew);
      }
      return stands;
    } catch (InterruptedException e) {
      undoPause(reason, isNew);
      throw e;
    }
  }

  /** The caller has no pause to end, so that the VM would stand for good. */
  private void undoPause(PauseReason reason, boolean isNew) {
    if (isNew) {
      endPause(reason);
    }
  }

  /**
   * Sets or removes the operator's pause.
   *
   * @throws IllegalStateException while a migration switches over: what it carries to the other host is fixed by then
   */
  public synchronized void pauseForOperator(boolean paused) throws InterruptedException {
    if (pauseReasons.contains(PauseReason.MIGRATION)) {
      throw new IllegalStateException("VM %s is switching over to another host; try again".formatted(spec.name()));
    }
    if (paused) {
      pause(PauseReason.OPERATOR);
    } else {
      resume(PauseReason.OPERATOR);
    }
  }

  /** Pauses the VM, keeps its RAM mapped and takes something of it; one at a time. */
  <T> T takeWhilePaused(Supplier<T> taker) throws InterruptedException {
    ram.borrow();
    try {
      digesting.lockInterruptibly();
      try {
        pause(PauseReason.DIGEST);
        try {
          return taker.get();
        } finally {
          resume(PauseReason.DIGEST);
        }
      } finally {
        digesting.unlock();
      }
    } finally {
      ram.giveBack();
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

  private synchronized void endPause(PauseReason reason) {
    if (pauseReasons.remove(reason)) {
      if (reason == PauseReason.MIGRATION) {
        network.ifPresent(each -> each.leaves(false));
      }
      paused = !pauseReasons.isEmpty();
      letGoIfNoReasonIsLeft();
    }
  }

  private void letGoIfNoReasonIsLeft() {
    if (pauseReasons.isEmpty()) {
      vcpus.forEach(Vcpu::letGo);
      network.ifPresent(GuestNetwork::letGo);
    }
  }

  @Override
  public synchronized boolean isPausedFor(PauseReason reason) {
    return pauseReasons.contains(reason);
  }

  @Override
  public boolean isPaused() {
    return paused;
  }

  @Override
  public synchronized GuestState state() {
    if (pauseReasons.isEmpty()) {
      throw new IllegalStateException("the registers of a running VM are not defined");
    }
    return new GuestState(vcpus.stream().map(each -> new Registers(each.registers().toArray())).toList());
  }

  @Override
  public void throttle(int percent) {
    for (Vcpu each : vcpus) {
      each.throttle(percent);
    }
  }

  @Override
  public long steps() {
    long steps = 0;
    for (Vcpu each : vcpus) {
      steps += each.steps();
    }
    return steps;
  }

  @Override
  public long stepsHere() {
    return steps() - stepsBrought;
  }

  @Override
  public double stepsPerSecond() {
    return meter.perSecond(steps());
  }

  @Override
  public long awaitFirstStep(long waitMillis) throws InterruptedException {
    return vcpus.isEmpty() ? 0 : vcpus.getFirst().awaitFirstStep(waitMillis);
  }

  /** Ends vCPUs and network cards, lets go of the disks, and gives the memory back once nobody borrows it. Idempotent. */
  @Override
  public void close() {
    synchronized (this) {
      closed = true;
    }
    endThreads();
    try {
      releaseDisks("");
    } catch (IOException e) {
      log.warn("vm={} its disks were not released well: {}", spec.name(), IoFailure.sentence(e));
    }
    ram.close();
  }

  private void endThreads() {
    network.ifPresent(GuestNetwork::close);
    vcpus.forEach(Vcpu::end);
  }
}
