package dev.pageferry.agent.transport;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.disk.WriteTracking;
import dev.pageferry.agent.guest.GuestKind;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.guest.GuestState;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.NetworkArrival;
import dev.pageferry.agent.guest.PageSource;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.PushedPages;
import dev.pageferry.agent.memory.AtomicPageBitmap;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.ownership.LeaveToRun;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.proto.agent.v1.VmSpec;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A machine that is not the built-in one: its dirty pages are its own affair, and during a migration it goes over its memory by
 * itself and pushes what it finds, as a hypervisor does. Its state is the number of writes that it has done; they alone decide
 * what its memory holds.
 */
final class PushingMachine implements IncomingGuest {
  private static final String KIND = "pushing";
  private static final int VERSION = 3;
  private static final int WRITES_AT_ONCE = 64;
  private static final int PUSHED_AT_ONCE = 100;
  private static final String HOT_PAGES = "hotPages";
  private static final int COLD_EVERY = 4096;
  private static final long IDLE_PASS_MILLIS = 5;

  /**
   * All that there is to say of it.
   *
   * @param hotPages that it writes again and again
   */
  record Spec(VmId id, String name, long memoryBytes, int hotPages) implements GuestSpec {
    @Override
    public List<DiskDescription> disks() {
      return List.of();
    }

    @Override
    public List<NetworkCard> nics() {
      return List.of();
    }

    @Override
    public VmSpec toMessage() {
      return VmSpec.newBuilder().setId(id.value()).setName(name).setMemoryBytes(memoryBytes)
          .putProgramArgs(HOT_PAGES, String.valueOf(hotPages)).build();
    }
  }

  /** Builds them. */
  static final class Kind implements GuestKind {
    @Override
    public GuestSpec spec(VmSpec message) {
      return new Spec(new VmId(message.getId()), message.getName(), message.getMemoryBytes(),
          Integer.parseInt(message.getProgramArgsOrThrow(HOT_PAGES)));
    }

    @Override
    public void check(GuestSpec spec) {
      // There is nothing that it boots from.
    }

    @Override
    public IncomingGuest skeleton(GuestSpec spec) throws OutOfMemoryException, InterruptedException {
      return new PushingMachine((Spec) spec);
    }
  }

  private final Spec spec;
  private final PageStore ram;
  private final AtomicPageBitmap written;
  /** Fair: the guest would keep it. */
  private final ReentrantLock lock = new ReentrantLock(true);
  private final Condition changed = lock.newCondition();
  /** Guarded by the lock, as all below: the pages that were written since the pass under way began. */
  private BitSet dirty = new BitSet();
  private final Set<PauseReason> reasons = EnumSet.of(PauseReason.OPERATOR);
  private long writes;
  private long firstSignNanos;
  private boolean loaded;
  private boolean closed;
  private int restsPushed;
  private boolean allPushed;
  private volatile boolean silent;
  private volatile boolean waitedFor;
  private @Nullable PushedPages pushed;
  private @Nullable IOException trouble;

  private PushingMachine(Spec spec) throws OutOfMemoryException, InterruptedException {
    this.spec = spec;
    this.ram = PageStore.allocate(spec.memoryBytes());
    this.written = new AtomicPageBitmap(ram.pageCount());
  }

  /** What memory holds at first: every third page something. */
  private static void fill(PageStore ram) {
    for (long page = 0; page < ram.pageCount(); page += 3) {
      ram.putLong(PageSize.bytesOf(page), page + 1);
    }
  }

  private long write(PageStore target, long number) {
    long page = number % COLD_EVERY == 0
        ? Math.floorMod(number * 0x9E3779B97F4A7C15L, target.pageCount())
        : number % spec.hotPages();
    target.putLong(PageSize.bytesOf(page) + 8 + (number % 500) * 8, number + 1);
    return page;
  }

  /** Whether memory holds what so many writes leave, to the byte; the machine is paused. */
  boolean holdsWhatItsWritesLeave() throws OutOfMemoryException, InterruptedException {
    try (PageStore expected = PageStore.allocate(spec.memoryBytes())) {
      fill(expected);
      for (long i = 0; i < writes(); i++) {
        write(expected, i);
      }
      byte[] here = new byte[PageSize.BYTES];
      byte[] there = new byte[PageSize.BYTES];
      for (long page = 0; page < ram.pageCount(); page++) {
        ram.read(PageSize.bytesOf(page), here);
        expected.read(PageSize.bytesOf(page), there);
        if (!Arrays.equals(here, there)) {
          return false;
        }
      }
      return true;
    }
  }

  long writes() {
    lock.lock();
    try {
      return writes;
    } finally {
      lock.unlock();
    }
  }

  /** How often the machine was paused and had pushed everything. */
  int restsPushed() {
    lock.lock();
    try {
      return restsPushed;
    } finally {
      lock.unlock();
    }
  }

  boolean isPushing() {
    lock.lock();
    try {
      return pushed != null;
    } finally {
      lock.unlock();
    }
  }

  /** It hangs, and pushes nothing after the pass that is under way. */
  void fallsSilent() {
    silent = true;
  }

  boolean isWaitedFor() {
    return waitedFor;
  }

  /** From its next pass on it cannot be moved. */
  void breaks(IOException cause) {
    lock.lock();
    try {
      trouble = cause;
    } finally {
      lock.unlock();
    }
  }

  private void run() {
    while (true) {
      lock.lock();
      try {
        while (!reasons.isEmpty() && !closed) {
          changed.awaitUninterruptibly();
        }
        if (closed) {
          return;
        }
        for (int i = 0; i < WRITES_AT_ONCE; i++) {
          dirty.set((int) write(ram, writes++));
        }
        if (firstSignNanos == 0) {
          firstSignNanos = System.nanoTime();
          changed.signalAll();
        }
      } finally {
        lock.unlock();
      }
    }
  }

  @Override
  public PageSource openPages() {
    PushedPages pages = new PushedPages(ram.pageCount(), Scheduler.SYSTEM, this::pushesNoMore);
    lock.lock();
    try {
      pushed = pages;
      dirty = new BitSet();
      allPushed = false;
    } finally {
      lock.unlock();
    }
    Thread.ofPlatform().daemon().name(spec.name() + "-pusher").start(() -> pushAll(pages));
    return pages;
  }

  private void pushAll(PushedPages pages) {
    BitSet pass = new BitSet();
    pass.set(0, Math.toIntExact(ram.pageCount()));
    try {
      while (pushPass(pass, pages)) {
        pass = nextPass(pages);
      }
    } catch (IOException e) {
      pages.failed(e);
    } catch (InterruptedException e) {
      pages.failed(new IOException("interrupted", e));
    }
  }

  private static boolean pushPass(BitSet pass, PushedPages pages) throws InterruptedException {
    for (int first = pass.nextSetBit(0); first >= 0;) {
      int end = Math.min(pass.nextClearBit(first), first + PUSHED_AT_ONCE);
      if (!pages.push(first, end - first)) {
        return false;
      }
      first = pass.nextSetBit(end);
    }
    return true;
  }

  private BitSet nextPass(PushedPages pages) throws IOException, InterruptedException {
    lock.lockInterruptibly();
    try {
      if (trouble != null) {
        throw trouble;
      }
      while (silent && pushed != null) {
        waitedFor = true;
        boolean _ = changed.await(IDLE_PASS_MILLIS, TimeUnit.MILLISECONDS);
      }
      BitSet next = dirty;
      dirty = new BitSet();
      pages.figures(next.cardinality(), 1e6);
      pages.passOver();
      if (next.isEmpty()) {
        if (!reasons.isEmpty()) {
          restsPushed++;
          allPushed = true;
          pages.restPushed();
        }
        boolean _ = changed.await(IDLE_PASS_MILLIS, TimeUnit.MILLISECONDS);
      }
      return next;
    } finally {
      lock.unlock();
    }
  }

  private void pushesNoMore() {
    lock.lock();
    try {
      pushed = null;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public GuestState state() {
    lock.lock();
    try {
      if (reasons.isEmpty() || (pushed != null && !allPushed)) {
        throw new IllegalStateException("it runs, or has not pushed everything");
      }
      return new GuestState(KIND, VERSION, ByteBuffer.allocate(Long.BYTES).putLong(writes).array());
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void load(GuestState state, Set<PauseReason> whilePaused) {
    if (!state.kind().equals(KIND) || state.version() != VERSION) {
      throw new IllegalArgumentException("not a state of this machine: " + state.kind());
    }
    lock.lock();
    try {
      writes = ByteBuffer.wrap(state.blob()).getLong();
      reasons.clear();
      reasons.addAll(whilePaused);
      reasons.add(PauseReason.MIGRATION);
      if (!loaded) {
        loaded = true;
        Thread.ofPlatform().daemon().name(spec.name()).start(this::run);
      }
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void boot(DiskClaim claim, Set<PauseReason> whilePaused) {
    fill(ram);
    load(new GuestState(KIND, VERSION, new byte[Long.BYTES]), whilePaused);
  }

  @Override
  public void pause(PauseReason reason) {
    lock.lock();
    try {
      reasons.add(reason);
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void resume(PauseReason reason) {
    lock.lock();
    try {
      if (reasons.remove(reason) && reasons.isEmpty()) {
        firstSignNanos = 0;
        allPushed = false;
        if (pushed != null) {
          pushed.runsAgain();
        }
        changed.signalAll();
      }
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void runOn(LeaveToRun leave) {
    resume(PauseReason.MIGRATION);
  }

  @Override
  public void pauseOrRunOn(PauseReason reason) {
    pause(reason);
  }

  @Override
  public void pauseForOperator(boolean paused) {
    if (paused) {
      pause(PauseReason.OPERATOR);
    } else {
      resume(PauseReason.OPERATOR);
    }
  }

  @Override
  public boolean isPausedFor(PauseReason reason) {
    lock.lock();
    try {
      return reasons.contains(reason);
    } finally {
      lock.unlock();
    }
  }

  @Override
  public boolean isPaused() {
    lock.lock();
    try {
      return !reasons.isEmpty();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public long awaitFirstSign(long waitMillis) throws InterruptedException {
    lock.lock();
    try {
      long left = TimeUnit.MILLISECONDS.toNanos(waitMillis);
      while (firstSignNanos == 0 && left > 0) {
        left = changed.awaitNanos(left);
      }
      return firstSignNanos;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public GuestSpec spec() {
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
      into.add(page);
    }
  }

  @Override
  public void openDisks(DiskClaim claim) {
    // It has none.
  }

  @Override
  public void flushDisks() {
    // It has none.
  }

  @Override
  public void releaseDisks(String migration) {
    // It has none.
  }

  @Override
  public WriteTracking trackWrites() throws IOException {
    throw new IOException("it has no disks");
  }

  @Override
  public void connect(BooleanSupplier isOurs) {
    // It has no network cards.
  }

  @Override
  public void handOverNetwork(String host) {
    // It has no network cards.
  }

  @Override
  public Optional<NetworkArrival> networkArrival() {
    return Optional.empty();
  }

  @Override
  public void throttle(int percent) {
    // It writes little.
  }

  @Override
  public void close() {
    lock.lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    // No write is under way: each is done under the lock.
    ram.close();
  }
}
