package dev.pageferry.agent.migration.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.builtin.Booted;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationConnector;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.ScriptedRow;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.time.Ticker;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
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
    VirtualMachine vm = Booted.vm(new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM), spec, 1);
    outgoing.start(new SourceMigration.Order(MIGRATION, new OwnershipEpoch(1), vm, "nowhere",
        new HostPort("127.0.0.1", 1), new byte[0],
        new SourceOptions(Duration.ofMillis(300), 0, 1, SourceOptions.OnStall.SWITCH, Duration.ofSeconds(20)),
        new Manner.Live(false)));
    await().until(() -> outgoing.ofVm(VM).isEmpty());
    vm.close();
    return new WeakReference<>(vm);
  }

  private static SourceMigration.Environment environment() {
    MigrationConnector nowhere = (migration, host, destination, deadline) -> {
      throw new MigrationFailure.Stopped(FailureCode.DESTINATION_UNREACHABLE, "nobody is there");
    };
    return new SourceMigration.Environment(nowhere,
        new OwnershipDialogue.Line(new ScriptedRow(), Scheduler.SYSTEM, new Random(1)), GuestDisks.NONE,
        Optional.empty(), (guest, ruling) -> {
        }, (id, vm) -> MigrationLog.SILENT, new Failpoints(Optional.empty()));
  }
}
