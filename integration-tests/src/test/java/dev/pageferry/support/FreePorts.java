package dev.pageferry.support;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * TCP ports of loopback that nobody listens at, each given once. They are below those that the kernel gives out by itself, of which
 * some connection may have one while a server that has it is down, and below those that {@code scripts/train} takes. Up to three
 * processes of one run of the tests take them from ranges of their own.
 */
public final class FreePorts {
  private static final int FORK = Integer.getInteger("pageferry.test.fork", 1);
  private static final int RANGE = 4000;
  private static final int LOWEST = 8000 + RANGE * (FORK - 1) % (3 * RANGE);
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
}
