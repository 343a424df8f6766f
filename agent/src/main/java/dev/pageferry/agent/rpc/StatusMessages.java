package dev.pageferry.agent.rpc;

import dev.pageferry.agent.guest.GuestCondition;
import dev.pageferry.agent.guest.HostedGuests.Hosted;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.guest.ResolvedSpec;
import dev.pageferry.agent.migration.BlackoutReport;
import dev.pageferry.agent.migration.RoundReport;
import dev.pageferry.agent.migration.source.SourceStatus;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.agent.v1.ResolveSpecResponse;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.report.v1.Blackout;
import dev.pageferry.proto.report.v1.GuestSpeed;
import dev.pageferry.proto.report.v1.MigrationFailure;
import dev.pageferry.proto.report.v1.MigrationProgress;
import dev.pageferry.proto.report.v1.MigrationReport;
import dev.pageferry.proto.report.v1.MigrationRound;
import dev.pageferry.proto.report.v1.MigrationStage;
import dev.pageferry.proto.report.v1.NetworkArrival;

/** States of VMs and migrations as messages. */
final class StatusMessages {
  private StatusMessages() {
  }

  static ResolveSpecResponse resolved(ResolvedSpec spec) {
    return ResolveSpecResponse.newBuilder().setSpec(spec.message()).setAccelReason(spec.acceleratorReason()).build();
  }

  /** What changes of a VM: without its configuration. */
  static VmStatus status(Hosted hosted) {
    GuestCondition condition = hosted.vm().condition();
    return VmStatus.newBuilder().setId(hosted.vm().spec().id().value()).setEpoch(hosted.epoch().value())
        .setState(switch (condition.kind()) {
          case FINE -> hosted.vm().isPaused() ? VmStatus.State.PAUSED : VmStatus.State.RUNNING;
          case HALTED -> VmStatus.State.PAUSED;
          case POWERED_OFF -> VmStatus.State.POWERED_OFF;
          case FAILED -> VmStatus.State.FAILED;
        })
        .setReason(condition.reason()).setSteps(Replayable.stepsOf(hosted.vm()))
        .build();
  }

  static VmStatus statusWithSpec(Hosted hosted) {
    return status(hosted).toBuilder().setSpec(hosted.vm().spec().toMessage()).build();
  }

  static OutgoingStatus outgoing(SourceStatus status) {
    return OutgoingStatus.newBuilder().setState(OutgoingStatus.State.valueOf(status.state().name()))
        .setReport(report(status)).build();
  }

  private static MigrationReport report(SourceStatus status) {
    MigrationReport.Builder report = MigrationReport.newBuilder()
        .setStage(MigrationStage.Name.valueOf(status.stage().name()))
        .setProgress(progress(status.progress())).setTotalSeconds(status.totalSeconds())
        .setSetupSeconds(status.setupSeconds())
        .setBytesSent(status.bytesSent()).setThroughputBytesPerSecond(status.throughputBytesPerSecond())
        .setGuestStepsPerSecond(speed(status.guestSpeed()));
    status.failure().ifPresent(failure -> report.setFailure(MigrationFailure.newBuilder().setCode(failure.code().name())
        .setMessage(failure.message())));
    status.blackout()
        .ifPresent(blackout -> report.setBlackoutSeconds(blackout.total()).setBlackout(blackout(blackout)));
    status.blackoutBoundSeconds().ifPresent(report::setBlackoutBoundSeconds);
    status.arrival().ifPresent(arrival -> {
      NetworkArrival.Builder network = NetworkArrival.newBuilder().setReachedBy(arrival.reachedBy());
      arrival.firstFrameSeconds().ifPresent(network::setFirstFrameSeconds);
      report.setNetwork(network);
    });
    for (RoundReport each : status.rounds()) {
      report.addRounds(round(each)).setPagesSent(report.getPagesSent() + each.pagesSent())
          .setZeroPages(report.getZeroPages() + each.zeroPages());
    }
    return report.build();
  }

  private static MigrationProgress progress(SourceStatus.Progress progress) {
    MigrationProgress.Builder message = MigrationProgress.newBuilder().setRound(progress.round())
        .setRemainingBytes(progress.remainingBytes()).setBytesPerSecond(progress.bytesPerSecond())
        .setThrottlePercent(progress.throttlePercent()).setDone(progress.done());
    progress.expectedSeconds().ifPresent(message::setExpectedSeconds);
    return message.build();
  }

  private static GuestSpeed speed(SourceStatus.GuestSpeed speed) {
    GuestSpeed.Builder message = GuestSpeed.newBuilder();
    speed.before().ifPresent(message::setBefore);
    speed.during().ifPresent(message::setDuring);
    speed.after().ifPresent(message::setAfter);
    return message.build();
  }

  private static MigrationRound round(RoundReport round) {
    return MigrationRound.newBuilder().setRound(round.round()).setPagesSent(round.pagesSent())
        .setZeroPages(round.zeroPages())
        .setSkippedPages(round.skippedPages()).setBytesSent(round.bytesSent()).setSeconds(round.seconds())
        .setDirtyPagesAfter(round.dirtyPagesAfter()).build();
  }

  private static Blackout blackout(BlackoutReport blackout) {
    return Blackout.newBuilder().setPauseSeconds(blackout.pause()).setLastPagesSeconds(blackout.lastPages())
        .setStateSeconds(blackout.state()).setDigestSeconds(blackout.digest()).setStorageSeconds(blackout.storage())
        .setCommitSeconds(blackout.commit()).setNetworkSeconds(blackout.network()).setResumeSeconds(blackout.resume())
        .setVerifySeconds(blackout.verify()).build();
  }
}
