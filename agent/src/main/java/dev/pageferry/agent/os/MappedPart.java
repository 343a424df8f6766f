package dev.pageferry.agent.os;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * A part of a file that a process has mapped, writable and shared. Source: {@code proc_pid_maps(5)}.
 *
 * @param address in the process
 * @param bytes a multiple of the kernel's page size
 * @param offset in the file, bytes
 */
record MappedPart(long address, long bytes, long offset) {
  private static final int RANGE = 0;
  private static final int ACCESS = 1;
  private static final int OFFSET = 2;
  private static final int DEVICE = 3;
  private static final int INODE = 4;

  /** All of them, in the order of the file. It is told by what it is, not by its name, which may have changed. */
  static List<MappedPart> of(OsProcess process, Path file) throws IOException {
    String device = device((long) Files.getAttribute(file, "unix:dev"));
    String inode = String.valueOf(Files.getAttribute(file, "unix:ino"));
    List<MappedPart> parts = new ArrayList<>();
    for (String line : Files.readAllLines(Path.of("/proc", String.valueOf(process.pid()), "maps"),
        StandardCharsets.ISO_8859_1)) {
      String[] fields = line.split(" +", INODE + 2);
      if (fields[INODE].equals(inode) && fields[DEVICE].equals(device) && fields[ACCESS].startsWith("rw")
          && fields[ACCESS].endsWith("s")) {
        parts.add(part(fields));
      }
    }
    parts.sort(Comparator.comparingLong(MappedPart::offset));
    return parts;
  }

  private static MappedPart part(String[] fields) {
    int dash = fields[RANGE].indexOf('-');
    long address = Long.parseUnsignedLong(fields[RANGE].substring(0, dash), 16);
    long end = Long.parseUnsignedLong(fields[RANGE].substring(dash + 1), 16);
    return new MappedPart(address, end - address, Long.parseUnsignedLong(fields[OFFSET], 16));
  }

  /** As the kernel writes it. Source: {@code makedev(3)}. */
  private static String device(long number) {
    long major = number >>> 8 & 0xfff | number >>> 32 & ~0xfffL;
    long minor = number & 0xff | number >>> 12 & ~0xffL;
    return "%02x:%02x".formatted(major, minor);
  }

  /** Whether these, in the order of the file, are all of it, each byte once. */
  static boolean areWhole(List<MappedPart> parts, long bytes) {
    long at = 0;
    for (MappedPart each : parts) {
      if (each.offset() != at) {
        return false;
      }
      at += each.bytes();
    }
    return at == bytes;
  }
}
