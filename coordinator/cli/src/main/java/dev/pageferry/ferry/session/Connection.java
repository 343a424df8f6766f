package dev.pageferry.ferry.session;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.proto.cluster.v1.AccessGrpc;
import dev.pageferry.proto.cluster.v1.AccessGrpc.AccessBlockingStub;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.cluster.v1.ClusterGrpc.ClusterBlockingStub;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc.MaintenanceBlockingStub;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.internal.logging.InternalLoggerFactory;
import io.netty.util.internal.logging.JdkLoggerFactory;
import java.util.Iterator;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.logging.Level;
import java.util.logging.Logger;

/** The way to the coordinator. Every refusal comes out as a {@link Failure}. For one thread. */
public final class Connection implements AutoCloseable {
  private static final long SHORT_SECONDS = 10;
  private static final long KEEP_ALIVE_SECONDS = 20;

  private final Coordinator coordinator;
  private final EventLoopGroup eventLoops;
  private ManagedChannel channel;
  private ClusterBlockingStub stub;

  public Connection(Coordinator coordinator) {
    this.coordinator = coordinator;
    silenceLibraries();
    eventLoops = new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("ferry", true), NioIoHandler.newFactory());
    channel = channel();
    stub = ClusterGrpc.newBlockingStub(channel);
  }

  /** A short question. Asking again does no harm. */
  public <T> T read(Function<ClusterBlockingStub, T> rpc) {
    try {
      return rpc.apply(stub.withDeadlineAfter(SHORT_SECONDS, TimeUnit.SECONDS));
    } catch (StatusRuntimeException e) {
      throw Refusals.ofRead(e, coordinator);
    }
  }

  /** A short change. One that is not answered may have been made. */
  public <T> T change(Change change, Function<ClusterBlockingStub, T> rpc) {
    return change(change, stub.withDeadlineAfter(SHORT_SECONDS, TimeUnit.SECONDS), rpc);
  }

  /** A short question about who belongs to the cluster, and what was asked of it. */
  public <T> T readAccess(Function<AccessBlockingStub, T> rpc) {
    return read(through -> rpc.apply(access(through)));
  }

  /** A short change of who belongs to the cluster. One that is not answered may have been made. */
  public <T> T changeAccess(Change change, Function<AccessBlockingStub, T> rpc) {
    return change(change, through -> rpc.apply(access(through)));
  }

  private static AccessBlockingStub access(ClusterBlockingStub through) {
    // The stub's channel has its interceptors in it; its deadline is in its options.
    return AccessGrpc.newBlockingStub(through.getChannel()).withDeadline(through.getCallOptions().getDeadline());
  }

  /** The same way to the coordinator, for planned work. */
  public static MaintenanceBlockingStub maintenance(ClusterBlockingStub through) {
    return MaintenanceGrpc.newBlockingStub(through.getChannel()).withDeadline(through.getCallOptions().getDeadline());
  }

  /** A change that takes as long as it takes. */
  public <T> T changePatiently(Change change, Function<ClusterBlockingStub, T> rpc) {
    return change(change, stub, rpc);
  }

  /** A change that takes as long as it takes, and tells meanwhile how it goes. */
  public <T> void changeStream(Change change, Function<ClusterBlockingStub, Iterator<T>> rpc, Consumer<T> consumer) {
    change(change, stub, through -> {
      rpc.apply(through).forEachRemaining(consumer);
      return true;
    });
  }

  private <T> T change(Change change, ClusterBlockingStub through, Function<ClusterBlockingStub, T> rpc) {
    try {
      return rpc.apply(change.of(through));
    } catch (StatusRuntimeException e) {
      throw Refusals.ofChange(e, coordinator, change);
    }
  }

  /** A question that takes as long as it takes. Keep-alives notice when the coordinator is gone. */
  public <T> T patiently(Function<ClusterBlockingStub, T> rpc) {
    try {
      return rpc.apply(stub);
    } catch (StatusRuntimeException e) {
      throw Refusals.ofRead(e, coordinator);
    }
  }

  /** Hands over the messages of a stream that changes nothing, until it ends. */
  public <T> void stream(Function<ClusterBlockingStub, Iterator<T>> rpc, Consumer<T> consumer) {
    try {
      rpc.apply(stub).forEachRemaining(consumer);
    } catch (StatusRuntimeException e) {
      throw Refusals.ofRead(e, coordinator);
    }
  }

  /**
   * Begins anew: a channel that failed refuses calls at once until its own back-off is over, whoever
   * listens by now.
   */
  public void reconnect() {
    channel.shutdownNow();
    channel = channel();
    stub = ClusterGrpc.newBlockingStub(channel);
  }

  /** A second way to the same coordinator, which goes on when this one begins anew. */
  public Connection another() {
    return new Connection(coordinator);
  }

  public HostPort coordinator() {
    return coordinator.address();
  }

  @Override
  public void close() {
    channel.shutdownNow();
    var _ = eventLoops.shutdownGracefully(0, 0, TimeUnit.SECONDS);
  }

  private ManagedChannel channel() {
    NettyChannelBuilder builder = NettyChannelBuilder.forAddress(coordinator.address().host(),
        coordinator.address().port());
    return coordinator.membership().map(each -> builder.sslContext(each.context())).orElseGet(builder::usePlaintext)
        .eventLoopGroup(eventLoops).channelType(NioSocketChannel.class).directExecutor().disableServiceConfigLookUp()
        // A pool would first fetch and clear megabytes for a command that sends a few hundred bytes.
        .withOption(ChannelOption.ALLOCATOR, UnpooledByteBufAllocator.DEFAULT)
        .keepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS).build();
  }

  /**
   * Keeps lines that are not ours from stderr. Netty would otherwise find and start the logging
   * library that the servers use, which takes longer than most commands.
   */
  private static void silenceLibraries() {
    InternalLoggerFactory.setDefaultFactory(JdkLoggerFactory.INSTANCE);
    Logger.getLogger("").setLevel(Level.OFF);
  }
}
