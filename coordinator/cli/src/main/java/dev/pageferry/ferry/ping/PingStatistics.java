package dev.pageferry.ferry.ping;

import dev.pageferry.ferry.view.PingText;
import dev.pageferry.proto.cluster.v1.PingBucket;
import dev.pageferry.proto.cluster.v1.VmPing;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramIterationValue;

/** What came of echo requests that were sent one after another. Any thread may tell and ask. */
final class PingStatistics {
  /** Sequence numbers have 16 bits, and begin anew. */
  private static final int SEQUENCES = 1 << 16;
  /** Buckets double from here on. */
  private static final double FIRST_BUCKET_SECONDS = 0.0001;
  private static final int BUCKETS = 20;

  private final long[] sentNanos = new long[SEQUENCES];
  private final boolean[] outstanding = new boolean[SEQUENCES];
  /** Round trips in nanoseconds, to three digits. Its size depends on the longest, not on how many there are. */
  private final Histogram roundTrips = new Histogram(3);
  private long shortestNanos = Long.MAX_VALUE;
  private long longestNanos;
  private int sent;
  private int received;
  private int duplicates;
  private long firstSentNanos;
  private long lastSentNanos;
  private long lastAnswerNanos;
  private long longestGapNanos;

  synchronized void sent(int sequence, long nanos) {
    if (sent == 0) {
      firstSentNanos = nanos;
    }
    sent++;
    lastSentNanos = nanos;
    sentNanos[sequence] = nanos;
    outstanding[sequence] = true;
  }

  synchronized void answered(int sequence, long nanos) {
    if (!outstanding[sequence]) {
      duplicates++;
      return;
    }
    outstanding[sequence] = false;
    longestGapNanos = Math.max(longestGapNanos, gapUntil(nanos));
    lastAnswerNanos = nanos;
    long roundTrip = nanos - sentNanos[sequence];
    received++;
    shortestNanos = Math.min(shortestNanos, roundTrip);
    longestNanos = Math.max(longestNanos, roundTrip);
    roundTrips.recordValue(roundTrip);
  }

  /** Nothing more will be sent. Silence at the end is a gap, too, as long as somebody asked. */
  synchronized void ended() {
    longestGapNanos = Math.max(longestGapNanos, gapUntil(lastSentNanos));
  }

  private long gapUntil(long nanos) {
    return sent == 0 ? 0 : nanos - (received == 0 ? firstSentNanos : lastAnswerNanos);
  }

  synchronized boolean isComplete() {
    return received >= sent;
  }

  synchronized int received() {
    return received;
  }

  /** For how long there was no answer by now. */
  synchronized long silentNanos(long nowNanos) {
    return gapUntil(nowNanos);
  }

  /** What there is to say in short; cheap. */
  synchronized String line() {
    return PingText.line(sent, sent - received, longestGapNanos / 1e9);
  }

  VmPing.Builder toProto() {
    VmPing.Builder ping = VmPing.newBuilder();
    Histogram copy;
    synchronized (this) {
      ping.setSent(sent).setReceived(received).setLost(sent - received).setDuplicates(duplicates)
          .setLongestGapSeconds(longestGapNanos / 1e9);
      if (received > 0) {
        ping.setMinSeconds(shortestNanos / 1e9).setMaxSeconds(longestNanos / 1e9);
      }
      copy = roundTrips.copy();
    }
    // Outside: whoever sends must not wait for this.
    if (copy.getTotalCount() > 0) {
      ping.setMedianSeconds(within(ping, copy.getValueAtPercentile(50)))
          .setP99Seconds(within(ping, copy.getValueAtPercentile(99)));
    }
    return addHistogram(ping, counts(copy));
  }

  /** The histogram rounds up; no percentile is longer than the longest round trip. */
  private static double within(VmPing.Builder ping, long nanos) {
    return Math.clamp(nanos / 1e9, ping.getMinSeconds(), ping.getMaxSeconds());
  }

  private static int[] counts(Histogram roundTrips) {
    int[] counts = new int[BUCKETS + 1];
    for (HistogramIterationValue each : roundTrips.recordedValues()) {
      long nanos = roundTrips.lowestEquivalentValue(each.getValueIteratedTo());
      counts[bucket(nanos / 1e9)] += Math.toIntExact(each.getCountAddedInThisIterationStep());
    }
    return counts;
  }

  private static VmPing.Builder addHistogram(VmPing.Builder ping, int[] counts) {
    int first = 0;
    int last = BUCKETS;
    while (first <= BUCKETS && counts[first] == 0) {
      first++;
    }
    while (last >= first && counts[last] == 0) {
      last--;
    }
    for (int i = first; i <= last; i++) {
      ping.addHistogram(PingBucket.newBuilder().setUpToSeconds(FIRST_BUCKET_SECONDS * (1L << i)).setCount(counts[i]));
    }
    return ping;
  }

  private static int bucket(double seconds) {
    int bucket = 0;
    while (bucket < BUCKETS && seconds > FIRST_BUCKET_SECONDS * (1L << bucket)) {
      bucket++;
    }
    return bucket;
  }
}
