package dev.pageferry.agent.network;

import static dev.pageferry.agent.network.Frames.VNI;
import static dev.pageferry.agent.network.Frames.host;

import dev.pageferry.agent.network.SwitchPort.PortService;
import dev.pageferry.agent.network.Uplink.Learning;
import dev.pageferry.agent.network.VirtualSwitch.Tunnels;
import dev.pageferry.agent.network.VirtualSwitch.UplinkOf;
import dev.pageferry.common.packet.NetworkCard;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A switch whose uplinks write down what leaves the host, and whose clock and ports the test moves by hand. */
abstract class SwitchFixture {
  static final TunnelEnd HOST_B = host("host-b", 2);
  static final TunnelEnd HOST_C = host("host-c", 3);
  static final int CLIENT = 100;
  /** A network on a real interface. */
  static final int WIRED_VNI = 9;

  long now = 1;
  final Recorded tunnels = new Recorded();
  final Recorded wire = new Recorded();
  final SwitchCounters counters = new SwitchCounters();
  final VirtualSwitch theSwitch = new VirtualSwitch(new UplinkOf() {
    @Override
    public Uplink of(int vni) {
      return vni == WIRED_VNI ? wire : tunnels;
    }

    @Override
    public Tunnels tunnels() {
      return tunnels;
    }
  }, (vni, probe) -> Optional.empty(), counters, () -> now);

  record Sent(@Nullable RemoteEnd end, int vni, byte[] frame, Learning learning) {
  }

  /** What left the host. */
  static final class Recorded implements Tunnels {
    final List<Sent> sent = new ArrayList<>();
    int told;

    @Override
    public void send(RemoteEnd end, int vni, byte[] frame, Learning learning) {
      sent.add(new Sent(end, vni, frame, learning));
    }

    @Override
    public void flood(int vni, byte[] frame) {
      sent.add(new Sent(null, vni, frame, Learning.ALLOWED));
    }

    @Override
    public void tellOthers(int vni, byte[] frame) {
      told++;
    }

    List<@Nullable RemoteEnd> receivers() {
      return sent.stream().<@Nullable RemoteEnd>map(Sent::end).toList();
    }
  }

  SwitchPort standby(NetworkCard card) {
    SwitchPort port = new SwitchPort(card, true, new PortService() {
      @Override
      public void schedule(SwitchPort unused) {
        throw new AssertionError("the test forwards by hand");
      }

      @Override
      public void execute(Runnable task) {
        task.run();
      }

      @Override
      public void drain(SwitchPort unused) {
        throw new AssertionError("the test forwards by hand");
      }
    }, counters, () -> now);
    theSwitch.attach(port);
    return port;
  }

  SwitchPort live(NetworkCard card) {
    SwitchPort port = standby(card);
    theSwitch.activate(port);
    return port;
  }

  void fromHost(TunnelEnd end, byte[] frame) {
    theSwitch.fromUplink(end, VNI, frame, Learning.ALLOWED);
  }

  static List<byte[]> taken(SwitchPort port) {
    List<byte[]> frames = new ArrayList<>();
    for (byte[] frame = port.take(); frame != null; frame = port.take()) {
      frames.add(frame);
    }
    return frames;
  }
}
