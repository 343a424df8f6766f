package dev.pageferry.agent.transport;

import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.RawUnixChannelOption;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The TCP congestion control of the streams that carry pages (TCP_CONGESTION, tcp(7)). Hosts are often set up with BBR,
 * which suits long ways through the Internet; on a short and fast link between hosts its pacing takes a third to a half
 * of the throughput.
 */
public final class CongestionControl {
  /** What an agent asks for unless told otherwise. */
  public static final String DEFAULT = "cubic";
  /** Leaves the choice to the kernel. */
  public static final String SYSTEM = "system";

  private static final Logger log = LoggerFactory.getLogger(CongestionControl.class);
  private static final Pattern NAME = Pattern.compile("[a-z0-9_-]+");
  private static final int IPPROTO_TCP = 6;
  private static final int TCP_CONGESTION = 13;
  /** With the zero at its end (TCP_CA_NAME_MAX, linux/tcp.h). */
  private static final int NAME_BYTES = 16;
  private static final RawUnixChannelOption OPTION = new RawUnixChannelOption("TCP_CONGESTION", IPPROTO_TCP,
      TCP_CONGESTION, NAME_BYTES);

  private final String name;
  private final AtomicBoolean complained = new AtomicBoolean();

  /**
   * @param name such as cubic, bbr or reno, or {@link #SYSTEM}
   * @throws IllegalArgumentException if no congestion control can be called so
   */
  public CongestionControl(String name) {
    if (!NAME.matcher(name).matches() || name.length() >= NAME_BYTES) {
      throw new IllegalArgumentException(
          "'%s' names no congestion control; give cubic, bbr, reno or system".formatted(name));
    }
    this.name = name;
  }

  /** Asks for it. A kernel that does not offer it uses its own choice, and the log says so once. */
  void applyTo(Channel channel) {
    if (name.equals(SYSTEM) || !Epoll.isAvailable()) {
      return;
    }
    ByteBuffer value = ByteBuffer.allocateDirect(NAME_BYTES).put(name.getBytes(StandardCharsets.US_ASCII)).clear();
    try {
      channel.config().setOption(OPTION, value);
    } catch (ChannelException e) {
      if (complained.compareAndSet(false, true)) {
        log.warn("the kernel does not offer congestion control {}, its own is used: {}", name, e.getMessage());
      }
    }
  }

  @Override
  public String toString() {
    return name;
  }
}
