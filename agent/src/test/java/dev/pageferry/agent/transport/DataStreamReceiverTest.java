package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.migration.PageSink;
import dev.pageferry.agent.wire.ControlFrames;
import dev.pageferry.agent.wire.PageFrameMeta;
import dev.pageferry.proto.migration.v1.RoundEnd;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The destination's end of a data stream over a real socket, in front of a sink that lets everything pass. */
class DataStreamReceiverTest {
  /** One thread for pages, so that streams have to share it. */
  private final EventLoops loops = new EventLoops(1);
  private final EasySink sink = new EasySink();
  private final AtomicInteger streams = new AtomicInteger();
  private Channel listener;

  /** Takes any number of rounds; what it has to clear takes as many steps as the test says. */
  private static final class EasySink implements PageSink {
    private final Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
    private final AtomicInteger rounds = new AtomicInteger();
    private final AtomicInteger clearings = new AtomicInteger();
    private volatile boolean clearsWithoutEnd;

    @Override
    public void streamOpened(int stream) {
    }

    @Override
    public void streamClosed(int stream) {
    }

    @Override
    public boolean hasRoomOrTellLater(int stream, Runnable later) {
      return true;
    }

    @Override
    public ByteBuffer runStarts(int stream, PageFrameMeta run) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void runPlaced(int stream, PageFrameMeta run, ByteBuffer window) {
    }

    @Override
    public void batchStarts(int stream, PageFrameMeta batch) {
    }

    @Override
    public void batchArrived(int stream, PageFrameMeta batch, ByteBuffer contents) {
    }

    @Override
    public void zerosStart(int stream, PageFrameMeta ranges) {
    }

    @Override
    public int clearSome(int stream, PageFrameMeta ranges, int from) {
      clearings.incrementAndGet();
      return clearsWithoutEnd ? from : ranges.count();
    }

    @Override
    public long roundEnded(int stream, int round) {
      return rounds.incrementAndGet();
    }

    @Override
    public void failed(int stream, Throwable cause) {
      failures.add(cause);
    }
  }

  @BeforeEach
  void listen() throws Exception {
    listener = new ServerBootstrap().group(loops.control(), loops.data()).channel(EventLoops.serverChannel())
        .childHandler(new ChannelInitializer<Channel>() {
          @Override
          protected void initChannel(Channel channel) {
            DataStreamReceiver receiver = new DataStreamReceiver(streams.getAndIncrement(), sink, new LongAdder(), 0,
                0);
            ExactReads reads = new ExactReads();
            reads.directTo(receiver::nextTarget);
            channel.config().setRecvByteBufAllocator(reads);
            channel.pipeline().addLast(receiver);
          }
        }).bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)).sync().channel();
  }

  @AfterEach
  void close() throws Exception {
    listener.close().sync();
    loops.close();
  }

  private RawPeer connect() throws Exception {
    return RawPeer.connect(((InetSocketAddress) listener.localAddress()).getPort());
  }

  @Test
  void aStreamThatHasMuchToClearLeavesOthersTheirTurns() throws Exception {
    sink.clearsWithoutEnd = true;
    try (RawPeer clearing = connect(); RawPeer other = connect()) {
      clearing.pages(RawSource.zeros(0, 0, 1));
      await().atMost(TestCluster.PATIENCE).until(() -> sink.clearings.get() > 1);
      for (int round = 0; round < 20; round++) {
        int before = sink.clearings.get();
        RawSource.endRoundAndAwait(other, round);
        await().atMost(TestCluster.PATIENCE).until(() -> sink.clearings.get() > before);
      }
      sink.clearsWithoutEnd = false;
      RawSource.endRoundAndAwait(clearing, 0);
    }
  }

  @Test
  void aPeerThatReadsNoAcknowledgementsIsCutOffAndTheReasonNamed() throws Exception {
    try (RawPeer peer = connect()) {
      long sequence = 0;
      for (int i = 0; i < 100 && sink.failures.isEmpty(); i++) {
        ByteArrayOutputStream markers = new ByteArrayOutputStream();
        for (int j = 0; j < 10_000; j++) {
          markers.writeBytes(RawPeer.bytes(ControlFrames.encode(RoundEnd.getDefaultInstance(), sequence++)));
        }
        peer.raw(markers.toByteArray());
      }
      await().atMost(TestCluster.PATIENCE).until(() -> !sink.failures.isEmpty());
      assertThat(sink.failures.peek()).hasMessageContaining("UNREAD_ACKNOWLEDGEMENTS").hasMessageContaining("stream=0");
    }
  }
}
