package dev.pageferry.coordinator.fakes;

import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.report.v1.Blackout;
import dev.pageferry.proto.report.v1.MigrationFailure;
import dev.pageferry.proto.report.v1.MigrationProgress;
import dev.pageferry.proto.report.v1.MigrationReport;
import dev.pageferry.proto.report.v1.MigrationRound;
import dev.pageferry.proto.report.v1.MigrationStage;

/** What sources report. */
public final class Reports {
  private Reports() {
  }

  public static OutgoingStatus running(MigrationStage.Name stage, double done) {
    return OutgoingStatus.newBuilder().setState(OutgoingStatus.State.RUNNING).setReport(report(stage)
        .setProgress(MigrationProgress.newBuilder().setRound(1).setDone(done))).build();
  }

  public static OutgoingStatus inDoubt() {
    return OutgoingStatus.newBuilder().setState(OutgoingStatus.State.IN_DOUBT)
        .setReport(report(MigrationStage.Name.STORAGE_HANDOFF)).build();
  }

  public static OutgoingStatus completed() {
    return OutgoingStatus.newBuilder().setState(OutgoingStatus.State.COMPLETED)
        .setReport(report(MigrationStage.Name.NETWORK_CLEANUP).setBytesSent(1000).setPagesSent(10).setZeroPages(4)
            .setBlackoutSeconds(0.02).setBlackout(Blackout.newBuilder().setPauseSeconds(0.005).setCommitSeconds(0.015))
            .addRounds(MigrationRound.newBuilder().setRound(0).setPagesSent(10)))
        .build();
  }

  public static OutgoingStatus ended(OutgoingStatus.State state, String code, String message) {
    return OutgoingStatus.newBuilder().setState(state).setReport(report(MigrationStage.Name.PRE_COPY)
        .setFailure(MigrationFailure.newBuilder().setCode(code).setMessage(message))).build();
  }

  public static MigrationReport.Builder report(MigrationStage.Name stage) {
    return MigrationReport.newBuilder().setStage(stage).setTotalSeconds(1.5).setSetupSeconds(0.25);
  }
}
