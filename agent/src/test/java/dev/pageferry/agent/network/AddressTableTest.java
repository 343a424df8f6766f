package dev.pageferry.agent.network;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.network.PacketUplink.Wire;
import dev.pageferry.common.packet.MacAddress;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class AddressTableTest {
  private static final TunnelEnd A = end(1);
  private static final TunnelEnd B = end(2);
  private static final Duration INSTANT = Duration.ofNanos(1);
  private static final Duration LONGEST_WITHOUT_SWEEP = Duration.ofSeconds(10);

  private final SteppedTicker ticker = new SteppedTicker();
  private final AddressTable table = new AddressTable(ticker);

  @Test
  void aStationIsWhereItsFramesCameFrom() {
    table.learn(station(1), A);
    table.learn(station(2), Wire.INSTANCE);

    assertThat(table.find(station(1))).contains(A);
    assertThat(table.find(station(2))).contains(Wire.INSTANCE);
    assertThat(table.find(station(3))).isEmpty();
    assertThat(table.size()).isEqualTo(2);
  }

  @Test
  void theSameAddressOnAnotherNetworkIsAnotherStation() {
    table.learn(new StationKey(1, new MacAddress(2)), A);
    table.learn(new StationKey(2, new MacAddress(2)), B);

    assertThat(table.find(new StationKey(1, new MacAddress(2)))).contains(A);
    assertThat(table.find(new StationKey(2, new MacAddress(2)))).contains(B);
    assertThat(table.find(new StationKey(3, new MacAddress(2)))).isEmpty();
  }

  @Test
  void aStationThatMovesIsFoundWhereItWasSeenLast() {
    table.learn(station(1), A);
    table.learn(station(1), B);

    assertThat(table.find(station(1))).contains(B);
    assertThat(table.size()).isEqualTo(1);
  }

  @Test
  void aStationThatIsSilentFor300SecondsIsForgotten() {
    table.learn(station(1), A);

    ticker.advance(Duration.ofSeconds(300));
    assertThat(table.find(station(1))).contains(A);
    ticker.advance(INSTANT);
    assertThat(table.find(station(1))).isEmpty();
  }

  @Test
  void aStationThatIsHeardIsKept() {
    table.learn(station(1), A);
    for (int i = 0; i < 5; i++) {
      ticker.advance(Duration.ofSeconds(299));
      table.learn(station(1), A);
    }
    ticker.advance(Duration.ofSeconds(299));

    assertThat(table.find(station(1))).contains(A);
  }

  @Test
  void aStationThatMovesAsItsEntryIsOldIsFoundAgain() {
    table.learn(station(1), A);
    ticker.advance(Duration.ofSeconds(400));
    table.learn(station(1), B);

    assertThat(table.find(station(1))).contains(B);
  }

  @Test
  void aForgottenStationIsNotFoundAndCanBeLearnedAgain() {
    table.learn(station(1), A);
    table.learn(station(2), A);
    table.forget(station(1));
    table.forget(station(9));

    assertThat(table.find(station(1))).isEmpty();
    assertThat(table.find(station(2))).contains(A);
    table.learn(station(1), B);
    assertThat(table.find(station(1))).contains(B);
  }

  @Test
  void anEndHasRoomFor2048StationsAndNoMore() {
    learn(0, 2048, A);
    table.learn(station(5000), A);

    assertThat(table.size()).isEqualTo(2048);
    assertThat(table.find(station(2047))).contains(A);
    assertThat(table.find(station(5000))).isEmpty();
  }

  @Test
  void aForgottenStationGivesItsRoomBack() {
    learn(0, 2048, A);
    for (int i = 0; i < 2047; i++) {
      table.forget(station(i));
    }
    learn(5000, 3000, A);

    assertThat(table.size()).as("as much room as at the beginning").isEqualTo(2048);
    assertThat(table.find(station(2047))).contains(A);
    assertThat(table.find(station(7046))).contains(A);
    assertThat(table.find(station(7047))).isEmpty();
  }

  @Test
  void anEndThatIsFullTakesNoRoomOfOthers() {
    learn(0, 3000, A);
    table.learn(station(5000), B);

    assertThat(table.find(station(5000))).contains(B);
  }

  @Test
  void knownStationsOfAnEndThatIsFullStayKnown() {
    learn(0, 2048, A);
    ticker.advance(Duration.ofSeconds(200));
    table.learn(station(7), A);
    ticker.advance(Duration.ofSeconds(200));

    assertThat(table.find(station(7))).contains(A);
    assertThat(table.find(station(8))).isEmpty();
  }

  @Test
  void allEndsTogetherHaveRoomFor8192Stations() {
    for (int i = 0; i < 4; i++) {
      learn(i * 2048, 2048, end(i + 1));
    }
    table.learn(station(9000), end(5));

    assertThat(table.size()).isEqualTo(8192);
    assertThat(table.find(station(9000))).isEmpty();
    table.forget(station(0));
    table.learn(station(9000), end(5));
    assertThat(table.find(station(9000))).contains(end(5));
  }

  @Test
  void oldStationsMakeRoomForNewOnes() {
    learn(0, 2048, A);
    ticker.advance(Duration.ofSeconds(301));
    table.learn(station(5000), A);

    assertThat(table.find(station(5000))).contains(A);
    assertThat(table.size()).isEqualTo(1);
    learn(6000, 2047, A);
    assertThat(table.size()).as("as much room as at the beginning").isEqualTo(2048);
  }

  @Test
  void oldStationsOfOtherEndsMakeRoomToo() {
    for (int i = 0; i < 4; i++) {
      learn(i * 2048, 2048, end(i + 1));
    }
    ticker.advance(Duration.ofSeconds(301));
    learn(10_000, 10, end(5));

    assertThat(table.size()).isEqualTo(10);
  }

  @Test
  void onlyOldStationsMakeRoom() {
    learn(0, 1000, A);
    ticker.advance(Duration.ofSeconds(200));
    learn(1000, 1048, A);
    ticker.advance(Duration.ofSeconds(200));
    table.learn(station(5000), A);

    assertThat(table.size()).isEqualTo(1049);
    assertThat(table.find(station(999))).isEmpty();
    assertThat(table.find(station(1000))).contains(A);
    assertThat(table.find(station(5000))).contains(A);
  }

  @Test
  void whoeverFloodsATableDoesNotMakeItSweepEachTime() {
    learn(0, 2048, A);
    table.learn(station(5000), A);
    ticker.advance(Duration.ofSeconds(300));
    ticker.advance(INSTANT);
    table.learn(station(5001), A);
    assertThat(table.find(station(5001))).as("learned after the sweep that is due").contains(A);

    learn(6000, 2047, A);
    ticker.advance(Duration.ofSeconds(300));
    assertThat(table.size()).isEqualTo(2048);
    // All are just young enough, so that this sweep finds nothing.
    table.learn(station(9000), A);
    assertThat(table.find(station(9000))).isEmpty();
    ticker.advance(LONGEST_WITHOUT_SWEEP.minus(INSTANT));
    table.learn(station(9000), A);
    assertThat(table.find(station(9000))).as("all are old, and no sweep is due").isEmpty();
    ticker.advance(INSTANT);
    table.learn(station(9000), A);
    assertThat(table.find(station(9000))).contains(A);
  }

  @Test
  void aStationThatMovesTakesItsRoomWithIt() {
    learn(0, 2048, A);
    table.learn(station(0), B);
    table.learn(station(5000), A);

    assertThat(table.find(station(5000))).contains(A);
    assertThat(table.size()).isEqualTo(2049);
  }

  @Test
  void anEndThatTakesOverStationsOfOthersGetsNoMoreRoomByThat() {
    learn(0, 2048, A);
    learn(2048, 2048, B);
    learn(0, 2048, B);

    assertThat(IntStream.range(0, 4096).filter(i -> table.find(station(i)).equals(Optional.of(B))).count())
        .isLessThanOrEqualTo(2048);
  }

  @Test
  void whatWasBehindAnEndThatIsGoneIsForgotten() {
    learn(0, 2048, A);
    learn(3000, 3, B);
    table.learn(station(4000), Wire.INSTANCE);

    table.retain(Set.of(B));

    assertThat(table.size()).isEqualTo(4);
    assertThat(table.find(station(0))).isEmpty();
    assertThat(table.find(station(3002))).contains(B);
    assertThat(table.find(station(4000))).as("behind an interface").contains(Wire.INSTANCE);
    learn(0, 3000, A);
    assertThat(table.size()).as("as much room as at the beginning").isEqualTo(4 + 2048);
  }

  @Test
  void anEndUnderAnotherAddressIsAnotherOne() {
    table.learn(station(1), A);

    table.retain(Set.of(new TunnelEnd(A.name(), B.address(), 0, false)));

    assertThat(table.find(station(1))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void aTableWithRoomKnowsWhatAMapKnows(long seed) {
    Random random = new Random(seed);
    Map<StationKey, RemoteEnd> model = new HashMap<>();
    for (int i = 0; i < 20_000; i++) {
      StationKey station = new StationKey(1 + random.nextInt(2), new MacAddress(random.nextInt(300)));
      RemoteEnd end = random.nextInt(4) == 0 ? Wire.INSTANCE : end(1 + random.nextInt(5));
      switch (random.nextInt(20)) {
        case 0 -> {
          table.forget(station);
          model.remove(station);
        }
        case 1 -> {
          Set<TunnelEnd> left = random.nextInt(20) == 0 ? Set.of(A, B) : Set.of(A, B, end(3), end(4), end(5));
          table.retain(left);
          model.values().removeIf(each -> each instanceof TunnelEnd tunnel && !left.contains(tunnel));
        }
        default -> {
          table.learn(station, end);
          model.put(station, end);
        }
      }
      assertThat(table.size()).as("seed=%d step=%d", seed, i).isEqualTo(model.size());
      StationKey asked = new StationKey(1 + random.nextInt(2), new MacAddress(random.nextInt(300)));
      assertThat(table.find(asked).orElse(null)).as("seed=%d step=%d", seed, i).isEqualTo(model.get(asked));
    }
  }

  private void learn(int first, int count, RemoteEnd end) {
    for (int i = first; i < first + count; i++) {
      table.learn(station(i), end);
    }
  }

  private static StationKey station(int number) {
    return new StationKey(1, new MacAddress(0x02_00_00_00_00_00L + number));
  }

  private static TunnelEnd end(int number) {
    return new TunnelEnd("host-" + number, new InetSocketAddress(InetAddress.getLoopbackAddress(), 4000 + number), 0,
        false);
  }
}
