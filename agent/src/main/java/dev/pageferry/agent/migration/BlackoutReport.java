package dev.pageferry.agent.migration;

/**
 * Where the paused time went, seconds. No two hosts' clocks are compared: the source measures from the pause to GO, the
 * destination from GO to the first guest step, and half a round trip stands for the way between.
 *
 * @param pause until all vCPUs stood and the last dirty pages were known
 * @param lastPages until the destination had the last page
 * @param state until it had loaded registers and devices
 * @param digest until both sides' page digests were compared
 * @param storage disks flushed and released
 * @param commit ownership asked and answered
 * @param network half a round trip, for GO
 * @param resume from GO to the first guest step
 * @param verify all of RAM hashed on both sides, where that was asked for
 */
public record BlackoutReport(double pause, double lastPages, double state, double digest, double storage, double commit,
    double network, double resume, double verify) {
  public double total() {
    return pause + lastPages + state + digest + storage + commit + network + resume + verify;
  }
}
