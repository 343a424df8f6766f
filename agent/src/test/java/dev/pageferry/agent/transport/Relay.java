package dev.pageferry.agent.transport;

import dev.pageferry.common.config.HostPort;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/** A link between hosts on which a test can hold all pages up; the control stream, which is the first connection, goes on. */
final class Relay implements AutoCloseable {
  private static final int PIECE_BYTES = 64 << 10;

  private final HostPort target;
  private final ServerSocket listener = new ServerSocket();
  /** All guarded by this. */
  private final List<Socket> sockets = new ArrayList<>();
  private boolean held;
  private boolean closed;

  Relay(HostPort target) throws IOException {
    this.target = target;
    // Little is swallowed by the sockets of a link that is held.
    listener.setReceiveBufferSize(PIECE_BYTES);
    listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    Thread.ofVirtual().start(this::accept);
  }

  HostPort address() {
    return new HostPort("127.0.0.1", listener.getLocalPort());
  }

  synchronized void hold() {
    held = true;
  }

  synchronized void release() {
    held = false;
    notifyAll();
  }

  synchronized boolean isHeld() {
    return held;
  }

  private void accept() {
    try {
      for (boolean control = true;; control = false) {
        Socket from = keep(listener.accept());
        Socket to = keep(new Socket(target.host(), target.port()));
        from.setTcpNoDelay(true);
        to.setTcpNoDelay(true);
        boolean mayBeHeld = !control;
        Thread.ofVirtual().start(() -> forward(from, to, mayBeHeld));
        Thread.ofVirtual().start(() -> forward(to, from, false));
      }
    } catch (IOException e) {
      // The test is over.
    }
  }

  private synchronized Socket keep(Socket socket) throws IOException {
    if (closed) {
      socket.close();
    }
    sockets.add(socket);
    return socket;
  }

  private void forward(Socket from, Socket to, boolean mayBeHeld) {
    byte[] piece = new byte[PIECE_BYTES];
    try (from; to) {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      for (int bytes = in.read(piece); bytes >= 0; bytes = in.read(piece)) {
        if (mayBeHeld) {
          passWhenReleased();
        }
        out.write(piece, 0, bytes);
      }
    } catch (IOException e) {
      // One end hung up; the other one is told.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized void passWhenReleased() throws InterruptedException {
    while (held && !closed) {
      wait();
    }
  }

  @Override
  public synchronized void close() throws IOException {
    closed = true;
    notifyAll();
    listener.close();
    for (Socket each : sockets) {
      each.close();
    }
  }
}
