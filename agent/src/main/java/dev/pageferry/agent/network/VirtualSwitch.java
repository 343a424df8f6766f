package dev.pageferry.agent.network;

import dev.pageferry.agent.network.SwitchPort.State;
import dev.pageferry.agent.network.Uplink.Learning;
import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.time.Ticker;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Forwards frames between the cards of this host's VMs and its uplinks. For one thread, the loop's.
 *
 * <p>No loops: what comes over an uplink goes to ports of this host only (split horizon). The one exception is what still
 * comes for a VM that has just moved, which is passed on to the host that it went to. Such relays point in the order in
 * which the VM moved, and a host that has the VM has no relay for it, so that they cannot form a circle either.
 */
final class VirtualSwitch {
  /** How long frames are passed on to a VM that has moved: longer than its last announcement takes. */
  static final Duration RELAY = Duration.ofSeconds(2);
  /** Of VMs that have just moved; the oldest makes room. */
  static final int MAX_RELAYS = 1024;

  private final UplinkOf uplinks;
  private final SwitchCounters counters;
  private final Ticker ticker;
  private final AddressTable learned;
  private final ProbeAnswering probes;
  private final Map<StationKey, SwitchPort> ports = new HashMap<>();
  private final Map<Integer, List<SwitchPort>> networks = new HashMap<>();
  private final Map<StationKey, Relay> relays = new LinkedHashMap<>();

  private record Relay(TunnelEnd end, long untilNanos) {
  }

  /** Which uplink a network has. */
  interface UplinkOf {
    /** The uplink; null: the network ends at this host. */
    @Nullable
    Uplink of(int vni);

    /**
     * How frames are passed on to one other host, whatever uplink their network has: sent from here onto a real interface, a
     * client's frame would tell the bridge there that the client is here. Null: not at all.
     */
    @Nullable
    Tunnels tunnels();
  }

  /** An uplink to single hosts, and to others beside them. */
  interface Tunnels extends Uplink {
    /** Sends to non-member hosts that are on the network. */
    void tellOthers(int vni, byte[] frame);
  }

  /** What becomes of reachability probes. */
  interface ProbeAnswering {
    /** The answer to send back to whoever sent the probe; empty for none. */
    Optional<byte[]> received(int vni, byte[] probe);
  }

  VirtualSwitch(UplinkOf uplinks, ProbeAnswering probes, SwitchCounters counters, Ticker ticker) {
    this.uplinks = uplinks;
    this.probes = probes;
    this.counters = counters;
    this.ticker = ticker;
    this.learned = new AddressTable(ticker);
  }

  /** Plugs a card in; it stands by. One that is there under its address goes. */
  void attach(SwitchPort port) {
    StationKey station = StationKey.of(port.card());
    SwitchPort before = ports.put(station, port);
    if (before != null) {
      before.become(State.CLOSED);
      portsOf(station.vni()).remove(before);
    }
    networks.computeIfAbsent(station.vni(), vni -> new ArrayList<>()).add(port);
  }

  /** The VM is this host's: from now on its card may send, and its address is here. */
  void activate(SwitchPort port) {
    if (port.state() == State.CLOSED) {
      return;
    }
    StationKey station = StationKey.of(port.card());
    if (ports.get(station) != port) {
      attach(port);
    }
    port.become(State.LIVE);
    learned.forget(station);
    relays.remove(station);
  }

  /**
   * The VM belongs to another host now. Its address is forgotten here at once, and what is held for it, or still comes, is
   * passed on.
   *
   * @param end where it went; null where that is not known
   */
  void handOver(SwitchPort port, @Nullable TunnelEnd end) {
    if (port.state() != State.LIVE) {
      return;
    }
    StationKey station = StationKey.of(port.card());
    // The port first, so that what comes from now on is relayed and not held; then what was held.
    remove(port);
    port.become(State.GONE);
    if (end != null) {
      relay(station, end);
    }
    for (byte[] held = port.take(); held != null; held = port.take()) {
      // Whoever floods, floods to the destination too, which holds such frames itself.
      if (!EthernetFrame.destination(held).isGroup()) {
        passOn(station.vni(), held, end);
      }
    }
  }

  private void passOn(int vni, byte[] frame, @Nullable TunnelEnd end) {
    Tunnels tunnels = uplinks.tunnels();
    if (end == null || tunnels == null) {
      counters.drop(Drop.LEFT_BEHIND);
    } else {
      counters.relay();
      tunnels.send(end, vni, frame, Learning.FORBIDDEN);
    }
  }

  private void relay(StationKey station, TunnelEnd end) {
    if (uplinks.of(station.vni()) == uplinks.tunnels()) {
      learned.learn(station, end);
    }
    relays.remove(station);
    if (relays.size() >= MAX_RELAYS) {
      relays.remove(relays.keySet().iterator().next());
    }
    relays.put(station, new Relay(end, ticker.nanos() + RELAY.toNanos()));
  }

  /** Unplugs a card for good. */
  void detach(SwitchPort port) {
    remove(port);
    port.become(State.CLOSED);
  }

  private void remove(SwitchPort port) {
    StationKey station = StationKey.of(port.card());
    if (ports.remove(station, port)) {
      List<SwitchPort> network = portsOf(station.vni());
      network.remove(port);
      if (network.isEmpty()) {
        networks.remove(station.vni());
      }
    }
  }

  /** A card sends. */
  void fromPort(SwitchPort port, byte[] frame) {
    int vni = port.card().vni();
    if (port.state() != State.LIVE) {
      counters.drop(Drop.SILENT);
    } else if (!EthernetFrame.isWellFormed(frame)) {
      counters.drop(Drop.MALFORMED_FRAME);
    } else if (!EthernetFrame.source(frame).equals(port.card().mac())) {
      counters.drop(Drop.SPOOFED);
    } else {
      forward(port, vni, frame);
    }
  }

  private void forward(SwitchPort from, int vni, byte[] frame) {
    StationKey station = new StationKey(vni, EthernetFrame.destination(frame));
    Uplink uplink = uplinks.of(vni);
    if (station.mac().isGroup()) {
      deliverToAll(vni, frame, from);
      flood(uplink, vni, frame);
      return;
    }
    SwitchPort local = ports.get(station);
    if (local != null && local.state() == State.LIVE) {
      counters.forward();
      local.deliver(frame);
      return;
    }
    Optional<RemoteEnd> end = learned.find(station);
    // Somebody who pings may be behind a tunnel though the network is on a real interface.
    Uplink way = end.isPresent() && end.get() instanceof TunnelEnd ? uplinks.tunnels() : uplink;
    if (way != null && end.isPresent()) {
      counters.forward();
      way.send(end.get(), vni, frame, Learning.ALLOWED);
    } else {
      flood(uplink, vni, frame);
    }
  }

  private void flood(@Nullable Uplink uplink, int vni, byte[] frame) {
    counters.flood();
    if (uplink != null) {
      uplink.flood(vni, frame);
    }
  }

  private void deliverToAll(int vni, byte[] frame, @Nullable SwitchPort except) {
    for (SwitchPort each : portsOf(vni)) {
      // A local VM's frame goes to where the VM that stands by still is, over the uplink.
      if (each != except && (except == null || each.state() == State.LIVE)) {
        each.deliver(frame);
      }
    }
  }

  /**
   * An uplink brings a frame.
   *
   * @param end where it came from
   * @param learning whether its sender is where it came from
   */
  void fromUplink(RemoteEnd end, int vni, byte[] frame, Learning learning) {
    if (!EthernetFrame.isWellFormed(frame)) {
      counters.drop(Drop.MALFORMED_FRAME);
      return;
    }
    StationKey sender = new StationKey(vni, EthernetFrame.source(frame));
    SwitchPort ours = ports.get(sender);
    if (ours != null && ours.state() == State.LIVE) {
      counters.drop(Drop.ADDRESS_CLAIMED);
      return;
    }
    boolean isHere = networks.containsKey(vni);
    if (learning == Learning.ALLOWED && (isHere || relays.containsKey(sender))) {
      learn(sender, end);
    }
    if (EthernetFrame.type(frame) == EthernetFrame.TYPE_LOCAL_EXPERIMENT) {
      answerProbe(vni, frame, sender.mac(), end);
      return;
    }
    MacAddress destination = EthernetFrame.destination(frame);
    if (destination.isGroup()) {
      counters.flood();
      deliverToAll(vni, frame, null);
    } else {
      deliverOrRelay(new StationKey(vni, destination), frame, end);
    }
  }

  private void learn(StationKey sender, RemoteEnd end) {
    learned.learn(sender, end);
    Relay relay = relays.get(sender);
    if (relay != null && end instanceof TunnelEnd next && next.isHost() && !relay.end().equals(next)) {
      // It moved on before the relay ended.
      relays.put(sender, new Relay(next, relay.untilNanos()));
    }
  }

  /** Every host answers, whether or not it has VMs on the network: its switch is asked, not they. */
  private void answerProbe(int vni, byte[] frame, MacAddress sender, RemoteEnd end) {
    Uplink uplink = uplinks.of(vni);
    Optional<byte[]> answer = probes.received(vni, frame);
    if (answer.isPresent() && uplink != null) {
      RemoteEnd back = learned.find(new StationKey(vni, sender)).orElse(end);
      uplink.send(back, vni, answer.get(), Learning.ALLOWED);
    }
  }

  private void deliverOrRelay(StationKey station, byte[] frame, RemoteEnd from) {
    SwitchPort port = ports.get(station);
    if (port != null) {
      counters.forward();
      port.deliver(frame);
      return;
    }
    Relay relay = relays.get(station);
    if (relay == null) {
      counters.drop(Drop.NOT_HERE);
    } else if (ticker.nanos() - relay.untilNanos() > 0 || relay.end().equals(from)) {
      relays.remove(station);
      counters.drop(Drop.NOT_HERE);
    } else {
      passOn(station.vni(), frame, relay.end());
    }
  }

  /** Sends a frame of this host itself, about a VM that is here, to everybody else. */
  void announce(SwitchPort port, byte[] frame) {
    if (port.state() != State.LIVE) {
      return;
    }
    int vni = port.card().vni();
    deliverToAll(vni, frame, port);
    flood(uplinks.of(vni), vni, frame);
    Tunnels tunnels = uplinks.tunnels();
    if (tunnels != null && uplinks.of(vni) != tunnels) {
      tunnels.tellOthers(vni, frame);
    }
  }

  /** Forgets what was behind tunnel ends that are not there any more. */
  void retain(Set<TunnelEnd> ends) {
    learned.retain(ends);
    relays.values().removeIf(each -> !ends.contains(each.end()));
  }

  private List<SwitchPort> portsOf(int vni) {
    return networks.getOrDefault(vni, List.of());
  }
}
