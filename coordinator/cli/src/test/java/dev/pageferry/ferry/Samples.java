package dev.pageferry.ferry;

import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.report.v1.Blackout;
import dev.pageferry.proto.report.v1.GuestSpeed;
import dev.pageferry.proto.report.v1.MigrationFailure;
import dev.pageferry.proto.report.v1.MigrationProgress;
import dev.pageferry.proto.report.v1.MigrationRound;
import dev.pageferry.proto.report.v1.MigrationStage;

/** What the fake coordinator knows. */
final class Samples {
  private Samples() {
  }

  static final Host HOST = Host.newBuilder().setId("host-a").setState(Host.State.UP).setAddress("127.0.0.1:7410")
      .setMigrationAddress("127.0.0.1:7420").setMemoryBytes(8L << 30).setMemoryFreeBytes(7L << 30).setVersion("0.1.0")
      .build();

  static final Vm VM = Vm.newBuilder().setName("web-1").setId("vm-7").setHost("host-a").setState(Vm.State.RUNNING)
      .setEpoch(1)
      .setMemoryBytes(1L << 30).setVcpus(1).setProgram("uniform").putProgramArgs("seed", "7").build();

  static final Migration COMPLETED = Migration.newBuilder().setId("m-1").setVm("web-1").setKind(Migration.Kind.LIVE)
      .setSource("host-a").setDestination("host-b").setState(Migration.State.COMPLETED)
      .setStage(MigrationStage.Name.NETWORK_CLEANUP).setTotalSeconds(1.25).setSetupSeconds(0.0121)
      .setBlackoutSeconds(0.0083)
      .setBlackout(Blackout.newBuilder().setPauseSeconds(0.0002).setLastPagesSeconds(0.0081)).setBytesSent(3L << 29)
      .setPagesSent(393_216).setZeroPages(12).setThroughputBytesPerSecond(2.71e9)
      .setGuestStepsPerSecond(GuestSpeed.newBuilder().setBefore(25_000).setDuring(24_100))
      .addRounds(MigrationRound.newBuilder().setRound(0).setPagesSent(262_144).setBytesSent(1L << 30).setSeconds(0.4)
          .setDirtyPagesAfter(3200))
      .build();

  static Migration running(MigrationStage.Name stage, int round, long remainingBytes, double done) {
    return Migration.newBuilder().setId("m-1").setVm("web-1").setKind(Migration.Kind.LIVE).setSource("host-a")
        .setDestination("host-b").setState(Migration.State.RUNNING).setStage(stage)
        .setProgress(MigrationProgress.newBuilder()
            .setRound(round).setRemainingBytes(remainingBytes).setBytesPerSecond(2.71e9).setExpectedSeconds(0.1)
            .setDone(done))
        .build();
  }

  static Migration ended(Migration.State state, String code, String message) {
    return COMPLETED.toBuilder().setState(state)
        .setFailure(MigrationFailure.newBuilder().setCode(code).setMessage(message)).build();
  }
}
