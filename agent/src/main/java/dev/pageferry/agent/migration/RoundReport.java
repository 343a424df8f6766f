package dev.pageferry.agent.migration;

/**
 * One round as the source measured it.
 *
 * @param pagesSent without zero pages
 * @param skippedPages left to the next round because they were dirty again
 * @param bytesSent TCP payload of this round
 * @param dirtyPagesAfter pages that the next round has to send; 0 after stop-and-copy
 */
public record RoundReport(int round, long pagesSent, long zeroPages, long skippedPages, long bytesSent, double seconds,
    long dirtyPagesAfter) {
}
