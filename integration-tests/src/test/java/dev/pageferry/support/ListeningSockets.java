package dev.pageferry.support;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** Which addresses a process can be reached at, as the kernel tells (proc(5): {@code /proc/net/tcp} and the like). */
public final class ListeningSockets {
  private static final int LOCAL_ADDRESS = 1;
  private static final int STATE = 3;
  private static final int INODE = 9;
  private static final String TCP_LISTEN = "0A";
  /** Of a UDP socket that is not connected. */
  private static final String UDP_UNCONNECTED = "07";

  private ListeningSockets() {
  }

  /**
   * The local addresses of TCP sockets that listen and of UDP sockets.
   *
   * @return each as the kernel writes it: 32-bit words in the machine's byte order, in hexadecimal, a colon, the port
   */
  public static List<String> of(long pid) throws IOException {
    Set<String> inodes = new HashSet<>();
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/%d/fd".formatted(pid)))) {
      for (Path each : descriptors.toList()) {
        try {
          inodes.add(Files.readSymbolicLink(each).toString());
        } catch (NoSuchFileException e) {
          // Closed meanwhile.
        }
      }
    }
    List<String> addresses = new ArrayList<>();
    for (String protocol : List.of("tcp", "tcp6", "udp", "udp6")) {
      Path table = Path.of("/proc/%d/net/%s".formatted(pid, protocol));
      String state = protocol.startsWith("tcp") ? TCP_LISTEN : UDP_UNCONNECTED;
      for (String line : Files.exists(table) ? Files.readAllLines(table) : List.<String>of()) {
        String[] fields = line.strip().split("\\s+");
        if (fields.length > INODE && fields[STATE].equals(state)
            && inodes.contains("socket:[%s]".formatted(fields[INODE]))) {
          addresses.add(fields[LOCAL_ADDRESS]);
        }
      }
    }
    return addresses;
  }
}
