package dev.pageferry.coordinator.validation;

import dev.pageferry.common.units.Bandwidth;
import dev.pageferry.common.units.Durations;
import dev.pageferry.coordinator.validation.ClusterLook.HostLook;
import dev.pageferry.coordinator.validation.ClusterLook.LinkLook;
import dev.pageferry.proto.agent.v1.HostFacts;
import dev.pageferry.proto.agent.v1.LinkMeasure;
import dev.pageferry.proto.agent.v1.NetworkCardFacts;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Whether there is a network for migrations of its own, and whether every host reaches every other one on it as well as all others. */
final class NetworkChecks {
  private static final String TWO = "two-networks";
  private static final String REACHED = "migration-reached";
  private static final String BANDWIDTH = "migration-bandwidth";
  private static final String ROUND_TRIP = "migration-round-trip";
  private static final String MTU = "migration-mtu";
  private static final String CABLES = "look at the cables and addresses of the migration network, and let its TCP port through firewalls";
  private static final String SPEED = "look at the speed that card and switch have agreed on (ethtool), and at what else uses the link";
  /** A link that has less than this part of what others have is told apart from noise. */
  private static final double SLOW_FRACTION = 0.25;
  /** Of IP; loopback has one byte more. */
  private static final int LARGEST_PACKET = 65535;
  /** Bytes per second: half of 1 Gbit/s, less what else takes part of it. */
  private static final double LOW_BYTES_PER_SECOND = 50e6;
  private static final double LONG_ROUND_TRIP_SECONDS = 0.01;

  private NetworkChecks() {
  }

  static void look(ClusterLook cluster, Findings findings) {
    Findings.Category network = findings.of("network");
    cluster.answered().forEach(each -> lookAtCards(each, network));
    network.passUnlessFound(TWO, "management and migration are on cards of their own on every host");
    if (cluster.links().isEmpty()) {
      network.skip(REACHED, List.of(), "there are no two hosts that could be asked");
      return;
    }
    lookAtReach(cluster.links(), network);
    lookAtBandwidth(cluster.links(), network);
    lookAtRoundTrips(cluster.links(), network);
    lookAtMtus(cluster, network);
  }

  private static void lookAtCards(HostLook host, Findings.Category network) {
    HostFacts facts = host.facts().orElseThrow();
    NetworkCardFacts management = facts.getManagement();
    NetworkCardFacts migration = facts.getMigration();
    List<String> self = List.of(host.name());
    if (management.getInterface().isEmpty() || migration.getInterface().isEmpty()) {
      String address = management.getInterface().isEmpty() ? management.getAddress() : migration.getAddress();
      network.warn(TWO, self, "no card of this host has the address %s".formatted(address),
          "listen on an address of a card of the host, or check --advertise");
    } else if (migration.getLoopback()) {
      network.warn(TWO, self, "migrations are on loopback: all hosts are on this one machine",
          "fine for trying it; on several machines let --migration-listen be an address of the migration network");
    } else if (management.getInterface().equals(migration.getInterface())) {
      network.warn(TWO, self, "management and migration are both on card %s".formatted(migration.getInterface()),
          "a move takes the whole link, and heartbeats share it: put --migration-listen on a card of its own");
    }
  }

  /**
   * Tells a host's trouble from that of a link.
   *
   * @return hosts of three or more all of whose links are among the bad ones
   */
  private static List<String> cutOff(List<LinkLook> links, List<LinkLook> bad) {
    List<String> hosts = links.stream().flatMap(each -> Stream.of(each.source(), each.destination())).distinct()
        .sorted()
        .toList();
    return hosts.size() < 3
        ? List.of()
        : hosts.stream().filter(host -> links.stream().filter(each -> isOf(each, host)).allMatch(bad::contains))
            .toList();
  }

  private static boolean isOf(LinkLook link, String host) {
    return link.source().equals(host) || link.destination().equals(host);
  }

  private static void lookAtReach(List<LinkLook> links, Findings.Category network) {
    List<LinkLook> dead = links.stream().filter(each -> each.measure().isEmpty() && !each.isSkipped()).toList();
    List<String> alone = cutOff(links, dead);
    for (String host : alone) {
      network.fail(REACHED, List.of(host),
          "it reaches no other host's migration port, and no other host its: %s".formatted(
              dead.stream().filter(each -> each.source().equals(host)).findFirst().map(LinkLook::trouble).orElse("")),
          CABLES);
    }
    for (LinkLook link : links) {
      List<String> both = List.of(link.source(), link.destination());
      if (link.isSkipped()) {
        network.skip(REACHED, both, link.trouble());
      } else if (link.measure().isEmpty()) {
        if (alone.stream().noneMatch(host -> isOf(link, host))) {
          network.fail(REACHED, both, "%s does not reach %s: %s".formatted(link.source(), link.destination(),
              link.trouble()), CABLES);
        }
      } else if (link.measure().get().getBytes() == 0) {
        network.fail(REACHED, both, "%s connects to %s, and next to nothing comes through".formatted(link.source(),
            link.destination()),
            "large packets are lost on the way: compare the MTUs of both cards and of the switches between");
      }
    }
    network.passUnlessFound(REACHED, "every host reaches every other one's migration port");
  }

  private static void lookAtBandwidth(List<LinkLook> links, Findings.Category network) {
    List<LinkLook> measured = links.stream().filter(each -> each.bytesPerSecond().isPresent()).toList();
    if (measured.isEmpty()) {
      network.skip(BANDWIDTH, List.of(), "no link could be measured");
      return;
    }
    List<Double> rates = measured.stream().map(NetworkChecks::rate).sorted().toList();
    // Any number of slow cards leaves both directions between two good ones: what these have is what the network has.
    double usual = rates.get(Math.max(rates.size() - 2, rates.size() == 2 ? 1 : 0));
    if (usual < LOW_BYTES_PER_SECOND) {
      network.warn(BANDWIDTH, List.of(), "the fastest links have %s".formatted(Bandwidth.format(usual)),
          "moves take long, and busy VMs may not converge: 1 Gbit/s or more is wanted. " + SPEED);
    }
    List<LinkLook> slow = measured.stream()
        .filter(each -> rate(each) < SLOW_FRACTION * Math.max(usual, each.cardBytesPerSecond()))
        .toList();
    List<String> all = cutOff(measured, slow);
    for (String host : all) {
      double best = slow.stream().filter(each -> isOf(each, host)).mapToDouble(NetworkChecks::rate).max().orElse(0);
      network.warn(BANDWIDTH, List.of(host), "all its links have at most %s; the fastest have %s".formatted(
          Bandwidth.format(best), Bandwidth.format(usual)), SPEED);
    }
    slow.stream().filter(each -> all.stream().noneMatch(host -> isOf(each, host)))
        .forEach(each -> network.warn(BANDWIDTH, List.of(each.source(), each.destination()),
            "%s to %s: %s; %s %s".formatted(each.source(), each.destination(), Bandwidth.format(rate(each)),
                each.cardBytesPerSecond() > usual ? "the slower card has" : "other links have",
                Bandwidth.format(Math.max(usual, each.cardBytesPerSecond()))),
            SPEED));
    network.passUnlessFound(BANDWIDTH, "%s to %s, measured at the receiver".formatted(
        Bandwidth.format(rates.getFirst()), Bandwidth.format(rates.getLast())));
  }

  private static double rate(LinkLook link) {
    return link.bytesPerSecond().orElse(0.0);
  }

  private static void lookAtRoundTrips(List<LinkLook> links, Findings.Category network) {
    List<LinkLook> known = links.stream().filter(each -> each.measure().map(LinkMeasure::getRoundTripSeconds)
        .filter(it -> it > 0).isPresent()).toList();
    if (known.isEmpty()) {
      network.skip(ROUND_TRIP, List.of(), "the kernel told no round trip");
      return;
    }
    double longest = 0;
    for (LinkLook each : known) {
      double seconds = each.measure().orElseThrow().getRoundTripSeconds();
      longest = Math.max(longest, seconds);
      if (seconds > LONG_ROUND_TRIP_SECONDS) {
        network.warn(ROUND_TRIP, List.of(each.source(), each.destination()), "a round trip takes %s".formatted(
            Durations.format(seconds)), "each move pauses its VM for some round trips: keep hosts of a cluster close");
      }
    }
    network.passUnlessFound(ROUND_TRIP, "%s at most".formatted(Durations.format(longest)));
  }

  private static void lookAtMtus(ClusterLook cluster, Findings.Category network) {
    Map<String, Integer> cards = new TreeMap<>();
    cluster.answered().forEach(each -> {
      NetworkCardFacts card = each.facts().orElseThrow().getMigration();
      if (card.getMtu() > 0) {
        cards.put(each.name(), card.getMtu());
      }
    });
    int largest = largest(cards.values());
    cards.forEach((host, mtu) -> {
      if (mtu < largest) {
        network.warn(MTU, List.of(host),
            "its migration card has an MTU of %d bytes, others of %d".formatted(mtu, largest),
            "give all cards and switches of the migration network the same MTU (ip link set CARD mtu BYTES)");
      }
    });
    for (LinkLook each : cluster.links()) {
      int path = each.measure().map(LinkMeasure::getPathMtu).orElse(0);
      int ends = Math.min(LARGEST_PACKET,
          Math.min(cards.getOrDefault(each.source(), 0), cards.getOrDefault(each.destination(), 0)));
      if (path > 0 && path < ends) {
        network.warn(MTU, List.of(each.source(), each.destination()),
            "the path MTU is %d bytes, and both cards have an MTU of %d".formatted(path, ends),
            "something between has a smaller MTU, such as a tunnel or a switch");
      }
    }
    network.passUnlessFound(MTU, "%d bytes on every migration card".formatted(largest));
  }

  private static int largest(Collection<Integer> values) {
    return values.stream().mapToInt(Integer::intValue).max().orElse(0);
  }
}
