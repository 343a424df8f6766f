package dev.pageferry.ferry.view;

import dev.pageferry.proto.cluster.v1.PingBucket;
import dev.pageferry.proto.cluster.v1.VmPing;

/** What came of a ping, for people to read. */
public final class PingText {
  private static final int WIDEST_BAR = 40;

  private PingText() {
  }

  public static String of(VmPing ping) {
    StringBuilder text = new StringBuilder(details(ping).text());
    int most = ping.getHistogramList().stream().mapToInt(PingBucket::getCount).max().orElse(1);
    for (PingBucket each : ping.getHistogramList()) {
      text.append("  up to %9s  %7d  %s%n".formatted(millis(each.getUpToSeconds()), each.getCount(),
          "#".repeat((int) Math.ceilDiv((long) each.getCount() * WIDEST_BAR, most))));
    }
    return text.toString();
  }

  private static Details details(VmPing ping) {
    Details details = new Details().add("name", ping.getName())
        .add("card", "%s %s".formatted(ping.getNic(), ping.getAddress())).add("sent", ping.getSent())
        .add("received", ping.getReceived()).add("lost", "%d (%.1f %%)".formatted(ping.getLost(),
            ping.getSent() == 0 ? 0 : 100.0 * ping.getLost() / ping.getSent()))
        .add("duplicates", ping.getDuplicates()).add("longest gap", millis(ping.getLongestGapSeconds()));
    return ping.hasMedianSeconds()
        ? details.add("round trip", "min %s, median %s, p99 %s, max %s".formatted(millis(ping.getMinSeconds()),
            millis(ping.getMedianSeconds()), millis(ping.getP99Seconds()), millis(ping.getMaxSeconds())))
        : details;
  }

  /** In one line. */
  public static String line(VmPing ping) {
    return line(ping.getSent(), ping.getLost(), ping.getLongestGapSeconds());
  }

  public static String line(int sent, int lost, double longestGapSeconds) {
    return "ping: %d sent, %d without an answer, longest gap %s".formatted(sent, lost, millis(longestGapSeconds));
  }

  private static String millis(double seconds) {
    return "%.2f ms".formatted(seconds * 1e3);
  }
}
