package dev.pageferry.benchmark;

import dev.pageferry.agent.os.Linux;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * The physical limit of a move on this machine: as many random bytes, sent by a bare loop over one TCP stream from mapped
 * memory into mapped memory. Nothing is checked and nothing is tracked. Takes twice memoryBytes until closed.
 */
final class BareStream implements AutoCloseable {
  private static final long CHUNK_BYTES = Bench.MEBIBYTE;
  private static final long SEED = 11;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment source;
  private final MemorySegment destination;

  BareStream(long memoryBytes) {
    try {
      source = map(memoryBytes);
      destination = map(memoryBytes);
      fillRandom(source);
    } catch (Linux.KernelException e) {
      arena.close();
      throw new BenchmarkException("memory for the bare stream: " + e.getMessage(), e);
    }
  }

  /** Bytes per second from the first write to the last byte in place. */
  double bytesPerSecond(String congestionControl) {
    // The last word shows that this run brought it.
    destination.set(ValueLayout.JAVA_LONG, destination.byteSize() - Long.BYTES, 0);
    // The ends are closed first: a sender whose receiver failed would write for ever.
    try (ExecutorService sending = Executors.newSingleThreadExecutor();
        NativeStream.Pair ends = NativeStream.connect(congestionControl)) {
      long start = System.nanoTime();
      Future<?> sent = sending.submit(() -> send(ends.sender()));
      for (long at = 0; at < destination.byteSize();) {
        at += ends.receiver().read(destination.asSlice(at, Math.min(CHUNK_BYTES, destination.byteSize() - at)));
      }
      double seconds = (System.nanoTime() - start) / 1e9;
      sent.get();
      check();
      return destination.byteSize() / seconds;
    } catch (ExecutionException e) {
      throw new BenchmarkException("bare stream: " + e.getCause(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BenchmarkException("interrupted", e);
    }
  }

  @Override
  public void close() {
    arena.close();
  }

  private void send(NativeStream stream) {
    try {
      for (long at = 0; at < source.byteSize();) {
        at += stream.write(source.asSlice(at, Math.min(CHUNK_BYTES, source.byteSize() - at)));
      }
    } catch (BenchmarkException e) {
      // The receiver would wait for ever.
      stream.close();
      throw e;
    }
  }

  private void check() {
    long last = source.byteSize() - Long.BYTES;
    if (source.get(ValueLayout.JAVA_LONG, last) != destination.get(ValueLayout.JAVA_LONG, last)) {
      throw new BenchmarkException("bare stream: the memory differs");
    }
  }

  private MemorySegment map(long bytes) throws Linux.KernelException {
    MemorySegment memory = Linux.map(bytes, arena);
    Linux.advise(memory, Linux.MADV_HUGEPAGE);
    Linux.advise(memory, Linux.MADV_POPULATE_WRITE);
    return memory;
  }

  /** No two pages alike. */
  private static void fillRandom(MemorySegment memory) {
    SplitMix words = new SplitMix(SEED);
    for (long at = 0; at < memory.byteSize(); at += Long.BYTES) {
      memory.set(ValueLayout.JAVA_LONG, at, words.next());
    }
  }
}
