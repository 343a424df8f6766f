package dev.pageferry.agent.transport;

import io.netty.channel.Channel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Connections that have not shown who they are. Their number is bounded, and where it is exceeded the oldest one goes, of
 * the address that has the most, or of those the first that came: who says hello at once is let in, however many others say nothing.
 */
final class Strangers {
  private static final Logger log = LoggerFactory.getLogger(Strangers.class);
  static final int MAX = 256;

  /** By address, both in the order in which they came. Guarded by this. */
  private final Map<InetAddress, Set<Channel>> waiting = new LinkedHashMap<>();
  private int count;
  /** From when the bound was met until half of them are gone: said once in the log, however many come. */
  private boolean crowded;

  /** One more has come; gives the one that is to go for it. */
  synchronized Optional<Channel> came(Channel stranger) {
    if (waiting.computeIfAbsent(address(stranger), _ -> new LinkedHashSet<>()).add(stranger)) {
      count++;
    }
    if (count <= MAX) {
      return Optional.empty();
    }
    if (!crowded) {
      crowded = true;
      log.warn("more than {} connections have not said hello, the newest from {}; the oldest ones are closed", MAX,
          stranger.remoteAddress());
    }
    Optional<Channel> oldest = waiting.values().stream().max(Comparator.comparingInt(Set::size))
        .map(most -> most.iterator().next());
    oldest.ifPresent(this::went);
    return oldest;
  }

  /** How many there are now. */
  synchronized int count() {
    return count;
  }

  /** It has shown who it is, or is gone. */
  synchronized void went(Channel stranger) {
    InetAddress address = address(stranger);
    Set<Channel> there = waiting.get(address);
    if (there != null && there.remove(stranger)) {
      count--;
      crowded &= count > MAX / 2;
      if (there.isEmpty()) {
        waiting.remove(address);
      }
    }
  }

  private static InetAddress address(Channel channel) {
    return channel.remoteAddress() instanceof InetSocketAddress remote
        ? remote.getAddress()
        : InetAddress.getLoopbackAddress();
  }
}
