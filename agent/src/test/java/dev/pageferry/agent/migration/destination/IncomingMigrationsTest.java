package dev.pageferry.agent.migration.destination;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.migration.DestinationLink;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.PageSink;
import dev.pageferry.agent.migration.ProtocolVersion;
import dev.pageferry.agent.migration.destination.IncomingMigrations.State;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.ScriptedRow;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.Hello;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class IncomingMigrationsTest {
  private static final long BYTES = 1 << 20;
  private static final MigrationId MIGRATION = new MigrationId("migration");
  private static final byte[] TOKEN = {1, 2, 3};
  private static final IncomingMigrations.Pass PASS = new IncomingMigrations.Pass(new HostId("host-a"), TOKEN);

  private final IncomingMigrations incoming = new IncomingMigrations(
      new VmFactory(new HostMemory(16 * BYTES), GuestDisks.NONE, Ticker.SYSTEM), GuestDisks.NONE, Optional.empty(),
      new OwnershipDialogue.Line(new ScriptedRow(), Scheduler.SYSTEM, new Random(1)), () -> {
      }, (vm, epoch) -> {
        throw new AssertionError("nothing arrives");
      }, (migration, vm) -> MigrationLog.SILENT, new Failpoints(Optional.empty()));

  /** A source that is gone as soon as it was let in. */
  private static class BrokenLink implements DestinationLink {
    @Override
    public void acceptStreams(int count, byte[] sessionKey, PageSink sink) {
      // None comes.
    }

    @Override
    public long bytesReceived() {
      return 0;
    }

    @Override
    public void send(MessageLite message) {
      // Nobody reads it.
    }

    @Override
    public MessageLite receiveAny(Deadline deadline, Class<?>... kinds) throws MigrationFailure {
      throw new MigrationFailure.Stopped(FailureCode.SOURCE_LOST, "the link broke");
    }

    @Override
    public boolean awaitNews(Deadline deadline) {
      return true;
    }

    @Override
    public boolean isOpen() {
      return false;
    }

    @Override
    public double roundTripSeconds() {
      return 0;
    }

    @Override
    public void close() {
      // It is broken.
    }
  }

  @Test
  void aMigrationThatEndedIsRememberedWithoutItsSession() throws Exception {
    WeakReference<DestinationLink> link = receiveNothing();
    await().until(() -> incoming.state(MIGRATION) == State.DISCARDED);
    await().until(() -> {
      System.gc();
      return link.get() == null;
    });
    assertThat(incoming.state(MIGRATION)).isEqualTo(State.DISCARDED);
    assertThat(incoming.hasHadNone()).isFalse();
  }

  @Test
  void anAgentThatEndsExpectsNothingAndLetsNobodyIn() throws Exception {
    incoming.expect(MIGRATION, spec(), new OwnershipEpoch(1), new Manner.Live(false), PASS, Duration.ofMinutes(1));
    incoming.close(Duration.ZERO);

    assertThat(incoming.state(MIGRATION)).isEqualTo(State.UNKNOWN);
    assertThatThrownBy(() -> admit(new BrokenLink())).isInstanceOf(MigrationFailure.class)
        .hasMessageContaining("shutting down");
    assertThatThrownBy(() -> incoming.expect(MIGRATION, spec(), new OwnershipEpoch(1), new Manner.Live(false), PASS,
        Duration.ofMinutes(1))).isInstanceOf(IllegalStateException.class).hasMessageContaining("shutting down");
  }

  @Test
  void aHostThatIsNotTheSourceIsAnsweredLikeOneWithoutTheToken() throws Exception {
    incoming.expect(MIGRATION, spec(), new OwnershipEpoch(1), new Manner.Live(false), PASS, Duration.ofMinutes(1));
    assertThatThrownBy(() -> admit(new BrokenLink() {
      @Override
      public Optional<HostId> peer() {
        return Optional.of(new HostId("host-c"));
      }
    })).isInstanceOf(MigrationFailure.class).hasMessageContaining("is expected here with this token");
    assertThat(incoming.state(MIGRATION)).as("the token is not used up").isEqualTo(State.EXPECTED);
  }

  private static VmSpec spec() {
    return VmSpec.diskless(new VmId("db"), "db", BYTES, 1, new ProgramSpec("uniform", Map.of(), BYTES, 1));
  }

  private void admit(DestinationLink link) throws MigrationFailure {
    incoming.admit(Hello.newBuilder().setMigrationId(MIGRATION.value()).setToken(ByteString.copyFrom(TOKEN))
        .setLowestVersion(ProtocolVersion.LOWEST).setHighestVersion(ProtocolVersion.CURRENT).setStreams(1).build(),
        link);
  }

  private WeakReference<DestinationLink> receiveNothing() throws Exception {
    incoming.expect(MIGRATION, spec(), new OwnershipEpoch(1), new Manner.Live(false), PASS, Duration.ofMinutes(1));
    DestinationLink link = new BrokenLink();
    admit(link);
    return new WeakReference<>(link);
  }
}
