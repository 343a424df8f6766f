package dev.pageferry.agent.memory;

import dev.pageferry.agent.os.Linux;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Backs a mapping with host memory. Without this a page's first write would fault inside compiled code, and a host
 * that lacks memory would notice in the middle of a migration instead of before it.
 */
final class Populator {
  /** Bytes faulted in by one call: long enough to be efficient, short enough to stop in time. */
  private static final long CHUNK_BYTES = 64L << 20;
  private static final long KERNEL_PAGE_BYTES = 4096;

  private Populator() {
  }

  static void populate(MemorySegment mapping) throws Linux.KernelException, InterruptedException {
    askForHugePages(mapping);
    long chunks = Math.ceilDiv(mapping.byteSize(), CHUNK_BYTES);
    int threads = (int) Math.min(chunks, Runtime.getRuntime().availableProcessors());
    AtomicLong nextChunk = new AtomicLong();
    try (ExecutorService workers = Executors.newFixedThreadPool(threads,
        Thread.ofPlatform().name("populate-", 0).factory())) {
      List<Future<?>> running = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        running.add(workers.submit(() -> {
          for (long chunk = nextChunk.getAndIncrement(); chunk < chunks
              && !Thread.interrupted(); chunk = nextChunk.getAndIncrement()) {
            long from = chunk * CHUNK_BYTES;
            back(mapping.asSlice(from, Math.min(CHUNK_BYTES, mapping.byteSize() - from)));
          }
          return null;
        }));
      }
      try {
        for (Future<?> each : running) {
          each.get();
        }
      } catch (ExecutionException e) {
        workers.shutdownNow();
        if (e.getCause() instanceof Linux.KernelException kernel) {
          throw kernel;
        }
        throw new IllegalStateException("memory could not be populated", e.getCause());
      } catch (InterruptedException e) {
        workers.shutdownNow();
        throw e;
      }
    }
  }

  private static void askForHugePages(MemorySegment mapping) {
    try {
      Linux.advise(mapping, Linux.MADV_HUGEPAGE);
    } catch (Linux.KernelException e) {
      // A kernel without transparent huge pages: small pages serve too, only slower.
    }
  }

  private static void back(MemorySegment range) throws Linux.KernelException {
    try {
      Linux.advise(range, Linux.MADV_POPULATE_WRITE);
    } catch (Linux.KernelException e) {
      if (e.errno() != Linux.EINVAL) {
        throw e;
      }
      // Before Linux 5.14: write to every page instead.
      for (long at = 0; at < range.byteSize(); at += KERNEL_PAGE_BYTES) {
        range.set(ValueLayout.JAVA_BYTE, at, (byte) 0);
      }
    }
  }
}
