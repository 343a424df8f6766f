package dev.pageferry.benchmark;

import dev.pageferry.agent.memory.DirtyLog;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.memory.VcpuDirtyLog;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What dirty tracking costs a guest that writes, and what a harvest costs a migration. A VM of 1 GiB. */
@BenchmarkMode(Mode.AverageTime)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class DirtyLogBenchmark {
  private static final long PAGES = 1 << 18;
  /** Steps between two polls, as a vCPU makes them. */
  private static final int STEPS = 256;

  /** A guest that writes eight bytes into random pages of its working set. */
  @State(Scope.Thread)
  @SuppressWarnings("NullAway.Init") // by its set-up
  public static class WritingGuest {
    /** 64 MiB, which the processor's caches may help with, and all of RAM. */
    @Param({"16384", "262144"})
    long workingSetPages;

    PageStore ram;
    VcpuDirtyLog log;
    private long random = 1;

    @Setup
    public void allocate() throws Exception {
      ram = PageStore.allocate(PAGES << 12);
      log = new DirtyLog(PAGES, 1).vcpu(0);
      log.unpark();
    }

    @TearDown
    public void free() {
      log.park();
      ram.close();
    }

    long nextPage() {
      random = random * 6364136223846793005L + 1442695040888963407L;
      return Math.unsignedMultiplyHigh(random, workingSetPages);
    }
  }

  /** Steps as a guest makes them: mark, store, and a poll now and then. */
  @Benchmark
  @OperationsPerInvocation(STEPS)
  @OutputTimeUnit(TimeUnit.NANOSECONDS)
  public void stepWithMark(WritingGuest guest) {
    guest.log.poll();
    long[] words = guest.log.words();
    for (int i = 0; i < STEPS; i++) {
      long page = guest.nextPage();
      VcpuDirtyLog.mark(words, page);
      guest.ram.putLong(page << 12, page);
    }
  }

  /** The same without dirty tracking: what it would cost if it cost nothing. */
  @Benchmark
  @OperationsPerInvocation(STEPS)
  @OutputTimeUnit(TimeUnit.NANOSECONDS)
  public void stepWithoutMark(WritingGuest guest) {
    for (int i = 0; i < STEPS; i++) {
      long page = guest.nextPage();
      guest.ram.putLong(page << 12, page);
    }
  }

  /** The log of a VM whose vCPUs wait. */
  @State(Scope.Thread)
  public static class ParkedGuest {
    @Param({"0", "2621", "262144"})
    long dirtyPages;

    final DirtyLog log = new DirtyLog(PAGES, 1);
    final PageBitmap pending = new PageBitmap(PAGES);

    @Setup(Level.Invocation)
    public void dirty() {
      VcpuDirtyLog vcpu = log.vcpu(0);
      vcpu.unpark();
      for (long i = 0; i < dirtyPages; i++) {
        VcpuDirtyLog.mark(vcpu.words(), i * (PAGES / dirtyPages));
      }
      vcpu.park();
      pending.clear();
    }
  }

  /** A harvest of all pages of 1 GiB. */
  @Benchmark
  @OutputTimeUnit(TimeUnit.MICROSECONDS)
  public PageBitmap harvest(ParkedGuest guest) {
    guest.log.harvest(guest.pending);
    return guest.pending;
  }
}
