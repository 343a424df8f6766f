package dev.pageferry.agent.nbd;

import dev.pageferry.agent.disk.BlockDevice;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Serves one disk on a unix socket, to clients of this machine, until it is closed. */
public final class NbdServer implements AutoCloseable {
  /** A hypervisor has one, and another for a moment after it lost that. */
  private static final int MOST_CLIENTS = 4;
  private static final Duration LATER = Duration.ofMillis(100);
  private static final Logger log = LoggerFactory.getLogger(NbdServer.class);

  /**
   * What is served, and how.
   *
   * @param name for logs
   * @param mostBytes of one request
   */
  public record Export(String name, BlockDevice disk, boolean readOnly, int mostBytes) {
  }

  private final Export export;
  private final ServerSocketChannel socket;
  private final Path path;
  private final Scheduler scheduler;
  private final Set<NbdConnection> clients = ConcurrentHashMap.newKeySet();
  private volatile boolean closed;

  private NbdServer(Export export, ServerSocketChannel socket, Path path, Scheduler scheduler) {
    this.export = export;
    this.socket = socket;
    this.path = path;
    this.scheduler = scheduler;
  }

  /** @param path of the socket, in a directory that only this user can enter; one that is there is replaced */
  public static NbdServer listen(Path path, Export export, Scheduler scheduler) throws IOException {
    Files.deleteIfExists(path);
    ServerSocketChannel socket = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    try {
      socket.bind(UnixDomainSocketAddress.of(path));
      NbdServer server = new NbdServer(export, socket, path, scheduler);
      Task _ = scheduler.startBlocking("nbd-" + export.name(), server::accept);
      return server;
    } catch (IOException | RuntimeException | Error e) {
      socket.close();
      throw e;
    }
  }

  private void accept() {
    while (!closed) {
      try {
        SocketChannel channel = socket.accept();
        boolean isServed = false;
        try {
          isServed = begin(channel);
        } finally {
          if (!isServed) {
            channel.close();
          }
        }
      } catch (IOException | RuntimeException | Error e) {
        // As where there are too many open files, or too little memory: it may come again.
        if (!closed) {
          log.error("a client of disk {} was not served: {}", export.name(), e.toString());
          rest();
        }
      }
    }
  }

  private void rest() {
    try {
      scheduler.sleep(LATER);
    } catch (InterruptedException e) {
      scheduler.current().interrupt();
      closed = true;
    }
  }

  /** @return whether it is served; else it is to be closed */
  private boolean begin(SocketChannel channel) {
    if (clients.size() >= MOST_CLIENTS) {
      log.warn("disk {} has {} clients, another one is sent away", export.name(), MOST_CLIENTS);
      return false;
    }
    String name = "nbd-" + export.name();
    NbdConnection client = new NbdConnection(name, channel, export.disk(), export.readOnly(), export.mostBytes(),
        scheduler);
    clients.add(client);
    boolean isServed = false;
    try {
      Task _ = scheduler.startBlocking(name, () -> {
        try {
          client.serve();
        } finally {
          clients.remove(client);
        }
      });
      isServed = !closed;
    } finally {
      if (!isServed) {
        clients.remove(client);
      }
    }
    return isServed;
  }

  /** Hangs up on clients. A request that is being carried out ends by itself. */
  @Override
  public void close() throws IOException {
    closed = true;
    socket.close();
    clients.forEach(NbdConnection::close);
    Files.deleteIfExists(path);
  }
}
