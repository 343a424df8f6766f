package dev.pageferry.common.accept;

import io.netty.channel.Channel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Connections that have not shown who they are. Their number is bounded, and where it is exceeded the oldest one goes, of
 * the address that has the most, or of those the first that came: who says hello at once is let in, however many others say nothing.
 * For any thread.
 */
public final class Strangers {
  private static final Logger log = LoggerFactory.getLogger(Strangers.class);

  private final String port;
  private final int max;
  /** By address and by the whole of it with the port there, both in the order in which they came. Guarded by this. */
  private final Map<InetAddress, LinkedHashMap<SocketAddress, Channel>> waiting = new LinkedHashMap<>();
  private int count;
  /** From when the bound was met until half of them are gone: said once in the log, however many come. */
  private boolean crowded;

  /**
   * @param port of what the port is, for the log
   * @param max how many there may be
   */
  public Strangers(String port, int max) {
    this.port = port;
    this.max = max;
  }

  /** How many there may be. */
  public int max() {
    return max;
  }

  /** How many there are now. */
  public synchronized int count() {
    return count;
  }

  /** One more has come; gives the one that is to go for it. */
  public synchronized Optional<Channel> came(Channel stranger) {
    SocketAddress peer = peer(stranger);
    // One that had the same address, and whose end is not known here yet, counts no more.
    if (waiting.computeIfAbsent(address(peer), _ -> new LinkedHashMap<>()).putLast(peer, stranger) == null) {
      count++;
    }
    if (count <= max) {
      return Optional.empty();
    }
    if (!crowded) {
      crowded = true;
      log.warn("more than {} connections to the {} port have not shown who they are, the newest from {}; "
          + "the oldest ones are closed", max, port, peer);
    }
    Optional<Channel> oldest = waiting.values().stream().max(Comparator.comparingInt(Map::size))
        .map(most -> most.firstEntry().getValue());
    oldest.ifPresent(this::went);
    return oldest;
  }

  /** It has shown who it is, or is gone. */
  public synchronized void went(Channel stranger) {
    SocketAddress peer = peer(stranger);
    Map<SocketAddress, Channel> there = waiting.get(address(peer));
    if (there != null && there.remove(peer, stranger)) {
      left(address(peer), there);
    }
  }

  /** The one with this address has shown who it is: for whom does not see the connection itself. */
  public synchronized void introduced(SocketAddress peer) {
    Map<SocketAddress, Channel> there = waiting.get(address(peer));
    if (there != null && there.remove(peer) != null) {
      left(address(peer), there);
    }
  }

  private void left(InetAddress address, Map<SocketAddress, Channel> there) {
    count--;
    crowded &= count > max / 2;
    if (there.isEmpty()) {
      waiting.remove(address);
    }
  }

  private static SocketAddress peer(Channel channel) {
    // Whose other end is not known any more is gone, and will be closed.
    return channel.remoteAddress() instanceof SocketAddress remote ? remote : new InetSocketAddress(0);
  }

  private static InetAddress address(SocketAddress peer) {
    return peer instanceof InetSocketAddress remote ? remote.getAddress() : InetAddress.getLoopbackAddress();
  }
}
