package dev.pageferry.agent.inspection;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The memory of this machine.
 *
 * @param memoryBytes that it has
 * @param availableBytes that programs could get now, without swapping
 */
record MachineFacts(long memoryBytes, long availableBytes) {
  private static final Path MEMINFO = Path.of("/proc/meminfo");
  private static final long KIB = 1024;

  static MachineFacts read() throws IOException {
    return of(Files.readAllLines(MEMINFO));
  }

  /** @param lines of proc_meminfo(5): {@code MemTotal:       32759136 kB} */
  static MachineFacts of(List<String> lines) throws IOException {
    return new MachineFacts(field(lines, "MemTotal:"), field(lines, "MemAvailable:"));
  }

  private static long field(List<String> lines, String name) throws IOException {
    for (String line : lines) {
      if (line.startsWith(name)) {
        return Long.parseLong(line.substring(name.length()).replace("kB", "").strip()) * KIB;
      }
    }
    throw new IOException("%s has no line %s".formatted(MEMINFO, name));
  }
}
