package dev.pageferry.agent.network;

import dev.pageferry.agent.network.VirtualSwitch.Tunnels;
import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.VxlanHeader;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.socket.DatagramChannel;
import io.netty.channel.socket.DatagramPacket;
import io.netty.channel.socket.nio.NioDatagramChannel;
import java.io.IOException;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * VXLAN over UDP (RFC 7348): frames in datagrams to the tunnel ends that the coordinator named, copied to each of them where
 * a frame is for all. On the switch's loop.
 *
 * <p>A frame that is passed on for another host says that its sender is not to be learned, by a flag that only hosts of ours
 * understand, and only they get it.
 */
final class VxlanUplink implements Tunnels {
  private static final Logger log = LoggerFactory.getLogger(VxlanUplink.class);
  /** More than a datagram may have, so that one that is too long shows. */
  private static final int RECEIVE_BYTES = 2048;
  private static final int SOCKET_BUFFER_BYTES = 4 << 20;
  /** All that a port can hold, before the kernel takes any of it. */
  private static final WriteBufferWaterMark QUEUE_BYTES = new WriteBufferWaterMark(512 << 10, 1 << 20);
  /** Datagrams read before the loop turns to ports again. */
  private static final int READS_AT_ONCE = 64;

  private final Channel channel;
  private final SwitchCounters counters;
  private volatile TunnelEnds ends = TunnelEnds.NONE;

  /** Takes frames that came. */
  interface Receiver {
    void received(TunnelEnd end, int vni, byte[] frame, Learning learning);
  }

  private VxlanUplink(Channel channel, SwitchCounters counters) {
    this.channel = channel;
    this.counters = counters;
  }

  /**
   * Binds the socket.
   *
   * @param receiver called on the loop
   * @throws IOException if the address cannot be bound
   */
  static VxlanUplink listen(EventLoop loop, InetSocketAddress address, Receiver receiver, SwitchCounters counters)
      throws IOException, InterruptedException {
    Class<? extends DatagramChannel> type = Epoll.isAvailable()
        ? EpollDatagramChannel.class
        : NioDatagramChannel.class;
    Inbound inbound = new Inbound(receiver, counters);
    Bootstrap bootstrap = new Bootstrap().group(loop).channel(type);
    int buffers = 1;
    if (Epoll.isAvailable()) {
      // One recvmmsg(2) for many datagrams, each with a part of the buffer of its own.
      buffers = READS_AT_ONCE;
      bootstrap.option(EpollChannelOption.MAX_DATAGRAM_PAYLOAD_SIZE, RECEIVE_BYTES);
    }
    var bound = bootstrap.option(ChannelOption.SO_RCVBUF, SOCKET_BUFFER_BYTES)
        .option(ChannelOption.SO_SNDBUF, SOCKET_BUFFER_BYTES).option(ChannelOption.WRITE_BUFFER_WATER_MARK, QUEUE_BYTES)
        .option(ChannelOption.RECVBUF_ALLOCATOR,
            new FixedRecvByteBufAllocator(buffers * RECEIVE_BYTES).maxMessagesPerRead(
                READS_AT_ONCE))
        .handler(inbound).bind(address).await();
    if (!bound.isSuccess()) {
      throw new IOException("cannot listen for VXLAN on %s:%d: %s".formatted(address.getHostString(),
          address.getPort(), bound.cause().getMessage()), bound.cause());
    }
    VxlanUplink uplink = new VxlanUplink(bound.channel(), counters);
    inbound.uplink = uplink;
    return uplink;
  }

  int port() {
    return ((InetSocketAddress) channel.localAddress()).getPort();
  }

  TunnelEnds ends() {
    return ends;
  }

  void tell(TunnelEnds known) {
    ends = known;
  }

  @Override
  public void send(RemoteEnd end, int vni, byte[] frame, Learning learning) {
    if (end instanceof TunnelEnd tunnel) {
      write(tunnel, vni, frame, learning);
    }
  }

  @Override
  public void flood(int vni, byte[] frame) {
    for (TunnelEnd each : ends.all()) {
      if (each.isOn(vni)) {
        write(each, vni, frame, Learning.ALLOWED);
      }
    }
  }

  @Override
  public void tellOthers(int vni, byte[] frame) {
    for (TunnelEnd each : ends.all()) {
      if (!each.isHost() && each.isOn(vni)) {
        write(each, vni, frame, Learning.ALLOWED);
      }
    }
  }

  private void write(TunnelEnd end, int vni, byte[] frame, Learning learning) {
    if (!channel.isWritable()) {
      channel.flush();
    }
    // Netty queues what the kernel does not take, without bound; so not a frame more than that.
    if (!channel.isWritable()) {
      counters.drop(Drop.UPLINK_FULL);
      return;
    }
    ByteBuf datagram = channel.alloc().directBuffer(VxlanHeader.BYTES + frame.length);
    datagram.writeLong(learning == Learning.FORBIDDEN ? VxlanHeader.encodeRelayed(vni) : VxlanHeader.encode(vni));
    datagram.writeBytes(frame);
    channel.write(new DatagramPacket(datagram, end.address()), channel.voidPromise());
  }

  /** Hands what was written to the kernel. */
  void flush() {
    channel.flush();
  }

  void close() {
    channel.close().syncUninterruptibly();
  }

  private static final class Inbound extends SimpleChannelInboundHandler<DatagramPacket> {
    private final Receiver receiver;
    private final SwitchCounters counters;
    /** Set before the first tunnel end is known, and nothing is taken from unknown ones. */
    private volatile @Nullable VxlanUplink uplink;

    Inbound(Receiver receiver, SwitchCounters counters) {
      this.receiver = receiver;
      this.counters = counters;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, DatagramPacket datagram) {
      VxlanUplink known = uplink;
      ByteBuf bytes = datagram.content();
      if (known == null || !known.ends.isKnown(datagram.sender())) {
        counters.drop(Drop.UNKNOWN_SENDER);
        return;
      }
      if (bytes.readableBytes() < VxlanHeader.BYTES + EthernetFrame.HEADER_BYTES
          || bytes.readableBytes() > VxlanHeader.BYTES + EthernetFrame.MAX_BYTES) {
        counters.drop(Drop.MALFORMED_DATAGRAM);
        return;
      }
      long header = bytes.readLong();
      int vni = VxlanHeader.vni(header);
      TunnelEnd end = known.ends.sender(datagram.sender(), vni);
      if (vni < 0) {
        counters.drop(Drop.MALFORMED_DATAGRAM);
      } else if (end == null) {
        counters.drop(Drop.FOREIGN_NETWORK);
      } else {
        byte[] frame = new byte[bytes.readableBytes()];
        bytes.readBytes(frame);
        receiver.received(end, vni, frame, VxlanHeader.mayBeLearned(header) ? Learning.ALLOWED : Learning.FORBIDDEN);
      }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
      context.flush();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      // For example an ICMP "port unreachable" from a tunnel end that is not there; nothing to do about that.
      log.debug("vxlan socket: {}", cause.toString());
    }
  }
}
