package dev.pageferry.agent.guest.builtin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.HeldDisks;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.RunPermit;
import dev.pageferry.agent.guest.VmDigest;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.ownership.Rulings;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

// A harvest that hangs cannot be interrupted.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class VirtualMachineTest {
  private static final int PAGES = 64;
  private static final VmSpec BUSY = Vms.spec("uniform", PAGES, 2, "rate", "unlimited");

  @Test
  void aBootedVmStaysPausedAtStepZeroUntilTheOperatorResumesIt() throws Exception {
    try (VirtualMachine vm = Vms.boot(BUSY)) {
      assertThat(vm.isPausedFor(PauseReason.OPERATOR)).isTrue();
      assertThat(vm.steps()).isZero();
      assertThat(vm.awaitFirstSign(0)).isZero();
      assertThat(vm.machineState()).isEqualTo(BUSY.bootState(List.of()));

      long before = System.nanoTime();
      vm.resume(PauseReason.OPERATOR);

      assertThat(vm.awaitFirstSign(30_000)).isGreaterThanOrEqualTo(before);
      assertThat(vm.isPaused()).isFalse();
    }
  }

  @ParameterizedTest
  @EnumSource(PauseReason.class)
  void aVmRunsOnlyOnceNoReasonToPauseIsLeft(PauseReason last) throws Exception {
    try (VirtualMachine vm = Vms.boot(BUSY)) {
      for (PauseReason each : PauseReason.values()) {
        vm.pause(each);
        vm.pause(each);
      }
      for (PauseReason each : PauseReason.values()) {
        if (each != last) {
          Booted.endPause(vm, each);
          assertThat(vm.isPausedFor(each)).isFalse();
        }
      }
      assertThat(vm.isPaused()).isTrue();
      assertThat(vm.awaitFirstSign(20)).as("still paused").isZero();
      assertThat(vm.machineState().steps()).isZero();

      Booted.endPause(vm, last);

      assertThat(vm.awaitFirstSign(30_000)).isNotZero();
    }
  }

  @Test
  void aVmThatDoesNotPauseInTimeRunsOnWhereTheOperationMayFail() throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch answered = new CountDownLatch(1);
    RunPermit slow = () -> {
      asked.countDown();
      try {
        answered.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      return true;
    };
    AtomicLong seconds = new AtomicLong();
    Ticker leaping = () -> TimeUnit.SECONDS.toNanos(seconds.incrementAndGet());
    try (VirtualMachine vm = VirtualMachine.skeleton(BUSY, new HostMemory(1 << 20), Optional.empty(),
        new HeldDisks(GuestDisks.NONE, slow),
        leaping)) {
      vm.load(BUSY.bootState(List.of()), Set.of());
      vm.runOn(Rulings.leaveToRun());
      asked.await();
      assertThatThrownBy(() -> vm.pauseOrRunOn(PauseReason.MIGRATION)).isInstanceOf(IOException.class)
          .hasMessageContaining("did not pause");
      assertThat(vm.isPaused()).isFalse();
      answered.countDown();
      assertThat(vm.awaitFirstSign(30_000)).isNotZero();
      vm.pause(PauseReason.MIGRATION);
    } finally {
      answered.countDown();
    }
  }

  @Test
  void takingBackAReasonThatIsNotThereDoesNothing() throws Exception {
    try (VirtualMachine vm = Vms.boot(BUSY)) {
      vm.runOn(Rulings.leaveToRun());

      assertThat(vm.isPausedFor(PauseReason.OPERATOR)).isTrue();
      assertThat(vm.machineState().steps()).isZero();
    }
  }

  @Test
  void theRegistersOfARunningVmAreRefused() throws Exception {
    try (VirtualMachine vm = Vms.boot(BUSY)) {
      vm.resume(PauseReason.OPERATOR);

      assertThatThrownBy(vm::state).isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void aPausedVmWritesNothing() throws Exception {
    try (VirtualMachine vm = Vms.boot(BUSY)) {
      Vms.runSteps(vm, 10_000);
      MachineState state = vm.machineState();
      PageBitmap target = new PageBitmap(PAGES);
      vm.dirtyLog().harvest(target);
      vm.dirtyLog().harvest(new PageBitmap(PAGES));
      VmDigest digest = vm.digest();

      assertThat(target.cardinality()).isPositive();
      assertThat(vm.steps()).isEqualTo(state.steps());
      assertThat(vm.digest()).isEqualTo(digest);
      PageBitmap none = new PageBitmap(PAGES);
      vm.dirtyLog().harvest(none);
      assertThat(none.cardinality()).isZero();
    }
  }

  @Test
  void aVmGoesOnElsewhereFromItsStateAndMemory() throws Exception {
    try (VirtualMachine source = Vms.boot(BUSY);
        VirtualMachine destination = new VmFactory(Vms.MEMORY, GuestDisks.NONE, Ticker.SYSTEM).skeleton(BUSY)) {
      Vms.runSteps(source, 10_000);
      destination.ram().window(0, PAGES).put(source.ram().window(0, PAGES));
      destination.load(source.machineState(), EnumSet.of(PauseReason.OPERATOR));
      destination.runOn(Rulings.leaveToRun());
      assertThat(destination.digest()).isEqualTo(source.digest());

      Vms.runSteps(destination, source.steps() + 10_000);

      assertThat(destination.verify((steps, total) -> {
      }).identical()).isTrue();
    }
  }

  @Test
  void aStateLoadedTwiceReplacesTheFirstAndIsNotChangedByTheVmThatRunsFromIt() throws Exception {
    try (VirtualMachine source = Vms.boot(BUSY);
        VirtualMachine destination = new VmFactory(Vms.MEMORY, GuestDisks.NONE, Ticker.SYSTEM).skeleton(BUSY)) {
      destination.load(source.machineState(), Set.of());
      Vms.runSteps(source, 1_000);
      MachineState state = source.machineState();
      String digest = state.digest();

      destination.load(state, Set.of());
      destination.runOn(Rulings.leaveToRun());

      Awaitility.await().until(() -> destination.steps() > state.steps() + 1_000);
      assertThat(state.digest()).isEqualTo(digest);
      assertThat(destination.isPaused()).isFalse();
    }
  }

  @Test
  void aVmThatIsGivenAStateStaysPausedUntilItHasLeaveToRunWhateverReasonsAreGiven() throws Exception {
    try (VirtualMachine vm = new VmFactory(Vms.MEMORY, GuestDisks.NONE, Ticker.SYSTEM).skeleton(BUSY)) {
      vm.load(BUSY.bootState(List.of()), Set.of());
      assertThat(vm.isPausedFor(PauseReason.MIGRATION)).isTrue();

      vm.load(BUSY.bootState(List.of()), EnumSet.of(PauseReason.OPERATOR));
      vm.resume(PauseReason.OPERATOR);
      assertThat(vm.isPaused()).isTrue();
      assertThat(vm.machineState().steps()).isZero();

      vm.runOn(Rulings.leaveToRun());
      assertThat(vm.awaitFirstSign(30_000)).isNotZero();
    }
  }

  @Test
  void aStateOfAnotherNumberOfVcpusIsRefused() throws Exception {
    try (VirtualMachine vm = Vms.boot(BUSY)) {
      MachineState state = new MachineState(List.of(new Registers()));
      assertThatIllegalArgumentException().isThrownBy(() -> vm.load(state, Set.of()))
          .withMessage("state of 1 vCPUs for a VM of 2 vCPUs");
    }
  }

  @Test
  void anOperatorCanNeitherPauseNorResumeAVmThatIsSwitchingOver() throws Exception {
    try (VirtualMachine vm = Vms.boot(BUSY)) {
      vm.pauseForOperator(false);
      vm.pause(PauseReason.MIGRATION);

      assertThatThrownBy(() -> vm.pauseForOperator(true)).isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("switching over");
      assertThatThrownBy(() -> vm.pauseForOperator(false)).isInstanceOf(IllegalStateException.class);
      assertThat(vm.isPausedFor(PauseReason.OPERATOR)).isFalse();

      vm.runOn(Rulings.leaveToRun());
      vm.pauseForOperator(true);
      assertThat(vm.isPausedFor(PauseReason.OPERATOR)).isTrue();
    }
  }

  @Test
  void stepsDoneOnAnotherHostAreNoPartOfTheRate() throws Exception {
    ManualTicker ticker = new ManualTicker();
    VmSpec spec = Vms.spec("idle", PAGES, 1);
    try (VirtualMachine vm = new VmFactory(Vms.MEMORY, GuestDisks.NONE, ticker).skeleton(spec)) {
      MachineState state = new MachineState(List.of(new Registers(new long[]{1_000_000_000, 0, 0, 0, 0, 0, 0, 0})));
      vm.load(state, EnumSet.of(PauseReason.OPERATOR));
      ticker.advanceSeconds(1);

      assertThat(vm.stepsPerSecond()).isZero();
      assertThat(vm.steps()).isEqualTo(1_000_000_000);
    }
  }

  @Test
  void aVcpuThatFailsHoldsUpNeitherAPauseNorAHarvest() throws Exception {
    VmSpec spec = Vms.spec("sequential", PAGES, 1, "rate", "unlimited");
    CompletableFuture<Throwable> failure = new CompletableFuture<>();
    Thread.UncaughtExceptionHandler before = Thread.getDefaultUncaughtExceptionHandler();
    Thread.setDefaultUncaughtExceptionHandler((thread, error) -> failure.complete(error));
    try (VirtualMachine vm = new VmFactory(Vms.MEMORY, GuestDisks.NONE, Ticker.SYSTEM).skeleton(spec)) {
      vm.load(spec.bootState(List.of()), Set.of());
      vm.runOn(Rulings.leaveToRun());
      // Memory that goes away under a running vCPU: its next store throws.
      vm.ram().close();
      assertThat(failure.get(30, TimeUnit.SECONDS)).isInstanceOf(RuntimeException.class);

      vm.dirtyLog().harvest(new PageBitmap(PAGES));
      vm.pause(PauseReason.MIGRATION);

      assertThat(vm.isPaused()).isTrue();
    } finally {
      Thread.setDefaultUncaughtExceptionHandler(before);
    }
  }

  @Test
  void aVmThatIsClosedGivesItsMemoryBackOnce() throws Exception {
    HostMemory memory = new HostMemory(1 << 20);
    VirtualMachine vm = Booted.vm(new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM),
        Vms.spec("uniform", 256, 1, "rate", "unlimited"), 1);
    vm.resume(PauseReason.OPERATOR);
    assertThat(memory.freeBytes()).isZero();
    assertThatThrownBy(() -> new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM).skeleton(BUSY))
        .isInstanceOf(OutOfMemoryException.class);

    vm.close();
    vm.close();

    assertThat(memory.freeBytes()).isEqualTo(1 << 20);
    assertThatThrownBy(() -> vm.ram().borrow()).isInstanceOf(IllegalStateException.class);
  }
}
