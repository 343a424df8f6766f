package dev.pageferry.agent.inspection;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The memory of this machine, as the kernel tells it: proc_meminfo(5). */
final class MachineMemoryFile {
  private static final Path MEMINFO = Path.of("/proc/meminfo");
  private static final String TOTAL = "MemTotal:";
  private static final long KIB = 1024;

  private MachineMemoryFile() {
  }

  /** Bytes that the machine has. */
  static long bytes() throws IOException {
    return bytes(Files.readAllLines(MEMINFO));
  }

  /** @param lines such as {@code MemTotal:       32759136 kB} */
  static long bytes(List<String> lines) throws IOException {
    for (String line : lines) {
      if (line.startsWith(TOTAL)) {
        return Long.parseLong(line.substring(TOTAL.length()).replace("kB", "").strip()) * KIB;
      }
    }
    throw new IOException("%s has no line %s".formatted(MEMINFO, TOTAL));
  }
}
