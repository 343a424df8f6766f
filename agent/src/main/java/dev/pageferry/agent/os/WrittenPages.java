package dev.pageferry.agent.os;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.pageferry.agent.os.Linux.KernelException;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Which pages of a file another process writes through its mapping, as the kernel of Linux 6.9 and later tells: it protects them from
 * writing, notes the first write to each and lets it pass by itself, and on demand tells what it has noted and protects that again, in one
 * step for each page. A write that is not told by such a harvest is told by a later one; what was written before a harvest is
 * in the file for whoever reads it after that. A written page is told also if the kernel has unmapped it since. Sources: {@code userfaultfd(2)}, UFFD_FEATURE_WP_ASYNC;
 * {@code PAGEMAP_SCAN(2const)}.
 *
 * <p>Only writes by way of that mapping are told: those of the process, of the kernel on its behalf, and of guests that run in it. Not those of
 * devices to pages that were pinned for them before a harvest (O_DIRECT), nor those of other processes. One caller at a time.
 */
public final class WrittenPages implements AutoCloseable {
  private static final String KIND = "anon_inode:[userfaultfd]";
  /** Handed on to no other program, never waited for, and good for processes without privileges. */
  private static final int CLOEXEC_NONBLOCK_USER_MODE_ONLY = 0x80000 | 0x800 | 1;

  private static final long UFFD_API = 0xAA;
  private static final long WP_HUGETLBFS_SHMEM_UNPOPULATED_ASYNC = 1 << 12 | 1 << 13 | 1 << 15;
  private static final long REGISTER_MODE_WP = 2;
  private static final long WRITEPROTECT_MODE_WP = 1;
  private static final long UFFDIO_API = 0xc018aa3fL;
  private static final long UFFDIO_REGISTER = 0xc020aa00L;
  private static final long UFFDIO_UNREGISTER = 0x8010aa01L;
  private static final long UFFDIO_WRITEPROTECT = 0xc018aa06L;
  private static final long PAGEMAP_SCAN = 0xc0606610L;
  private static final long SCAN_WP_MATCHING_CHECK_WPASYNC = 1 | 1 << 1;
  private static final long PAGE_IS_WRITTEN = 1 << 1;

  /** struct pm_scan_arg, by words. */
  private static final int SCAN_WORDS = 12;
  private static final int WALK_END = 4;
  /** struct page_region, by words. */
  private static final int REGION_WORDS = 3;
  private static final int REGIONS = 16384;

  private static final int EPERM = 1;

  private final OsProcess process;
  private final List<MappedPart> parts;
  private final int userfaultfd;
  private final int pagemap;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment regions = arena.allocate(JAVA_LONG, (long) REGIONS * REGION_WORDS);
  private final MemorySegment argument = arena.allocate(JAVA_LONG, SCAN_WORDS);
  private boolean closed;

  /** Told of neighbouring pages of the file. */
  public interface Sink {
    void pages(long first, long count);
  }

  /** The kernel does not tell it here, or of that process, which is as it was: why, in words that follow a colon. */
  public static final class UnavailableException extends Exception {
    private static final long serialVersionUID = 1L;

    UnavailableException(String reason, @Nullable Throwable cause) {
      super(reason, cause);
    }
  }

  @SuppressWarnings("MustBeClosedChecker") // closed with this
  private WrittenPages(OsProcess process, List<MappedPart> parts, int userfaultfd, int pagemap) {
    this.process = process;
    this.parts = parts;
    this.userfaultfd = userfaultfd;
    this.pagemap = pagemap;
  }

  /**
   * Has a process make the descriptor by which its mappings can be watched: it is for a process to ask for that, so it is made to
   * ({@link InjectedCall}). Nothing is watched yet.
   *
   * @param process not a child of this one, and one whose end would be no loss
   * @return the descriptor's number there; whoever comes later may {@link #open} by it
   * @throws IOException if the process may have ended for that
   */
  public static int prepare(OsProcess process, Scheduler scheduler)
      throws UnavailableException, IOException, InterruptedException {
    String obstacle = Support.obstacle();
    if (!obstacle.isEmpty()) {
      throw new UnavailableException(obstacle, null);
    }
    try {
      int number = (int) InjectedCall
          .make(process, SystemCall.USERFAULTFD, CLOEXEC_NONBLOCK_USER_MODE_ONLY, scheduler)
          .orElseThrow(() -> new UnavailableException("it was not found waiting in a system call", null));
      int own = take(process, number);
      try {
        choose(own);
      } finally {
        DataExtents.close(own);
      }
      return number;
    } catch (KernelException e) {
      throw unavailable(e);
    }
  }

  /** Once in its life a descriptor is told what it is for. */
  private static void choose(int userfaultfd) throws KernelException {
    request("UFFDIO_API", userfaultfd, UFFDIO_API, UFFD_API, WP_HUGETLBFS_SHMEM_UNPOPULATED_ASYNC, 0);
  }

  /**
   * By the descriptor that was made in a process. Nothing is watched yet.
   *
   * @param file mapped by the process, as a whole
   */
  @SuppressWarnings("MustBeClosedChecker") // closed with what is returned
  public static WrittenPages open(OsProcess process, int descriptor, Path file) throws UnavailableException {
    Path directory = Path.of("/proc", String.valueOf(process.pid()));
    try {
      String kind = Files.readSymbolicLink(directory.resolve("fd/" + descriptor)).toString();
      if (!kind.equals(KIND)) {
        throw new UnavailableException("its descriptor %d is %s".formatted(descriptor, kind), null);
      }
      List<MappedPart> parts = MappedPart.of(process, file);
      if (!MappedPart.areWhole(parts, Files.size(file))) {
        throw new UnavailableException("it has mapped %s of %d bytes as %s".formatted(file, Files.size(file), parts),
            null);
      }
      int userfaultfd = take(process, descriptor);
      boolean isOpen = false;
      try {
        WrittenPages pages = new WrittenPages(process, parts, userfaultfd,
            DataExtents.open(directory.resolve("pagemap")));
        isOpen = true;
        // All of that went by a number, which may be another process's by now.
        if (!process.isAlive()) {
          pages.letGo();
          throw new IOException("process %d has ended".formatted(process.pid()));
        }
        return pages;
      } finally {
        if (!isOpen) {
          DataExtents.close(userfaultfd);
        }
      }
    } catch (KernelException e) {
      throw unavailable(e);
    } catch (IOException e) {
      throw new UnavailableException("its mappings cannot be seen: " + e, e);
    }
  }

  /** Another process's descriptor, as one of this process. */
  private static int take(OsProcess process, int descriptor) throws KernelException, IOException {
    int handle = (int) SystemCall.make("pidfd_open", SystemCall.PIDFD_OPEN, process.pid());
    try {
      if (!process.isAlive()) {
        throw new IOException("process %d has ended".formatted(process.pid()));
      }
      return (int) SystemCall.make("pidfd_getfd", SystemCall.PIDFD_GETFD, handle, descriptor);
    } finally {
      DataExtents.close(handle);
    }
  }

  private static UnavailableException unavailable(KernelException e) {
    return new UnavailableException(e.errno() == EPERM
        ? "%s; a sandbox or kernel.yama.ptrace_scope forbids it".formatted(e.getMessage())
        : String.valueOf(e.getMessage()), e);
  }

  /** From here on each page counts as not written. Again after {@link #close} of an earlier one, or without. */
  public void protect() throws IOException {
    for (MappedPart each : parts) {
      tell("UFFDIO_REGISTER", UFFDIO_REGISTER, each.address(), each.bytes(), REGISTER_MODE_WP, 0);
      tell("UFFDIO_WRITEPROTECT", UFFDIO_WRITEPROTECT, each.address(), each.bytes(), WRITEPROTECT_MODE_WP);
    }
  }

  /**
   * Tells which pages were written since they were protected, or told, and protects these again.
   *
   * @throws IOException also if the process has ended: of it nothing is told any more
   */
  public void harvest(Sink sink) throws IOException {
    for (MappedPart each : parts) {
      long end = each.address() + each.bytes();
      for (long at = each.address(); at < end; at = argument.getAtIndex(JAVA_LONG, WALK_END)) {
        long found = scan(at, end);
        for (long i = 0; i < found; i++) {
          long first = regions.getAtIndex(JAVA_LONG, i * REGION_WORDS);
          long last = regions.getAtIndex(JAVA_LONG, i * REGION_WORDS + 1);
          sink.pages((first - each.address() + each.offset()) / PageSize.BYTES, (last - first) / PageSize.BYTES);
        }
      }
    }
    requireMapped();
  }

  /** A scan of a process that has let go of its memory may find nothing, and succeed; a read of its page map ends at once. */
  private void requireMapped() throws IOException {
    long place = parts.getFirst().address() / PageSize.BYTES * Long.BYTES;
    try {
      if (SystemCall.make("pread", SystemCall.PREAD64, pagemap, argument.address(), Long.BYTES, place) != Long.BYTES) {
        throw new IOException("process %d has ended".formatted(process.pid()));
      }
    } catch (KernelException e) {
      throw failed(e);
    }
  }

  /**
   * Scans up to the end, or to the place in {@link #argument} where all regions were in use; that one may lie ahead of the end though all was
   * scanned, and then nothing is found behind it. Asked and told is PAGE_IS_WRITTEN alone: the kernel answers that, and no other choice, for
   * pages that it has unmapped as well (its {@code pagemap_scan_pmd_entry}).
   */
  private long scan(long from, long end) throws IOException {
    long[] words = {(long) SCAN_WORDS * Long.BYTES, SCAN_WP_MATCHING_CHECK_WPASYNC, from, end, 0, regions.address(),
        REGIONS, 0, 0, PAGE_IS_WRITTEN, 0, PAGE_IS_WRITTEN};
    MemorySegment.copy(words, 0, argument, JAVA_LONG, 0, SCAN_WORDS);
    try {
      return SystemCall.make("PAGEMAP_SCAN", SystemCall.IOCTL, pagemap, PAGEMAP_SCAN, argument.address());
    } catch (KernelException e) {
      throw failed(e);
    }
  }

  private void tell(String name, long request, long... words) throws IOException {
    try {
      request(name, userfaultfd, request, words);
    } catch (KernelException e) {
      throw failed(e);
    }
  }

  private static void request(String name, int descriptor, long request, long... words) throws KernelException {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment structure = call.allocateFrom(JAVA_LONG, words);
      long _ = SystemCall.make(name, SystemCall.IOCTL, descriptor, request, structure.address());
    }
  }

  private IOException failed(KernelException e) {
    return process.isAlive()
        ? new IOException("the kernel does not tell what process %d writes: %s".formatted(process.pid(),
            e.getMessage()), e)
        : new IOException("process %d has ended".formatted(process.pid()), e);
  }

  /** Nothing is watched any more, and writes cost nothing. Idempotent. */
  @Override
  public void close() throws IOException {
    if (closed) {
      return;
    }
    closed = true;
    try {
      for (MappedPart each : parts) {
        tell("UFFDIO_UNREGISTER", UFFDIO_UNREGISTER, each.address(), each.bytes());
      }
    } catch (IOException e) {
      // With its end nothing is watched either.
      if (process.isAlive()) {
        throw e;
      }
    } finally {
      letGo();
    }
  }

  private void letGo() {
    closed = true;
    DataExtents.close(userfaultfd);
    DataExtents.close(pagemap);
    arena.close();
  }

  /** Whether this kernel can, asked of this process until it is known. */
  private static final class Support {
    /** Before, it could pass over a page that was just being moved. Source: Linux's "fix uffd-wp confusion in pagemap_scan_pmd_entry()". */
    private static final int OLDEST_MAJOR = 6;
    private static final int OLDEST_MINOR = 9;
    private static final Pattern RELEASE = Pattern.compile("(\\d+)\\.(\\d+).*");
    /** ENOSYS, EINVAL, ENOTTY: such a kernel does not learn it. */
    private static final Set<Integer> FOR_GOOD = Set.of(EPERM, 38, 22, 25);

    /** Empty: it can; null: not known yet. */
    private static volatile @Nullable String known;

    /** Why it cannot; empty: it can. */
    static String obstacle() {
      String before = known;
      if (before != null) {
        return before;
      }
      if (!SystemCall.isKnownHere()) {
        return forGood("only Linux on x86-64 is asked");
      }
      if (!isNewEnough(System.getProperty("os.version", ""))) {
        return forGood("this kernel is older than 6.9");
      }
      try {
        ask();
        return forGood("");
      } catch (KernelException e) {
        String reason = e.errno() == EPERM
            ? "this kernel does not let the agent ask (%s)".formatted(e.getMessage())
            : "this kernel does not tell it (%s)".formatted(e.getMessage());
        return FOR_GOOD.contains(e.errno()) ? forGood(reason) : reason;
      } catch (IOException e) {
        return "/proc cannot be read: " + e.getMessage();
      }
    }

    private static String forGood(String obstacle) {
      known = obstacle;
      return obstacle;
    }

    private static boolean isNewEnough(String release) {
      Matcher version = RELEASE.matcher(release);
      if (!version.matches()) {
        return false;
      }
      int major = Integer.parseInt(version.group(1));
      return major > OLDEST_MAJOR || major == OLDEST_MAJOR && Integer.parseInt(version.group(2)) >= OLDEST_MINOR;
    }

    private static void ask() throws KernelException, IOException {
      int userfaultfd = (int) SystemCall.make("userfaultfd", SystemCall.USERFAULTFD,
          CLOEXEC_NONBLOCK_USER_MODE_ONLY);
      try (Arena arena = Arena.ofConfined()) {
        choose(userfaultfd);
        scanNothing(arena);
      } finally {
        DataExtents.close(userfaultfd);
      }
    }

    private static void scanNothing(Arena arena) throws KernelException, IOException {
      int pagemap = DataExtents.open(Path.of("/proc/self/pagemap"));
      try {
        MemorySegment argument = arena.allocate(JAVA_LONG, SCAN_WORDS);
        argument.setAtIndex(JAVA_LONG, 0, (long) SCAN_WORDS * Long.BYTES);
        argument.setAtIndex(JAVA_LONG, SCAN_WORDS - 1, PAGE_IS_WRITTEN);
        long _ = SystemCall.make("PAGEMAP_SCAN", SystemCall.IOCTL, pagemap, PAGEMAP_SCAN, argument.address());
      } finally {
        DataExtents.close(pagemap);
      }
    }
  }
}
