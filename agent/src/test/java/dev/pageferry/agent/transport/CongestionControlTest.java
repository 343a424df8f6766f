package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.unix.RawUnixChannelOption;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the kernel says of a socket (TCP_CONGESTION, tcp(7)) that was asked for a congestion control. */
final class CongestionControlTest {
  private static final int IPPROTO_TCP = 6;
  private static final int TCP_CONGESTION = 13;
  private static final RawUnixChannelOption OPTION = new RawUnixChannelOption("TCP_CONGESTION", IPPROTO_TCP,
      TCP_CONGESTION, 16);

  private EpollSocketChannel socket;
  private String before;

  @BeforeEach
  void open() {
    assumeTrue(Epoll.isAvailable(), "no native epoll library: sockets keep the kernel's choice");
    socket = new EpollSocketChannel();
    before = inUse();
  }

  @AfterEach
  void close() {
    if (socket != null) {
      socket.unsafe().closeForcibly();
    }
  }

  private String inUse() {
    ByteBuffer value = socket.config().getOption(OPTION);
    StringBuilder name = new StringBuilder();
    for (byte each = value.get(); each != 0; each = value.get()) {
      name.append((char) each);
    }
    return name.toString();
  }

  @Test
  void aSocketGetsTheOneThatIsAskedFor() {
    // Every kernel has reno, and any program may choose it.
    new CongestionControl("reno").applyTo(socket);
    assertThat(inUse()).isEqualTo("reno");

    new CongestionControl(before).applyTo(socket);
    assertThat(inUse()).isEqualTo(before);
  }

  @Test
  void aSocketKeepsTheKernelsChoiceWhereItIsToOrTheKernelHasNoOther() {
    new CongestionControl(CongestionControl.SYSTEM).applyTo(socket);
    assertThat(inUse()).isEqualTo(before);

    new CongestionControl("nosuch").applyTo(socket);
    assertThat(inUse()).isEqualTo(before);
  }

  @Test
  void whatCannotBeANameIsRefused() {
    for (String each : List.of("", "Cubic", "cubic reno", "a".repeat(16))) {
      assertThatThrownBy(() -> new CongestionControl(each)).isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("names no congestion control");
    }
  }
}
