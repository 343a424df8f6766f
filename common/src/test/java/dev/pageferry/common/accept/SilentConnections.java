package dev.pageferry.common.accept;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;

/** Connections from loopback that say nothing. For one thread at a time. */
public final class SilentConnections implements AutoCloseable {
  private final List<SocketChannel> all = new ArrayList<>();
  private final ByteBuffer unread = ByteBuffer.allocate(4096);
  private final int port;

  public SilentConnections(int port) {
    this.port = port;
  }

  public SilentConnections open(int count) throws IOException {
    for (int i = 0; i < count; i++) {
      SocketChannel each = SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
      all.add(each);
      each.configureBlocking(false);
    }
    return this;
  }

  /** Which the other side has closed, in the order in which they were opened. */
  public List<Integer> closed() {
    List<Integer> closed = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      if (isClosed(all.get(i))) {
        closed.add(i);
      }
    }
    return closed;
  }

  private boolean isClosed(SocketChannel connection) {
    try {
      int read;
      do {
        read = connection.read(unread.clear());
      } while (read > 0);
      return read < 0;
    } catch (IOException e) {
      return true;
    }
  }

  @Override
  public void close() throws IOException {
    for (SocketChannel each : all) {
      each.close();
    }
  }
}
