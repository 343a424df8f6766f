package dev.pageferry.agent.migration.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.ProgramSpec;
import dev.pageferry.agent.guest.VirtualMachine;
import dev.pageferry.agent.guest.VmFactory;
import dev.pageferry.agent.guest.VmSpec;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationConnector;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.OwnershipClient;
import dev.pageferry.agent.savedstate.SavedStateWriter.Packing;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.stage.FailureCode;
import dev.pageferry.common.time.Ticker;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class OutgoingMigrationsTest {
  private static final long BYTES = 1 << 20;
  private static final MigrationId MIGRATION = new MigrationId("migration");
  private static final VmId VM = new VmId("db");

  private final HostMemory memory = new HostMemory(16 * BYTES);
  private final OutgoingMigrations outgoing = new OutgoingMigrations(environment(), new GuestClaims(), status -> {
  });

  @Test
  void aMigrationThatEndedIsRememberedWithoutItsGuest() throws Exception {
    WeakReference<VirtualMachine> guest = migrateToNowhere();

    Departure ended = outgoing.find(MIGRATION).orElseThrow();
    List<SourceStatus> told = new ArrayList<>();
    ended.follow(told::add);
    assertThat(told).singleElement().satisfies(status -> {
      assertThat(status.state()).isEqualTo(SourceStatus.State.ROLLED_BACK);
      assertThat(status.failure().orElseThrow().message()).isEqualTo("nobody is there");
    });
    assertThat(ended.cancel()).isFalse();
    await().until(() -> {
      System.gc();
      return guest.get() == null;
    });
    assertThat(outgoing.find(MIGRATION)).contains(ended);
  }

  private WeakReference<VirtualMachine> migrateToNowhere() throws Exception {
    VmSpec spec = VmSpec.diskless(VM, "db", BYTES, 1, new ProgramSpec("uniform", Map.of(), BYTES, 1));
    VirtualMachine vm = new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM).boot(spec, new OwnershipEpoch(1), false);
    outgoing.start(new SourceMigration.Order(MIGRATION, new OwnershipEpoch(1), vm, "nowhere",
        new HostPort("127.0.0.1", 1), new byte[0],
        new SourceOptions(Duration.ofMillis(300), 0, 1, SourceOptions.OnStall.SWITCH, Duration.ofSeconds(20)),
        Manner.LIVE, Packing.AUTO));
    await().until(() -> outgoing.ofVm(VM).isEmpty());
    vm.close();
    return new WeakReference<>(vm);
  }

  private static SourceMigration.Environment environment() {
    MigrationConnector nowhere = (migration, destination, deadline) -> {
      throw new MigrationFailure.Stopped(FailureCode.DESTINATION_UNREACHABLE, "nobody is there");
    };
    return new SourceMigration.Environment(nowhere, new Unasked(), GuestDisks.NONE, Optional.empty(), guest -> {
    }, (id, vm) -> MigrationLog.SILENT, new Failpoints(Optional.empty()), Ticker.SYSTEM);
  }

  /** A row that nobody has a reason to ask. */
  private static final class Unasked implements OwnershipClient {
    @Override
    public Decision commit(VmId vm, MigrationId migration) {
      throw new AssertionError("commit");
    }

    @Override
    public Decision resolve(VmId vm, MigrationId migration) {
      throw new AssertionError("resolve");
    }

    @Override
    public Decision noteSaved(VmId vm, MigrationId migration) {
      throw new AssertionError("noteSaved");
    }

    @Override
    public Decision giveBack(VmId vm, MigrationId migration) {
      throw new AssertionError("giveBack");
    }

    @Override
    public CompletableFuture<Duration> probe(Duration atMost) {
      throw new AssertionError("probe");
    }
  }
}
