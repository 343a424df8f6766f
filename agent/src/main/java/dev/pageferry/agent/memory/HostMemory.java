package dev.pageferry.agent.memory;

import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The memory that the operator lets this host give to guests. Every page store of a guest comes from here.
 *
 * <p>What a guest leaves behind stays backed for a while, wiped, for the next guest of that size: to have the kernel back
 * fresh memory takes longer than to receive a guest over a fast network. It counts as free, goes back to the kernel as
 * soon as another guest needs the room, and never makes the host hold more than its capacity.
 */
public final class HostMemory implements AutoCloseable {
  private static final Path MEMINFO = Path.of("/proc/meminfo");
  private static final Logger log = LoggerFactory.getLogger(HostMemory.class);
  private static final Duration KEPT = Duration.ofMinutes(1);

  private final long capacityBytes;
  private final Duration kept;
  private final ScheduledThreadPoolExecutor cleaner = new ScheduledThreadPoolExecutor(1,
      Thread.ofPlatform().daemon().name("memory-cleaner").factory());
  /** Guarded by this. */
  private long reservedBytes;
  /** Guarded by this; the one that was left last comes first. */
  private final Deque<SpareMapping> spares = new ArrayDeque<>();
  /** Guarded by this. */
  private long spareBytes;
  /** Guarded by this: nothing is kept any more. */
  private boolean closed;

  public HostMemory(long capacityBytes) {
    this(capacityBytes, KEPT);
  }

  /** @param kept how long memory that a guest has left stays backed */
  HostMemory(long capacityBytes, Duration kept) {
    this.capacityBytes = capacityBytes;
    this.kept = kept;
    cleaner.setKeepAliveTime(1, TimeUnit.SECONDS);
    cleaner.allowCoreThreadTimeOut(true);
  }

  /**
   * Memory for one guest, zero-filled and backed. It is given back when the page store is closed and nobody borrows it.
   *
   * @param bytes a positive multiple of {@link PageSize#BYTES}
   * @throws OutOfMemoryException with the figures, if less is free; nothing stays reserved
   */
  public PageStore allocate(long bytes) throws OutOfMemoryException, InterruptedException {
    PageStore.checkSize(bytes);
    List<SpareMapping> inTheWay = new ArrayList<>();
    SpareMapping spare = reserve(bytes, false, inTheWay);
    try {
      inTheWay.forEach(SpareMapping::unmap);
      return store(spare == null ? Mapping.allocate(bytes) : spare.takeWiped(), this::takeBack);
    } catch (OutOfMemoryException | InterruptedException | RuntimeException | Error e) {
      unreserve(bytes);
      throw e;
    }
  }

  /**
   * As {@link #allocate}, in a file that another process can map, too. Whoever names the file removes it.
   *
   * @param file on a tmpfs; must not exist
   * @throws IOException if the file cannot be made
   */
  public PageStore allocateShared(long bytes, Path file)
      throws IOException, OutOfMemoryException, InterruptedException {
    PageStore.checkSize(bytes);
    List<SpareMapping> inTheWay = new ArrayList<>();
    SpareMapping spare = reserve(bytes, true, inTheWay);
    try {
      inTheWay.forEach(SpareMapping::unmap);
      return store(shared(spare, file, bytes), this::unmapShared);
    } catch (IOException | OutOfMemoryException | InterruptedException | RuntimeException | Error e) {
      unreserve(bytes);
      throw e;
    }
  }

  private Mapping shared(@Nullable SpareMapping spare, Path file, long bytes)
      throws IOException, OutOfMemoryException, InterruptedException {
    if (spare != null) {
      try {
        return spare.takeWipedAs(file);
      } catch (IOException | RuntimeException e) {
        log.warn("memory that was kept in a file is of no use: {}", e.toString());
      }
    }
    return freshShared(file, bytes);
  }

  private Mapping freshShared(Path file, long bytes) throws IOException, OutOfMemoryException, InterruptedException {
    try {
      return Mapping.ofFile(file, bytes);
    } catch (OutOfMemoryException e) {
      // The file system may be full of what is kept.
      if (!unmapSharedSpares()) {
        throw e;
      }
      return Mapping.ofFile(file, bytes);
    }
  }

  /**
   * Closes memory in a file, and keeps it for the next guest of that size once nobody borrows it.
   *
   * @param store which no other process has mapped any more: the caller knows
   * @param place where its file is; closed when it is not kept any more
   * @return false if the store was closed before; the place is the caller's then
   */
  public boolean closeShared(PageStore store, SharedPlace place) {
    return store.close(mapping -> takeBack(new SpareMapping(mapping, place)));
  }

  /**
   * The memory of a guest that runs already, in a file that this made under an agent before. It counts however little is free: it is
   * in use.
   *
   * @throws IOException if the file is not there, or of another size
   */
  public PageStore adoptShared(long bytes, Path file) throws IOException {
    PageStore.checkSize(bytes);
    PageStore store = store(Mapping.ofExisting(file, bytes), this::unmapShared);
    synchronized (this) {
      reservedBytes += bytes;
    }
    return store;
  }

  private void unmapShared(Mapping mapping) {
    long bytes = mapping.bytes();
    mapping.close();
    unreserve(bytes);
  }

  /**
   * Sets memory aside.
   *
   * @param isShared whether it is to be in a file
   * @param inTheWay receives the spares that must be unmapped first
   * @return a spare that serves, where there is one
   */
  private synchronized @Nullable SpareMapping reserve(long bytes, boolean isShared, List<SpareMapping> inTheWay)
      throws OutOfMemoryException {
    if (bytes > freeBytes()) {
      throw new OutOfMemoryException("not enough memory left for guests", bytes, freeBytes());
    }
    long available = kernelAvailableBytes();
    if (bytes > available && bytes - available > spareBytes) {
      throw new OutOfMemoryException("the kernel has too little memory left", bytes, available + spareBytes);
    }
    SpareMapping fitting = removeSpareOf(bytes, isShared);
    reservedBytes += bytes;
    long freshBytes = fitting == null ? bytes : 0;
    while (!spares.isEmpty() && (spareBytes > freeBytes() || freshBytes > available)) {
      SpareMapping oldest = spares.removeLast();
      spareBytes -= oldest.bytes();
      available = Math.min(available, Long.MAX_VALUE - oldest.bytes()) + oldest.bytes();
      inTheWay.add(oldest);
    }
    return fitting;
  }

  private @Nullable SpareMapping removeSpareOf(long bytes, boolean isShared) {
    for (Iterator<SpareMapping> each = spares.iterator(); each.hasNext();) {
      SpareMapping spare = each.next();
      if (spare.bytes() == bytes && spare.isShared() == isShared) {
        each.remove();
        spareBytes -= bytes;
        return spare;
      }
    }
    return null;
  }

  /** Nobody else would ever unmap a mapping that no page store has. */
  private PageStore store(Mapping mapping, Consumer<Mapping> onReleased) {
    try {
      return new PageStore(mapping, onReleased);
    } catch (RuntimeException | Error e) {
      mapping.close();
      throw e;
    }
  }

  private synchronized void unreserve(long bytes) {
    reservedBytes -= bytes;
  }

  private void takeBack(Mapping mapping) {
    takeBack(new SpareMapping(mapping, null));
  }

  private void takeBack(SpareMapping spare) {
    synchronized (this) {
      reservedBytes -= spare.bytes();
      // After a take-over guests may have more than this host is to give by now.
      if (!closed && spareBytes + spare.bytes() <= freeBytes()) {
        spareBytes += spare.bytes();
        spares.addFirst(spare);
        cleaner.execute(spare::wipe);
        cleaner.schedule(() -> expire(spare), kept.toMillis(), TimeUnit.MILLISECONDS);
        return;
      }
    }
    // Ahead of the rest, which takes its time: the caller may be an event loop, or this process about to end.
    spare.removeFile();
    cleaner.execute(spare::unmap);
  }

  private void expire(SpareMapping spare) {
    synchronized (this) {
      if (!spares.remove(spare)) {
        return;
      }
      spareBytes -= spare.bytes();
    }
    spare.unmap();
  }

  /** @return whether there was one in a file */
  private boolean unmapSharedSpares() {
    List<SpareMapping> unwanted;
    synchronized (this) {
      unwanted = spares.stream().filter(SpareMapping::isShared).toList();
      spares.removeAll(unwanted);
      spareBytes -= unwanted.stream().mapToLong(SpareMapping::bytes).sum();
    }
    unwanted.forEach(SpareMapping::unmap);
    return !unwanted.isEmpty();
  }

  /**
   * This process ends: from now on nothing is kept, and files of what was are removed. The memory itself goes with the process,
   * which is not to wait for that.
   */
  @Override
  public void close() {
    List<SpareMapping> left;
    synchronized (this) {
      closed = true;
      left = List.copyOf(spares);
    }
    left.forEach(SpareMapping::removeFile);
  }

  public long capacityBytes() {
    return capacityBytes;
  }

  /** What guests may still have; spare memory is a part of it. */
  public synchronized long freeBytes() {
    return Math.max(0, capacityBytes - reservedBytes);
  }

  /** Memory that guests have left and that is still backed. */
  public synchronized long spareBytes() {
    return spareBytes;
  }

  private static long kernelAvailableBytes() {
    try {
      for (String line : Files.readAllLines(MEMINFO)) {
        if (line.startsWith("MemAvailable:")) {
          return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
        }
      }
    } catch (IOException | NumberFormatException e) {
      // No such file in some containers: the operator's own limit stands alone.
    }
    return Long.MAX_VALUE;
  }
}
