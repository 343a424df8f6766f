package dev.pageferry.agent.network;

import dev.pageferry.agent.network.SwitchPort.PortService;
import dev.pageferry.agent.network.VirtualSwitch.Tunnels;
import dev.pageferry.agent.network.VirtualSwitch.UplinkOf;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.time.Ticker;
import io.netty.channel.EventLoop;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The network of a host: its switch, on an event loop of its own, and the uplinks. Calls are from any thread and, but for
 * opening and closing, do not block; what they ask is done on the loop, in the order in which one thread asked.
 */
public final class HostNetwork implements AutoCloseable {
  /** Frames of one port that are forwarded before it is the next one's turn. */
  private static final int PORT_BUDGET = 32;
  /** Frames that are forwarded before sockets are looked at again. */
  private static final int ROUND_BUDGET = 512;

  private static final Logger log = LoggerFactory.getLogger(HostNetwork.class);

  private final MultiThreadIoEventLoopGroup group;
  private final EventLoop loop;
  private final SwitchCounters counters = new SwitchCounters();
  private final Ticker ticker;
  private final MacAddress self;
  private final VirtualSwitch theSwitch;
  private final Announcements announcements;
  private final Queue<SwitchPort> ready = new ConcurrentLinkedQueue<>();
  private final PortService service = new LoopService();
  private final AtomicBoolean serving = new AtomicBoolean();
  private volatile BooleanSupplier permission = () -> true;
  private volatile @Nullable VxlanUplink vxlan;
  private volatile @Nullable PacketUplink packets;

  /** @param hostId gives the switch its own address, for answers to probes */
  public HostNetwork(String hostId, Ticker ticker) {
    this.ticker = ticker;
    // Locally administered, for one station.
    this.self = new MacAddress(0x02_00_00_00_00_00L | (hostId.hashCode() & 0xFFFF_FFFFL));
    IoHandlerFactory handlers = Epoll.isAvailable() ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
    this.group = new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("switch", true), handlers);
    this.loop = group.next();
    this.theSwitch = new VirtualSwitch(new Uplinks(), this::probed, counters, ticker);
    this.announcements = new Announcements(theSwitch, this::flush, loop);
  }

  /**
   * Begins to listen for VXLAN. Nothing is sent or taken before {@link #tell}.
   *
   * @return the port that is bound
   */
  public int listenForVxlan(InetSocketAddress address) throws IOException, InterruptedException {
    VxlanUplink uplink = VxlanUplink.listen(loop, address, theSwitch::fromUplink, counters);
    vxlan = uplink;
    return uplink.port();
  }

  /**
   * Puts one network onto a real interface, in place of VXLAN.
   *
   * @throws IOException if there is no such interface, or this process may not use it
   */
  public void useInterface(InterfaceUplink uplink) throws IOException {
    int vni = uplink.vni();
    packets = PacketUplink.open(uplink.networkInterface(), vni,
        new FromInterface(vni), loop, counters);
  }

  /** Names the other ends of VXLAN tunnels, all of them. */
  public void tell(List<TunnelEnd> ends) {
    VxlanUplink uplink = vxlan;
    if (uplink != null) {
      TunnelEnds known = new TunnelEnds(ends);
      loop.execute(() -> {
        uplink.tell(known);
        theSwitch.retain(known.all());
      });
    }
  }

  /** The switch's thread: it runs what it is given between two turns. */
  public Executor loop() {
    return loop;
  }

  /** VMs of this host send only while this says so. */
  public void permitWhile(BooleanSupplier permitted) {
    permission = permitted;
  }

  /** Whether VMs of this host may send. */
  public boolean isPermitted() {
    return permission.getAsBoolean();
  }

  /**
   * Plugs a card in. Its port stands by: it holds what comes, until {@link #activate}.
   *
   * @param tellsAddress whether its guest is known to answer on the address of the card, which is announced then
   */
  public SwitchPort attach(NetworkCard card, boolean tellsAddress) {
    SwitchPort port = new SwitchPort(card, tellsAddress, service, counters, ticker);
    loop.execute(() -> theSwitch.attach(port));
    return port;
  }

  /** The VM is this host's: its address is here, and it may send. Idempotent. */
  public void activate(SwitchPort port) {
    loop.execute(() -> theSwitch.activate(port));
  }

  /**
   * The VM belongs to another host: its address is forgotten here at once. What was held for it, and what still comes for a
   * while, is passed on.
   *
   * @param host where it went
   * @return done when that is done
   */
  public Future<?> handOver(SwitchPort port, String host) {
    return loop.submit(() -> {
      theSwitch.handOver(port, tunnelEnd(host));
      flush();
    });
  }

  /** Unplugs a card. Idempotent. */
  public void detach(SwitchPort port) {
    loop.execute(() -> theSwitch.detach(port));
  }

  /**
   * Announces a VM that is here now, in the background.
   *
   * @param isOurs whether it still is; asked before every frame
   * @return the switches that have proved that they can reach it; grows
   */
  public Set<MacAddress> announce(List<SwitchPort> ports, BooleanSupplier isOurs) {
    return announcements.start(ports, isOurs);
  }

  public SwitchCounters counters() {
    return counters;
  }

  private @Nullable TunnelEnd tunnelEnd(String host) {
    VxlanUplink uplink = vxlan;
    return uplink == null ? null : uplink.ends().host(host).orElse(null);
  }

  private Optional<byte[]> probed(int vni, byte[] frame) {
    Optional<ReachabilityProbe> probe = ReachabilityProbe.of(frame);
    if (probe.isEmpty()) {
      counters.drop(Drop.MALFORMED_FRAME);
      return Optional.empty();
    }
    if (probe.get().isQuestion()) {
      return Optional.of(probe.get().answer(self).frame());
    }
    announcements.answered(probe.get());
    return Optional.empty();
  }

  private void flush() {
    VxlanUplink uplink = vxlan;
    if (uplink != null) {
      uplink.flush();
    }
  }

  @Override
  public void close() {
    VxlanUplink uplink = vxlan;
    if (uplink != null) {
      uplink.close();
    }
    PacketUplink wire = packets;
    if (wire != null) {
      loop.submit(wire::close).syncUninterruptibly();
    }
    group.shutdownGracefully();
  }

  private final class Uplinks implements UplinkOf {
    @Override
    public @Nullable Uplink of(int vni) {
      PacketUplink wire = packets;
      return wire != null && wire.vni() == vni ? wire : vxlan;
    }

    @Override
    public @Nullable Tunnels tunnels() {
      return vxlan;
    }
  }

  private final class FromInterface implements PacketUplink.Receiver {
    private final int vni;

    FromInterface(int vni) {
      this.vni = vni;
    }

    @Override
    public void received(byte[] frame) {
      theSwitch.fromUplink(PacketUplink.Wire.INSTANCE, vni, frame, Uplink.Learning.ALLOWED);
    }

    @Override
    public void flush() {
      HostNetwork.this.flush();
    }
  }

  /** Serves ports in turn, so that one that sends without end does not keep others waiting. */
  private final class LoopService implements PortService {
    @Override
    public void schedule(SwitchPort port) {
      ready.add(port);
      serveSoon();
    }

    private void serveSoon() {
      if (serving.compareAndSet(false, true)) {
        loop.execute(this::serve);
      }
    }

    @Override
    public void execute(Runnable task) {
      loop.execute(task);
    }

    @Override
    public void drain(SwitchPort port) {
      forward(port, SwitchPort.QUEUE_FRAMES);
      flush();
    }

    private void serve() {
      serving.set(false);
      int left = ROUND_BUDGET;
      for (SwitchPort port = ready.poll(); port != null && left > 0; port = left > 0 ? ready.poll() : null) {
        left -= forward(port, PORT_BUDGET);
        // Before the port is said to be empty: whoever waits for that takes its frames to have left.
        flush();
        if (port.isServedAgain()) {
          ready.add(port);
        }
      }
      if (!ready.isEmpty()) {
        // Sockets have their turn first.
        serveSoon();
      }
    }

    private int forward(SwitchPort port, int budget) {
      int done = 0;
      boolean permitted = isPermitted();
      for (byte[] frame = port.poll(); frame != null; frame = port.poll()) {
        if (permitted) {
          forward(port, frame);
        } else {
          counters.drop(Drop.SILENT);
        }
        if (++done == budget) {
          break;
        }
      }
      return done;
    }

    /** A frame that cannot be dealt with is not to end the forwarding of others. */
    private void forward(SwitchPort port, byte[] frame) {
      try {
        theSwitch.fromPort(port, frame);
      } catch (RuntimeException | Error e) {
        counters.drop(Drop.FAILED);
        log.debug("a frame of {} was not forwarded", port.card(), e);
      }
    }
  }
}
