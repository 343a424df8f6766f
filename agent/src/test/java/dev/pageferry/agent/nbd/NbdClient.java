package dev.pageferry.agent.nbd;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/** A client that asks for one thing after the other. */
public final class NbdClient implements AutoCloseable {
  private static final int STARTED_BYTES = 18 + 32 + 34 + 20;
  private final SocketChannel channel;

  private NbdClient(SocketChannel channel) {
    this.channel = channel;
  }

  public static NbdClient connect(Path socket) throws IOException {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    channel.connect(UnixDomainSocketAddress.of(socket));
    NbdClient client = new NbdClient(channel);
    client.send(ByteBuffer.allocate(28).putInt(3).putLong(NbdProtocol.OPTION_MAGIC).putInt(NbdProtocol.OPTION_GO)
        .putInt(8).putInt(0).putShort((short) 1).putShort((short) NbdProtocol.INFO_BLOCK_SIZE));
    ByteBuffer _ = client.receive(STARTED_BYTES);
    return client;
  }

  /** @return the error, 0 for none */
  public int write(long offset, byte[] data) throws IOException {
    return request(NbdProtocol.COMMAND_WRITE, offset, data.length, data);
  }

  public int flush() throws IOException {
    return request(NbdProtocol.COMMAND_FLUSH, 0, 0);
  }

  /** @return what is there */
  public byte[] read(long offset, int length) throws IOException {
    int error = request(NbdProtocol.COMMAND_READ, offset, length);
    if (error != 0) {
      throw new IOException("error " + error);
    }
    return receive(length).array();
  }

  private int request(int command, long offset, int length, byte... data) throws IOException {
    send(ByteBuffer.allocate(NbdProtocol.REQUEST_BYTES + data.length).putInt(NbdProtocol.REQUEST_MAGIC)
        .putShort((short) 0).putShort((short) command).putLong(7).putLong(offset).putInt(length).put(data));
    ByteBuffer reply = receive(NbdProtocol.REPLY_BYTES);
    return reply.getInt(Integer.BYTES);
  }

  private void send(ByteBuffer filled) throws IOException {
    filled.flip();
    while (filled.hasRemaining()) {
      channel.write(filled);
    }
  }

  private ByteBuffer receive(int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes);
    while (buffer.hasRemaining()) {
      if (channel.read(buffer) < 0) {
        throw new IOException("hung up");
      }
    }
    return buffer.flip();
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
