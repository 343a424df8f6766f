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
 * Works on much memory with all processors: backs it, or wipes it. Memory that is not backed would fault at a page's first
 * write, inside compiled code, and a host that lacks memory would notice in the middle of a migration instead of before it.
 */
final class Populator {
  /** Bytes faulted in by one call: long enough to be efficient, short enough to stop in time. */
  private static final long CHUNK_BYTES = 64L << 20;
  private static final long KERNEL_PAGE_BYTES = 4096;

  private Populator() {
  }

  /** What is done to a part of memory. */
  private interface Work {
    void on(MemorySegment part) throws Linux.KernelException;
  }

  static void populate(MemorySegment mapping) throws Linux.KernelException, InterruptedException {
    askForHugePages(mapping);
    inParallel(mapping, Populator::back);
  }

  /** Fills memory with zeros. */
  static void zero(MemorySegment memory) throws InterruptedException {
    try {
      inParallel(memory, part -> part.fill((byte) 0));
    } catch (Linux.KernelException e) {
      throw new IllegalStateException("no call to the kernel was made", e);
    }
  }

  private static void inParallel(MemorySegment memory, Work work) throws Linux.KernelException, InterruptedException {
    long chunks = Math.ceilDiv(memory.byteSize(), CHUNK_BYTES);
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
            work.on(memory.asSlice(from, Math.min(CHUNK_BYTES, memory.byteSize() - from)));
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
        throw new IllegalStateException("memory could not be worked on", e.getCause());
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
