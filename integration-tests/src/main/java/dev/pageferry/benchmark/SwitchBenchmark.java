package dev.pageferry.benchmark;

import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.agent.network.SwitchPort;
import dev.pageferry.agent.network.TunnelEnd;
import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.time.Ticker;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * How many frames of 60 bytes a switch forwards, everything included: the queues of both ports, the loop, and in the second
 * case two switches with two sockets. One thread sends and takes; each switch's loop is another.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class SwitchBenchmark {
  private static final int FRAMES = 128;
  private static final int FRAME_BYTES = 60;

  /** Two cards on one host. */
  @State(Scope.Benchmark)
  @SuppressWarnings("NullAway.Init") // by its set-up
  public static class OneHost {
    private final NetworkCard sender = NetworkCard.parse("02:00:00:00:00:01@7");
    private final NetworkCard receiver = NetworkCard.parse("02:00:00:00:00:02@7");
    private HostNetwork network;
    private SwitchPort from;
    private SwitchPort to;

    @Setup
    public void plugIn() {
      network = new HostNetwork("host-a", Ticker.SYSTEM);
      from = live(network, sender);
      to = live(network, receiver);
    }

    @TearDown
    public void end() {
      network.close();
    }
  }

  /** A card on each of two hosts. */
  @State(Scope.Benchmark)
  @SuppressWarnings("NullAway.Init") // by its set-up
  public static class TwoHosts {
    private final NetworkCard sender = NetworkCard.parse("02:00:00:00:00:01@7");
    private final NetworkCard receiver = NetworkCard.parse("02:00:00:00:00:02@7");
    private HostNetwork one;
    private HostNetwork other;
    private SwitchPort from;
    private SwitchPort to;

    @Setup
    public void plugIn() throws Exception {
      one = new HostNetwork("host-a", Ticker.SYSTEM);
      other = new HostNetwork("host-b", Ticker.SYSTEM);
      InetAddress loopback = InetAddress.getLoopbackAddress();
      int portOfOne = one.listenForVxlan(new InetSocketAddress(loopback, 0));
      int portOfOther = other.listenForVxlan(new InetSocketAddress(loopback, 0));
      one.tell(List.of(new TunnelEnd("host-b", new InetSocketAddress(loopback, portOfOther), 0, false)));
      other.tell(List.of(new TunnelEnd("host-a", new InetSocketAddress(loopback, portOfOne), 0, false)));
      from = live(one, sender);
      to = live(other, receiver);
    }

    @TearDown
    public void end() {
      one.close();
      other.close();
    }
  }

  private static SwitchPort live(HostNetwork network, NetworkCard card) {
    SwitchPort port = network.attach(card, true);
    network.activate(port);
    return port;
  }

  @Benchmark
  @OperationsPerInvocation(FRAMES)
  public int betweenTwoCards(OneHost host) {
    return send(host.from, host.sender, host.to, host.receiver);
  }

  @Benchmark
  @OperationsPerInvocation(FRAMES)
  public int acrossATunnel(TwoHosts hosts) {
    return send(hosts.from, hosts.sender, hosts.to, hosts.receiver);
  }

  /** All frames must arrive before there are more: none is lost, and none is counted that was not forwarded. */
  private static int send(SwitchPort from, NetworkCard sender, SwitchPort to, NetworkCard receiver) {
    for (int i = 0; i < FRAMES; i++) {
      from.send(EthernetFrame.of(receiver.mac(), sender.mac(), EthernetFrame.TYPE_IPV4,
          FRAME_BYTES - EthernetFrame.HEADER_BYTES));
    }
    int arrived = 0;
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    while (arrived < FRAMES) {
      if (to.take() == null) {
        if (System.nanoTime() - deadline > 0) {
          throw new IllegalStateException("%d of %d frames arrived".formatted(arrived, FRAMES));
        }
        Thread.onSpinWait();
      } else {
        arrived++;
      }
    }
    return arrived;
  }
}
