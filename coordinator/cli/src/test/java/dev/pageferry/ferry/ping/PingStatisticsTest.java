package dev.pageferry.ferry.ping;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.pageferry.proto.cluster.v1.PingBucket;
import dev.pageferry.proto.cluster.v1.VmPing;
import java.util.concurrent.TimeUnit;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

final class PingStatisticsTest {
  private static final Offset<Double> EXACTLY = within(1e-9);

  private final PingStatistics statistics = new PingStatistics();

  private static long millis(long millis) {
    // A clock that wraps around meanwhile.
    return Long.MAX_VALUE - 5_000_000 + TimeUnit.MILLISECONDS.toNanos(millis);
  }

  @Test
  void theLongestGapIsTheLongestTimeBetweenTwoAnswers() {
    for (int i = 0; i < 4; i++) {
      statistics.sent(i, millis(i));
    }
    statistics.answered(0, millis(1));
    statistics.answered(1, millis(9));
    statistics.answered(3, millis(10));
    statistics.answered(2, millis(11));
    statistics.ended();

    VmPing ping = statistics.toProto().build();
    assertThat(ping.getLongestGapSeconds()).isEqualTo(0.008, EXACTLY);
    assertThat(ping.getSent()).isEqualTo(4);
    assertThat(ping.getReceived()).isEqualTo(4);
    assertThat(ping.getLost()).isZero();
    assertThat(ping.getMinSeconds()).isEqualTo(0.001, EXACTLY);
    assertThat(ping.getMaxSeconds()).isEqualTo(0.009, EXACTLY);
  }

  @Test
  void silenceAtTheEndIsAGapToo() {
    statistics.sent(0, millis(0));
    statistics.answered(0, millis(1));
    statistics.sent(1, millis(2));
    statistics.sent(2, millis(101));
    statistics.ended();

    VmPing ping = statistics.toProto().build();
    assertThat(ping.getLost()).isEqualTo(2);
    assertThat(ping.getLongestGapSeconds()).isEqualTo(0.1, EXACTLY);
  }

  @Test
  void aRequestThatIsLostInTheMiddleDoesNotMakeTheWaitForItAGap() {
    statistics.sent(0, millis(0));
    statistics.sent(1, millis(1));
    statistics.sent(2, millis(2));
    statistics.answered(0, millis(1));
    statistics.answered(2, millis(3));
    statistics.ended();

    assertThat(statistics.toProto().getLongestGapSeconds()).isEqualTo(0.002, EXACTLY);
    assertThat(statistics.toProto().getLost()).isEqualTo(1);
  }

  @Test
  void whereNobodyAnswersAllOfItIsAGap() {
    statistics.sent(0, millis(0));
    statistics.sent(1, millis(51));
    statistics.ended();

    VmPing ping = statistics.toProto().build();
    assertThat(ping.getLongestGapSeconds()).isEqualTo(0.051, EXACTLY);
    assertThat(ping.hasMedianSeconds()).isFalse();
    assertThat(ping.getHistogramList()).isEmpty();
  }

  @Test
  void anAnswerThatComesTwiceIsADuplicate() {
    statistics.sent(7, millis(0));
    statistics.answered(7, millis(1));
    statistics.answered(7, millis(2));
    statistics.answered(8, millis(2));

    assertThat(statistics.toProto().getReceived()).isEqualTo(1);
    assertThat(statistics.toProto().getDuplicates()).isEqualTo(2);
  }

  @Test
  void bucketsDoubleAndHoldEveryAnswer() {
    long[] roundTrips = {50, 100, 101, 200, 1_000, 90_000_000};
    for (int i = 0; i < roundTrips.length; i++) {
      statistics.sent(i, millis(0));
      statistics.answered(i, millis(0) + roundTrips[i] * 1000);
    }

    VmPing ping = statistics.toProto().build();
    assertThat(ping.getHistogram(0)).isEqualTo(PingBucket.newBuilder().setUpToSeconds(0.0001).setCount(2).build());
    assertThat(ping.getHistogram(1).getCount()).isEqualTo(2);
    assertThat(ping.getHistogramList().stream().mapToInt(PingBucket::getCount).sum()).isEqualTo(roundTrips.length);
  }
}
