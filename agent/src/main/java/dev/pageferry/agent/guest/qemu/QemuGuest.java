package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.disk.WriteTracking;
import dev.pageferry.agent.guest.GuestCondition;
import dev.pageferry.agent.guest.GuestConsole;
import dev.pageferry.agent.guest.GuestState;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.NetworkArrival;
import dev.pageferry.agent.guest.PageSource;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.PauseReasons;
import dev.pageferry.agent.guest.VmDigest;
import dev.pageferry.agent.memory.AtomicPageBitmap;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.network.PluggedCards;
import dev.pageferry.agent.ownership.LeaveToRun;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.OwnershipEpoch;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A guest in a machine of QEMU. Why it is paused is kept here: the machine is stopped for the first reason, and goes on after the last. */
final class QemuGuest implements IncomingGuest {
  private static final Logger log = LoggerFactory.getLogger(QemuGuest.class);

  private final QemuSpec spec;
  private final MachineMemory memory;
  private final PageStore ram;
  private final MachineFiles files;
  private final Machine machine;
  private final ServedDisks disks;
  private final MachineCards cards;
  private final MachineConsole console;
  private final FlashMemory flash;
  private final AtomicPageBitmap written;
  private final MachineDigest digest;
  private final MachineRecovery recovery;
  private final PauseReasons reasons = new PauseReasons(PauseReason.MIGRATION);
  private final boolean isKept;
  private final AtomicBoolean detached = new AtomicBoolean();

  /** @param memory in one of the files; ends with the guest, as they do */
  QemuGuest(QemuSpec spec, MachineMemory memory, MachineFiles files, ServedDisks disks, MachineCards cards,
      MachineConsole console, Optional<UefiVariables> variables, QemuStarter starter, Scheduler scheduler) {
    this.spec = spec;
    this.memory = memory;
    this.ram = memory.ram();
    this.files = files;
    this.disks = disks;
    this.cards = cards;
    this.console = console;
    this.machine = new Machine(spec, files, starter, cards, console, () -> !isPaused(),
        new MachineCondition.Listener(this::diskFailed, this::guestEnded), scheduler);
    this.flash = new FlashMemory(spec.name(), variables, files, scheduler);
    this.recovery = new MachineRecovery(machine, disks, () -> !isPaused(), scheduler);
    this.digest = new MachineDigest(this, scheduler);
    this.isKept = !starter.patience().isZero();
    this.written = new AtomicPageBitmap(ram.pageCount());
  }

  @Override
  public void boot(DiskClaim claim, Set<PauseReason> also) throws IOException, InterruptedException {
    openDisks(claim);
    disks.serve();
    flash.bring(claim.epoch());
    machine.boot();
    cards.plugIn();
    pausedFor(also);
  }

  @Override
  public void expectState() throws IOException, InterruptedException {
    spec.requireMovable();
    disks.serve();
    machine.expectState();
  }

  @Override
  public void takeAhead(GuestState part) throws IOException, InterruptedException {
    machine.take(MachineImage.of(part, QemuCommand.RAM_BLOCK));
  }

  @Override
  public void load(GuestState state, Set<PauseReason> also) throws IOException, InterruptedException {
    MachineImage image = MachineImage.of(state, QemuCommand.RAM_BLOCK);
    disks.serve();
    console.begin(image.console());
    machine.load(image);
    // Not before: what came for it where it was it has heard there.
    cards.plugIn();
    pausedFor(also);
  }

  /** Goes on with a QEMU that was found, and whose disks are open: as after {@link #load}, but that it may be running. */
  void attach(KeptQemu found) throws IOException, InterruptedException {
    if (files.isPaused()) {
      // Beside what has come up meanwhile.
      boolean _ = reasons.add(PauseReason.OPERATOR);
    }
    disks.serve();
    console.goOn();
    machine.attach(found);
    cards.plugIn();
  }

  /** Whether its QEMU may outlive this agent. */
  boolean isKept() {
    return isKept;
  }

  @Override
  public void ownedUnder(OwnershipEpoch epoch) {
    machine.ownedUnder(epoch);
    flash.ownedUnder(epoch);
  }

  void failed(String reason) {
    machine.failed(reason);
  }

  @Override
  public void requireReady() throws IOException, InterruptedException {
    try {
      machine.askCondition();
    } catch (IOException e) {
      machine.kill();
      throw e;
    }
  }

  private void pausedFor(Set<PauseReason> also) {
    reasons.become(PauseReason.MIGRATION, also);
    notePaused();
  }

  /** For the next agent of this machine. */
  private synchronized void notePaused() {
    files.notePaused(isPausedFor(PauseReason.OPERATOR));
  }

  @Override
  public QemuSpec spec() {
    return spec;
  }

  @Override
  public PageStore ram() {
    return ram;
  }

  @Override
  public AtomicPageBitmap written() {
    return written;
  }

  @Override
  public void addWritten(PageBitmap into) {
    for (long page = 0; page < ram.pageCount(); page++) {
      if (!ram.isZero(page)) {
        into.add(page);
      }
    }
  }

  @Override
  public PageSource openPages() throws IOException, InterruptedException {
    return machine.leaving().openPages(ram.pageCount());
  }

  @Override
  public void pause(PauseReason reason) throws InterruptedException {
    boolean _ = addReason(reason);
    if (reason == PauseReason.FENCE) {
      recovery.stopSoon();
    } else {
      recovery.stop();
    }
  }

  @Override
  public void pauseOrRunOn(PauseReason reason) throws IOException, InterruptedException {
    settleOrTakeBack(reason, addReason(reason));
  }

  private boolean addReason(PauseReason reason) {
    if (reason == PauseReason.MIGRATION) {
      cards.leaves(true);
    }
    return reasons.add(reason);
  }

  private void settleOrTakeBack(PauseReason reason, boolean isNew) throws IOException, InterruptedException {
    boolean pauses = false;
    try {
      machine.settle();
      pauses = true;
    } finally {
      if (!pauses && isNew) {
        endPause(reason);
      }
    }
  }

  @Override
  public void pauseForOperator(boolean paused) throws InterruptedException {
    boolean isNew = reasons.setOperators(paused, spec.name());
    notePaused();
    try {
      if (paused) {
        settleOrTakeBack(PauseReason.OPERATOR, isNew);
      } else {
        machine.settle();
      }
    } catch (IOException e) {
      throw new IllegalStateException("VM %s does not do that: %s".formatted(spec.name(), e.getMessage()), e);
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
    if (reason == PauseReason.MIGRATION) {
      cards.leaves(false);
    }
    if (reasons.remove(reason) && reason == PauseReason.OPERATOR) {
      notePaused();
    }
    if (!machine.settleAnyway()) {
      recovery.begin();
    }
  }

  @Override
  public boolean isPausedFor(PauseReason reason) {
    return reasons.contains(reason);
  }

  @Override
  public boolean isPaused() {
    return !reasons.isEmpty();
  }

  @Override
  public GuestCondition condition() {
    return machine.condition();
  }

  @Override
  public boolean powerDown(Duration atMost) throws IOException, InterruptedException {
    if (isPaused()) {
      throw new IllegalStateException(
          "VM %s is paused, and its guest cannot hear its power button; resume it, or stop it with --force"
              .formatted(spec.name()));
    }
    return machine.powerDown(atMost);
  }

  @Override
  public List<GuestState> stateAhead() throws IOException, InterruptedException {
    return machine.leaving().ahead().stream().flatMap(each -> each.parts().stream()).map(MachineImage::toState)
        .toList();
  }

  @Override
  public GuestState state() throws IOException, InterruptedException {
    return machine.leaving().image().with(console.carried()).toState();
  }

  @Override
  public void openDisks(DiskClaim claim) throws IOException, InterruptedException {
    disks.held().open(spec, claim);
  }

  /** QEMU keeps nothing back; what it has written is in the agent's hands. */
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
    return disks.held().track();
  }

  private void diskFailed() {
    recovery.begin();
  }

  private void guestEnded() {
    flash.keepSoon();
  }

  @Override
  public void connect(BooleanSupplier isOurs) {
    cards.plugged().ifPresent(each -> each.activate(isOurs));
  }

  @Override
  public void handOverNetwork(String host) throws InterruptedException {
    Optional<PluggedCards> plugged = cards.plugged();
    if (plugged.isPresent()) {
      plugged.get().handOver(host);
    }
  }

  @Override
  public Optional<NetworkArrival> networkArrival() {
    return cards.plugged().map(each -> new NetworkArrival(each.firstFrameSeconds(), each.reachedBy()));
  }

  @Override
  public VmDigest digest() throws IOException, InterruptedException {
    return digest.take();
  }

  @Override
  public Optional<GuestConsole> console() {
    return Optional.of(console);
  }

  @Override
  public void throttle(int percent) {
    machine.leaving().throttle(percent);
  }

  @Override
  public Duration throttleDelay() {
    return machine.leaving().throttleDelay();
  }

  @Override
  public long awaitFirstSign(long waitMillis) throws InterruptedException {
    return machine.awaitRunning(Duration.ofMillis(waitMillis));
  }

  /** QEMU lives on without an agent for as long as its keeper was told. */
  @Override
  public void detach() {
    if (!isKept || machine.condition().isOver()) {
      close();
      return;
    }
    if (detached.getAndSet(true)) {
      return;
    }
    console.keep();
    machine.leave();
    cards.close();
    console.close();
    disks.close();
    try {
      files.leave();
    } catch (IOException e) {
      log.error("vm={} was not left well: {}", spec.name(), e.toString());
    }
    memory.close();
  }

  private interface Ending extends AutoCloseable {
    @Override
    void close();
  }

  @Override
  public void close() {
    // From behind: frames first, as nothing is to be sent any more; the files last, in which the others have sockets and flash memory.
    try (memory; files; flash; Ending _ = memory::keepForNext; disks; console; machine; cards) {
      log.debug("vm={} ends", spec.name());
    } catch (IOException e) {
      log.error("vm={} its files were not removed: {}", spec.name(), e.getMessage());
    }
  }
}
