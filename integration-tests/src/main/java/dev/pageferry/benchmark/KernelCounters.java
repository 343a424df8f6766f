package dev.pageferry.benchmark;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.StringTokenizer;

/** What Linux itself counted or knows, to hold the programs' own figures against. */
final class KernelCounters {
  private KernelCounters() {
  }

  /**
   * Bytes of IPv4 packets received in this network namespace, headers included
   * ({@code IpExt InOctets} of {@code /proc/net/netstat}, where a line of names precedes each line of
   * values).
   */
  static long receivedOctets() {
    List<String> lines = read("/proc/net/netstat").lines().filter(line -> line.startsWith("IpExt:")).toList();
    if (lines.size() == 2) {
      List<String> names = words(lines.get(0));
      int column = names.indexOf("InOctets");
      if (column > 0) {
        return Long.parseLong(words(lines.get(1)).get(column));
      }
    }
    throw new BenchmarkException("/proc/net/netstat has no IpExt InOctets");
  }

  /** The congestion control of TCP connections that ask for none. */
  static String congestionControl() {
    return read("/proc/sys/net/ipv4/tcp_congestion_control").strip();
  }

  /** Bytes that programs can still take without swapping. */
  static long memoryAvailableBytes() {
    return meminfoBytes("MemAvailable");
  }

  static long memoryTotalBytes() {
    return meminfoBytes("MemTotal");
  }

  private static long meminfoBytes(String name) {
    return read("/proc/meminfo").lines().filter(line -> line.startsWith(name + ":")).findFirst()
        .map(line -> Math.multiplyExact(Long.parseLong(line.replaceAll("[^0-9]", "")), 1024L))
        .orElseThrow(() -> new BenchmarkException("/proc/meminfo has no " + name));
  }

  private static List<String> words(String line) {
    return Collections.list(new StringTokenizer(line)).stream().map(Object::toString).toList();
  }

  private static String read(String file) {
    try {
      return Files.readString(Path.of(file));
    } catch (IOException e) {
      throw new BenchmarkException(file + ": " + e.getMessage(), e);
    }
  }
}
