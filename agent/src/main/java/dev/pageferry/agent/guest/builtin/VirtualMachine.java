package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.disk.WriteTracking;
import dev.pageferry.agent.guest.GuestState;
import dev.pageferry.agent.guest.HarvestedPages;
import dev.pageferry.agent.guest.HeldDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.NetworkArrival;
import dev.pageferry.agent.guest.PageSource;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.RamDigest;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.guest.VmDigest;
import dev.pageferry.agent.memory.AtomicPageBitmap;
import dev.pageferry.agent.memory.DirtyLog;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.agent.ownership.LeaveToRun;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A VM of the built-in machine: RAM, dirty log and vCPUs. It is built as a skeleton, with memory and no vCPUs, and comes
 * to life when it is given registers: the initial ones at boot, or those that arrived from another host.
 */
public final class VirtualMachine implements IncomingGuest, Replayable {
  private static final Logger log = LoggerFactory.getLogger(VirtualMachine.class);
  private static final Duration FOREVER = Duration.ofDays(365);

  private volatile VmSpec spec;
  private final PageStore ram;
  private final DirtyLog dirtyLog;
  private final HostMemory memory;
  private final Optional<HostNetwork> hostNetwork;
  private final HeldDisks disks;
  private final Ticker ticker;

  /** Guarded by this; vCPUs run only while it is empty. */
  private final Set<PauseReason> pauseReasons = EnumSet.noneOf(PauseReason.class);
  private volatile List<Vcpu> vcpus = List.of();
  private volatile Optional<GuestNetwork> network = Optional.empty();
  private volatile StepMeter meter;
  /** Steps that the VM had done when it came to this host. */
  private volatile long stepsBrought;
  private final WhilePaused whilePaused = new WhilePaused();

  /** Guarded by this. */
  private boolean closed;
  /** Whether there is a reason to pause; for those who must not wait for the monitor while a disk makes a pause long. */
  private volatile boolean paused;

  private VirtualMachine(VmSpec spec, PageStore ram, HostMemory memory, Optional<HostNetwork> hostNetwork,
      HeldDisks disks, Ticker ticker) {
    this.spec = spec;
    this.ram = ram;
    this.memory = memory;
    this.hostNetwork = hostNetwork;
    this.disks = disks;
    this.dirtyLog = new DirtyLog(ram.pageCount(), spec.vcpus());
    this.ticker = ticker;
    this.meter = new StepMeter(ticker, 0);
  }

  /**
   * Reserves and backs the memory of a VM that has no vCPUs yet.
   *
   * @throws OutOfMemoryException if the host has too little; nothing stays reserved
   */
  static VirtualMachine skeleton(VmSpec spec, HostMemory memory, Optional<HostNetwork> network, HeldDisks disks,
      Ticker ticker) throws OutOfMemoryException, InterruptedException {
    PageStore ram = memory.allocate(spec.memoryBytes());
    try {
      return new VirtualMachine(spec, ram, memory, network, disks, ticker);
    } catch (RuntimeException | Error e) {
      ram.close();
      throw e;
    }
  }

  /** Its spec carries the image's SHA-256 from then on where there is an image. */
  @Override
  public void boot(DiskClaim claim, Set<PauseReason> reasons) throws IOException, InterruptedException {
    // It may be closed meanwhile, and its memory given back.
    ram.borrow();
    try {
      MemoryFill.fill(spec, ram, written()).ifPresent(sha256 -> spec = spec.withImageSha256(sha256));
    } finally {
      ram.giveBack();
    }
    openDisks(claim);
    load(spec.bootState(disks.devices()), reasons);
  }

  @Override
  public void load(GuestState state, Set<PauseReason> reasons) {
    load(MachineState.of(state), reasons);
  }

  /**
   * Gives a skeleton its vCPUs, in place of any that it has and that have not run. They stay paused until {@link #runOn}. The
   * state is copied.
   *
   * @throws IllegalArgumentException if the state is not that of this VM's number of vCPUs
   */
  synchronized void load(MachineState state, Set<PauseReason> reasons) {
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
    vcpus = IntStream.range(0, spec.vcpus()).mapToObj(i -> vcpu(i, state.vcpus().get(i))).toList();
    // They stand by: until connect() the VM is another host's.
    network = GuestNetwork.plugIn(spec, ram, dirtyLog, hostNetwork, disks::isPermitted, ticker);
    // Steps done on another host are no part of the rate on this one.
    meter = new StepMeter(ticker, state.steps());
    stepsBrought = state.steps();
  }

  private Vcpu vcpu(int number, Registers registers) {
    return new Vcpu(spec.name() + "-vcpu-" + number, spec.programOf(number), new Registers(registers.toArray()), ram,
        dirtyLog.vcpu(number), new MachineOutside(disks), spec.program().stepsPerSecondOfVcpu(), ticker);
  }

  @Override
  public void connect(BooleanSupplier isOurs) {
    network.ifPresent(each -> each.cards().activate(isOurs));
  }

  @Override
  public void handOverNetwork(String host) throws InterruptedException {
    if (network.isPresent()) {
      network.get().cards().handOver(host);
    }
  }

  @Override
  public Optional<NetworkArrival> networkArrival() {
    return network().map(GuestNetwork::arrival);
  }

  Optional<GuestNetwork> network() {
    return network;
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
  public void releaseDisks(String migration) throws IOException {
    disks.release(migration);
  }

  @Override
  public WriteTracking trackWrites() throws IOException {
    return disks.track();
  }

  @Override
  public VmSpec spec() {
    return spec;
  }

  @Override
  public PageStore ram() {
    return ram;
  }

  DirtyLog dirtyLog() {
    return dirtyLog;
  }

  @Override
  public PageSource openPages() {
    return new HarvestedPages(dirtyLog);
  }

  @Override
  public void addWritten(PageBitmap into) {
    dirtyLog.harvest(into);
    dirtyLog.addEverWritten(into);
  }

  @Override
  public AtomicPageBitmap written() {
    return dirtyLog.everWritten();
  }

  @Override
  public synchronized void pause(PauseReason reason) throws InterruptedException {
    boolean _ = pause(reason, Deadline.after(FOREVER, ticker));
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

  /** @return false, the reason removed again, if a vCPU or network card does not pause in time */
  private boolean pause(PauseReason reason, Deadline deadline) throws InterruptedException {
    boolean isNew = pauseReasons.add(reason);
    if (reason == PauseReason.MIGRATION) {
      network.ifPresent(each -> each.cards().leaves(true));
    }
    paused = true;
    Optional<GuestNetwork> cards = network;
    vcpus.forEach(Vcpu::hold);
    cards.ifPresent(GuestNetwork::hold);
    try {
      boolean pauses = cards.isEmpty() || cards.get().awaitPaused(deadline);
      for (Vcpu each : vcpus) {
        pauses = pauses && each.awaitPaused(deadline);
      }
      if (!pauses) {
        undoPause(reason, isNew);
      }
      return pauses;
    } catch (InterruptedException e) {
      undoPause(reason, isNew);
      throw e;
    }
  }

  /** The caller has no pause to end, so that the VM would stay paused for good. */
  private void undoPause(PauseReason reason, boolean isNew) {
    if (isNew) {
      endPause(reason);
    }
  }

  @Override
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
    return whilePaused.take(this, taker);
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
        network.ifPresent(each -> each.cards().leaves(false));
      }
      paused = !pauseReasons.isEmpty();
      if (!paused) {
        vcpus.forEach(Vcpu::letGo);
        network.ifPresent(GuestNetwork::letGo);
      }
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
  public GuestState state() {
    return machineState().toGuestState();
  }

  /** Registers of all vCPUs, while paused. */
  synchronized MachineState machineState() {
    if (pauseReasons.isEmpty()) {
      throw new IllegalStateException("the registers of a running VM are not defined");
    }
    return new MachineState(vcpus.stream().map(each -> new Registers(each.registers().toArray())).toList());
  }

  @Override
  public void throttle(int percent) {
    vcpus.forEach(each -> each.throttle(percent));
  }

  @Override
  public long steps() {
    return vcpus.stream().mapToLong(Vcpu::steps).sum();
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
  public long awaitFirstSign(long waitMillis) throws InterruptedException {
    return vcpus.isEmpty() ? 0 : vcpus.getFirst().awaitFirstStep(waitMillis);
  }

  @Override
  public Optional<Replayable> replayable() {
    return Optional.of(this);
  }

  @Override
  public VmDigest digest() throws InterruptedException {
    return takeWhilePaused(() -> {
      MachineState state = machineState();
      return new VmDigest(state.steps(), RamDigest.of(ram), state.digest());
    });
  }

  @Override
  public Result verify(Progress progress) throws OutOfMemoryException, IOException, InterruptedException {
    return new TwinVerifier(memory).verify(this, progress);
  }

  @Override
  public void close() {
    synchronized (this) {
      closed = true;
    }
    disks.refuseMore();
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
