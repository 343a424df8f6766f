package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.BlackoutReport;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.Ready;

/** Times the parts of the blackout that the source can see. */
final class BlackoutClock {
  private final Ticker ticker;
  private long pauseRequested;
  private long lastPagesKnown;
  private long readyReceived;
  private long disksReleased;
  private long goSent;
  private double digestSeconds;
  private double stateSeconds;

  BlackoutClock(Ticker ticker) {
    this.ticker = ticker;
  }

  void pauseRequested() {
    pauseRequested = ticker.nanos();
  }

  void lastPagesKnown() {
    lastPagesKnown = ticker.nanos();
  }

  void ready(Ready ready) {
    readyReceived = ticker.nanos();
    digestSeconds = ready.getDigestSeconds();
    stateSeconds = ready.getStateSeconds();
  }

  void disksReleased() {
    disksReleased = ticker.nanos();
  }

  void goSent() {
    goSent = ticker.nanos();
  }

  /** Seconds since the guest was asked to pause. */
  double secondsSoFar() {
    return ticker.secondsSince(pauseRequested);
  }

  /**
   * The parts, which add up: what the destination reported of its own is taken out of the time that contains it. Called
   * when RUNNING has come: from GO until then passed one round trip and the destination's resume.
   */
  BlackoutReport report(double resumeSeconds) {
    double roundTripSeconds = Math.max(0, ticker.secondsSince(goSent) - resumeSeconds);
    return new BlackoutReport(seconds(pauseRequested, lastPagesKnown),
        Math.max(0, seconds(lastPagesKnown, readyReceived) - digestSeconds - stateSeconds), stateSeconds, digestSeconds,
        seconds(readyReceived, disksReleased), seconds(disksReleased, goSent), roundTripSeconds / 2, resumeSeconds);
  }

  private static double seconds(long from, long to) {
    return (to - from) / 1e9;
  }
}
