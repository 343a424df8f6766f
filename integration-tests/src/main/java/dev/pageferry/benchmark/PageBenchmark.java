package dev.pageferry.benchmark;

import dev.pageferry.agent.memory.PageChecksum;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.common.page.PageSize;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What a stream does with each page before it can be sent. The pages come one after another from 256 MiB, more than the
 * processor's caches hold. 4096 bytes in 1 µs are 4.1 GB/s.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
@SuppressWarnings("NullAway.Init") // by its set-up
public class PageBenchmark {
  private static final int PAGES = 1 << 16;
  /** Pages in one frame of 256 KiB. */
  private static final int FRAME_PAGES = 64;

  private PageStore random;
  private PageStore zero;
  private ByteBuffer window;
  private final ByteBuffer frame = ByteBuffer.allocateDirect(FRAME_PAGES << 12);
  private final PageChecksum checksum = new PageChecksum();
  private int page;

  @Setup
  public void allocate() throws Exception {
    random = PageStore.allocate((long) PAGES << 12);
    zero = PageStore.allocate((long) PAGES << 12);
    long state = 1;
    for (long address = 0; address < PageSize.bytesOf(random.pageCount()); address += Long.BYTES) {
      state = state * 6364136223846793005L + 1442695040888963407L;
      random.putLong(address, state);
    }
    window = random.window(0, PAGES);
  }

  @TearDown
  public void free() {
    random.close();
    zero.close();
  }

  private int next(int pages) {
    page = (page + pages) & (PAGES - 1);
    return page;
  }

  /** The whole page has to be read before it is known to be zero. */
  @Benchmark
  public boolean zeroScanOfAZeroPage() {
    return zero.isZero(next(1));
  }

  @Benchmark
  public boolean zeroScanOfARandomPage() {
    return random.isZero(next(1));
  }

  @Benchmark
  public int checksumOfAPage() {
    return checksum.of(window, next(1) << 12);
  }

  /** Copies a frame's pages out of the guest and takes the checksum of each copy. */
  @Benchmark
  public int copyAndChecksumOfAFrame() {
    random.copyOut(next(FRAME_PAGES), FRAME_PAGES, frame, 0);
    int sum = 0;
    for (int i = 0; i < FRAME_PAGES; i++) {
      sum += checksum.of(frame, i << 12);
    }
    return sum;
  }
}
