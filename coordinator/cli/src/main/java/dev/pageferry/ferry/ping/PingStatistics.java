package dev.pageferry.ferry.ping;

import dev.pageferry.ferry.view.PingText;
import dev.pageferry.proto.cluster.v1.PingBucket;
import dev.pageferry.proto.cluster.v1.VmPing;
import java.util.Arrays;

/** What came of echo requests that were sent one after another. Any thread may tell and ask. */
final class PingStatistics {
  /** Sequence numbers have 16 bits, and begin anew. */
  private static final int SEQUENCES = 1 << 16;
  /** Buckets double from here on. */
  private static final double FIRST_BUCKET_SECONDS = 0.0001;
  private static final int BUCKETS = 20;

  private final long[] sentNanos = new long[SEQUENCES];
  private final boolean[] outstanding = new boolean[SEQUENCES];
  private final int[] buckets = new int[BUCKETS + 1];
  private long[] roundTripNanos = new long[1024];
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
    if (received == roundTripNanos.length) {
      roundTripNanos = Arrays.copyOf(roundTripNanos, received * 2);
    }
    long roundTrip = nanos - sentNanos[sequence];
    roundTripNanos[received++] = roundTrip;
    buckets[bucket(roundTrip / 1e9)]++;
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
    long[] roundTrips;
    int[] counts;
    synchronized (this) {
      ping.setSent(sent).setReceived(received).setLost(sent - received).setDuplicates(duplicates)
          .setLongestGapSeconds(longestGapNanos / 1e9);
      roundTrips = Arrays.copyOf(roundTripNanos, received);
      counts = buckets.clone();
    }
    // Outside: whoever sends must not wait for this.
    Arrays.sort(roundTrips);
    int answers = roundTrips.length;
    if (answers > 0) {
      ping.setMinSeconds(roundTrips[0] / 1e9).setMedianSeconds(roundTrips[answers / 2] / 1e9)
          .setP99Seconds(roundTrips[(int) Math.min(answers - 1L, answers * 99L / 100)] / 1e9)
          .setMaxSeconds(roundTrips[answers - 1] / 1e9);
    }
    return addHistogram(ping, counts);
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
