package dev.pageferry.support;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.AccessDeniedException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * TCP ports of loopback that nobody listens at, each given once. They are below those that the kernel gives out by itself, of which
 * some connection may have one while a server that has it is down, and below those that {@code scripts/train} takes. A process
 * takes them from a range that is its own for as long as it runs: whoever has the lock of the range's file.
 */
public final class FreePorts {
  private static final int RANGES = 6;
  private static final int RANGE = 2000;
  private static final int LOWEST = 8000 + RANGE * Own.NUMBER;
  private static final int ATTEMPTS = 1000;
  private static final Set<Integer> GIVEN = new HashSet<>();

  private FreePorts() {
  }

  public static int one() {
    return first(1);
  }

  /** @return the first of so many neighbours */
  public static synchronized int first(int ports) {
    int first = new Random().ints(ATTEMPTS, LOWEST, LOWEST + RANGE - ports)
        .filter(base -> IntStream.range(base, base + ports).allMatch(each -> !GIVEN.contains(each) && isFree(each)))
        .findFirst().orElseThrow();
    IntStream.range(first, first + ports).forEach(GIVEN::add);
    return first;
  }

  public static boolean isFree(int port) {
    try (ServerSocket unused = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  /** The range of this process. The lock is let go of by the kernel, when the process has ended. */
  private static final class Own {
    private static final FileLock LOCK;
    private static final int NUMBER;

    static {
      FileLock lock = null;
      int number = -1;
      while (lock == null) {
        number++;
        if (number == RANGES) {
          throw new IllegalStateException(RANGES + " processes that test are running already");
        }
        lock = tryLock(Path.of(System.getProperty("java.io.tmpdir"), "pageferry-test-ports-" + number));
      }
      LOCK = lock;
      NUMBER = number;
    }

    private static @Nullable FileLock tryLock(Path file) {
      try {
        FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = channel.tryLock();
        if (lock == null) {
          channel.close();
        }
        return lock;
      } catch (AccessDeniedException e) {
        return null; // Another user's.
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
