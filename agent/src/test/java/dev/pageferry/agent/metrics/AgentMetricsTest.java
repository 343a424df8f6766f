package dev.pageferry.agent.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.builtin.Booted;
import dev.pageferry.agent.guest.builtin.MachineState;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.Registers;
import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.migration.BlackoutReport;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.source.SourceStatus;
import dev.pageferry.agent.network.SwitchCounters;
import dev.pageferry.agent.ownership.OpenDialogues;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.ScriptedRow;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.migration.MigrationStage;
import dev.pageferry.common.time.Ticker;
import java.lang.ref.Reference;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Random;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class AgentMetricsTest {
  private static final long MEMORY = 16 << 20;

  private final HostMemory memory = new HostMemory(MEMORY);
  private final HostedGuests guests = new HostedGuests();
  private final AgentMetrics metrics = new AgentMetrics("1.2.3", guests, memory, new SwitchCounters());
  private final VmFactory factory = new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM);

  @AfterEach
  void close() {
    guests.close();
  }

  @Test
  void theStepsOfARunningGuestAreCountedFromItsFirstOn() throws Exception {
    VirtualMachine vm = Booted.vm(factory, spec("db"), 1);
    guests.adopt(vm, new OwnershipEpoch(1));
    vm.resume(PauseReason.OPERATOR);
    Awaitility.await().until(() -> vm.steps() > 0);
    vm.pause(PauseReason.OPERATOR);
    // What nobody holds is gone after this, as it is in an agent that has run for a while.
    System.gc();

    assertThat(value("ferry_guest_steps_total")).isEqualTo(vm.steps());
    assertThat(value("ferry_guest_steps_total")).as("read again").isEqualTo(vm.steps());
    assertThat(value("ferry_guests")).isEqualTo(1);
  }

  @Test
  void theStepsOfGuestsThatHaveLeftStayCounted() throws Exception {
    VirtualMachine vm = Booted.vm(factory, spec("db"), 1);
    guests.adopt(vm, new OwnershipEpoch(1));
    vm.resume(PauseReason.OPERATOR);
    Awaitility.await().until(() -> vm.steps() > 0);

    guests.close();

    assertThat(value("ferry_guest_steps_total")).isEqualTo(vm.stepsHere()).isPositive();
  }

  @Test
  void stepsThatAGuestBroughtFromAnotherHostAreNotThisHosts() throws Exception {
    VirtualMachine vm = factory.skeleton(spec("db"));
    vm.load(new MachineState(List.of(new Registers(new long[]{1_000_000, 0, 0, 0, 0, 0, 0, 0}))).toGuestState(),
        EnumSet.of(PauseReason.MIGRATION));
    guests.adopt(vm, new OwnershipEpoch(2));
    assertThat(value("ferry_guest_steps_total")).isZero();
  }

  @Test
  void memoryThatAGuestHasLeftIsFreeAndSpare() throws Exception {
    guests.adopt(Booted.vm(factory, spec("db"), 1), new OwnershipEpoch(1));
    assertThat(value("ferry_host_memory_free_bytes")).isEqualTo(MEMORY - (1 << 20));
    assertThat(value("ferry_host_memory_spare_bytes")).isZero();

    guests.close();

    assertThat(value("ferry_host_memory_bytes")).isEqualTo(MEMORY);
    assertThat(value("ferry_host_memory_free_bytes")).isEqualTo(MEMORY);
    assertThat(value("ferry_host_memory_spare_bytes")).isEqualTo(1 << 20);
  }

  @Test
  void everyOutcomeIsCountedFromZeroOn() {
    for (String outcome : List.of("completed", "rolled_back", "cancelled", "handed_over", "disowned")) {
      assertThat(value("ferry_migrations_total{outcome=\"%s\"}".formatted(outcome))).as(outcome).isZero();
    }
    metrics.accept(ended(SourceStatus.State.ROLLED_BACK));

    assertThat(value("ferry_migrations_total{outcome=\"rolled_back\"}")).isEqualTo(1);
    assertThat(value("ferry_migrations_total{outcome=\"completed\"}")).isZero();
  }

  @Test
  void durationsAreUnderTheirNameAndUnderThatOfTheVersionBefore() {
    assertThat(value("ferry_migration_duration_seconds_count")).isZero();

    metrics.accept(ended(SourceStatus.State.COMPLETED));

    assertThat(value("ferry_migration_duration_seconds_sum")).isEqualTo(4);
    assertThat(value("ferry_migration_total_seconds_sum")).isEqualTo(4);
    assertThat(value("ferry_migration_blackout_duration_seconds_count")).isEqualTo(1);
    assertThat(value("ferry_migration_blackout_seconds_count")).isEqualTo(1);
  }

  @Test
  void aGuestThatIsBuiltOrMovedAwayIsAnOperationInFlight() {
    GuestClaims claims = new GuestClaims();
    IncomingMigrations incoming = new IncomingMigrations(factory, GuestDisks.NONE, Optional.empty(),
        new OwnershipDialogue.Line(new ScriptedRow(), Scheduler.SYSTEM, new Random(1)), () -> {
        }, guests::adopt, (id, vm) -> MigrationLog.SILENT, new Failpoints(Optional.empty()));
    OpenDialogues dialogues = new OpenDialogues();
    metrics.observe(claims, incoming, dialogues, () -> 2.5);
    assertThat(value("ferry_operations_in_flight{operation=\"build\"}")).isZero();

    GuestClaims.Claim built = claims.takeToBuild(new VmId("db"), "being created");
    GuestClaims.Claim moved = claims.take(new VmId("web"), "being moved");
    assertThat(value("ferry_operations_in_flight{operation=\"build\"}")).isEqualTo(1);
    assertThat(value("ferry_operations_in_flight{operation=\"leave\"}")).isEqualTo(1);
    assertThat(value("ferry_operations_in_flight{operation=\"arrive\"}")).isZero();
    built.close();
    moved.close();

    assertThat(value("ferry_operations_in_flight{operation=\"leave\"}")).isZero();
    assertThat(value("ferry_guests_in_doubt")).isZero();
    assertThat(value("ferry_activation_lease_age_seconds")).isEqualTo(2.5);
    // Gauges do not keep what they show from being collected.
    Reference.reachabilityFence(dialogues);
    Reference.reachabilityFence(incoming);
    Reference.reachabilityFence(claims);
  }

  private static SourceStatus ended(SourceStatus.State state) {
    OptionalDouble unknown = OptionalDouble.empty();
    return new SourceStatus(state, MigrationStage.NETWORK_CLEANUP, Optional.empty(),
        new SourceStatus.Progress(1, 0, 0, unknown, 0, 1), 1, 4,
        Optional.of(new BlackoutReport(0.001, 0.001, 0, 0, 0, 0.002, 0, 0.001, 0)), unknown, 4096, 4096,
        new SourceStatus.GuestSpeed(unknown, unknown, unknown), List.of(), Optional.empty());
  }

  private double value(String name) {
    return metrics.scrape().lines().filter(line -> line.startsWith(name + " ")).findFirst()
        .map(line -> Double.parseDouble(line.substring(name.length() + 1)))
        .orElseThrow(() -> new AssertionError("no " + name + " in " + metrics.scrape()));
  }

  private static VmSpec spec(String name) {
    long bytes = 1 << 20;
    ProgramSpec program = new ProgramSpec("idle", Map.of(), bytes, 1);
    return new VmSpec(new VmId(name), name, bytes, 1, program, Optional.empty(), Optional.empty(), List.of());
  }
}
