package dev.pageferry.agent.metrics;

import static org.assertj.core.api.Assertions.assertThat;

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
import dev.pageferry.agent.network.SwitchCounters;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Ticker;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class AgentMetricsTest {
  private static final long MEMORY = 16 << 20;

  private final HostMemory memory = new HostMemory(MEMORY);
  private final HostedGuests guests = new HostedGuests();
  private final AgentMetrics metrics = new AgentMetrics(guests, memory, new SwitchCounters());
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
