package dev.pageferry.common.accept;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.Channel;
import io.netty.channel.embedded.EmbeddedChannel;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Who is to go when more connections wait than may. */
class StrangersTest {
  private final Strangers strangers = new Strangers("test", 4);

  private static Channel from(String address, int port) {
    return new EmbeddedChannel() {
      @Override
      protected SocketAddress remoteAddress0() {
        return new InetSocketAddress(address, port);
      }
    };
  }

  @Test
  void nobodyGoesUntilThereAreTooMany() {
    IntStream.range(0, 4).forEach(i -> assertThat(strangers.came(from("10.0.0.1", i))).isEmpty());
    assertThat(strangers.count()).isEqualTo(4);
  }

  @Test
  void theOldestOfTheAddressThatHasTheMostGoes() {
    var _ = strangers.came(from("10.0.0.1", 1));
    Channel first = from("10.0.0.2", 1);
    var _ = strangers.came(first);
    var _ = strangers.came(from("10.0.0.2", 2));
    var _ = strangers.came(from("10.0.0.3", 1));
    assertThat(strangers.came(from("10.0.0.4", 1))).containsSame(first);
    assertThat(strangers.count()).isEqualTo(4);
  }

  @Test
  void theOldestOfAllGoesWhereEachComesFromElsewhere() {
    Channel first = from("10.0.0.1", 1);
    var _ = strangers.came(first);
    IntStream.range(2, 5).forEach(i -> assertThat(strangers.came(from("10.0.0." + i, 1))).isEmpty());
    assertThat(strangers.came(from("10.0.0.5", 1))).containsSame(first);
  }

  @Test
  void whoeverWasIntroducedIsNotAmongThoseThatGo() {
    Channel member = from("10.0.0.1", 1);
    var _ = strangers.came(member);
    strangers.introduced(new InetSocketAddress("10.0.0.1", 1));
    assertThat(strangers.count()).isZero();
    for (int i = 2; i < 20; i++) {
      assertThat(strangers.came(from("10.0.0.1", i)).orElse(null)).isNotSameAs(member);
    }
  }

  @Test
  void whoIsGoneMakesRoom() {
    Channel first = from("10.0.0.1", 0);
    var _ = strangers.came(first);
    IntStream.range(1, 4).forEach(i -> assertThat(strangers.came(from("10.0.0.1", i))).isEmpty());
    strangers.went(first);
    strangers.went(first);
    assertThat(strangers.count()).as("it is counted once").isEqualTo(3);
    assertThat(strangers.came(from("10.0.0.1", 4))).isEmpty();
  }

  @Test
  void theEndOfAConnectionIsNotThatOfTheNextOneFromTheSamePort() {
    Channel before = from("10.0.0.1", 1);
    Channel after = from("10.0.0.1", 1);
    var _ = strangers.came(before);
    var _ = strangers.came(after);
    assertThat(strangers.count()).isEqualTo(1);
    strangers.went(before);
    assertThat(strangers.count()).isEqualTo(1);
    strangers.went(after);
    assertThat(strangers.count()).isZero();
  }
}
