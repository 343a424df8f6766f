package dev.pageferry.agent.migration.source;

import com.google.protobuf.ByteString;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.ProtocolVersion;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.proto.migration.v1.Hello;
import dev.pageferry.proto.migration.v1.SetupAccepted;
import dev.pageferry.proto.migration.v1.VmConfiguration;
import dev.pageferry.proto.migration.v1.Welcome;
import java.time.Duration;
import java.util.OptionalDouble;

/** Stage 1: says hello, sends the VM's configuration, waits until the destination has memory for it, opens the data streams. */
final class Setup {
  private static final Duration HELLO_TIMEOUT = Duration.ofSeconds(10);

  private final SourceSession session;

  Setup(SourceSession session) {
    this.session = session;
  }

  void run(byte[] token) throws MigrationFailure, InterruptedException {
    OptionalDouble stepsBefore = Replayable.stepsPerSecondOf(session.guest);
    Welcome welcome = hello(token);
    session.failpoints.at("source.setup.welcomed");
    session.link.send(VmConfiguration.newBuilder().setSpec(session.guest.spec().toMessage())
        .setEpoch(session.epoch.value()).setPageBytes(PageSize.BYTES)
        .setDiskDataBytes(session.mirror.map(DiskMirror::dataBytes).orElse(0L)).build());
    // Populating memory may take seconds per GiB; keep-alives tell whether the destination still lives.
    SetupAccepted accepted = session.link.receive(SetupAccepted.class, session.attempt.deadline());
    session.attempt.checkpoint();
    if (session.opensStreams) {
      session.link.openStreams(session.options.streams(), welcome.getSessionKey().toByteArray(),
          session.attempt.deadline().orAfter(HELLO_TIMEOUT));
    }
    session.journal.setupDone(stepsBefore, accepted.getPopulateSeconds());
    session.failpoints.at("source.setup.done");
  }

  private Welcome hello(byte[] token) throws MigrationFailure, InterruptedException {
    session.link
        .send(Hello.newBuilder().setLowestVersion(ProtocolVersion.LOWEST).setHighestVersion(ProtocolVersion.CURRENT)
            .setMigrationId(session.migration.value()).setToken(ByteString.copyFrom(token))
            .setStreams(session.options.streams()).build());
    Welcome welcome = session.link.receive(Welcome.class, session.attempt.deadline().orAfter(HELLO_TIMEOUT));
    if (welcome.getVersion() < ProtocolVersion.LOWEST || welcome.getVersion() > ProtocolVersion.CURRENT) {
      throw new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION,
          "the destination chose protocol version %d, offered were %d to %d"
              .formatted(welcome.getVersion(), ProtocolVersion.LOWEST, ProtocolVersion.CURRENT));
    }
    if (welcome.getSessionKey().isEmpty()) {
      throw new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION,
          "the destination welcomed without a session key");
    }
    return welcome;
  }
}
