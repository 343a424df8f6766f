package dev.pageferry.coordinator.fencing;

import dev.pageferry.coordinator.fencing.FenceAgent.Action;
import dev.pageferry.coordinator.fencing.FenceAgent.Ended;
import dev.pageferry.proto.cluster.v1.FenceDevice;

/** What the exit codes of a fence agent mean, and what is believed of it. */
final class FenceVerdict {
  /** Of {@code status}. */
  static final int ON = 0;
  static final int OFF = 2;
  /** Of {@code off}. */
  private static final int DONE = 0;

  private FenceVerdict() {
  }

  /**
   * Switches a device off, and believes nothing but its status afterwards.
   *
   * @throws FenceException if it is not off for certain
   */
  static void switchOff(FenceAgent agent, FenceDevice device) throws FenceException, InterruptedException {
    Ended off = agent.run(device, Action.OFF);
    if (off.exitCode() != DONE) {
      throw new FenceException(exit(device, Action.OFF, off));
    }
    Ended status = agent.run(device, Action.STATUS);
    switch (status.exitCode()) {
      case OFF -> {
      }
      case ON -> throw new FenceException(
          "%s said that it has switched the host off, and its status says that it is on".formatted(device.getAgent()));
      default -> throw new FenceException(exit(device, Action.STATUS, status));
    }
  }

  static String exit(FenceDevice device, Action action, Ended ended) {
    return "%s ended with exit code %d when it was asked for %s%s".formatted(device.getAgent(), ended.exitCode(),
        action,
        ended.said().isEmpty() ? "" : ": " + ended.said());
  }
}
