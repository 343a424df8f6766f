package dev.pageferry.agent.guest.builtin;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.ownership.Rulings;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Many threads at one running VM. Its own replay says whether anything went wrong. */
// A harvest that hangs cannot be interrupted.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class PauseRaceTest {
  private static final int PAGES = 256;
  private static final int ROUNDS = 150;

  @ParameterizedTest
  @CsvSource({"uniform, unlimited, 0", "sequential, 20MB/s, 0", "zipf, unlimited, 60", "idle, unlimited, 0"})
  void pausesHarvestsThrottlesAndDigestsDoNotDisturbTheGuestOrEachOther(String program, String rate, int throttle)
      throws Exception {
    try (VirtualMachine vm = Vms.boot(Vms.spec(program, PAGES, 2, "rate", rate))) {
      vm.resume(PauseReason.OPERATOR);
      runAll(
          repeat(() -> pauseAndResume(vm, PauseReason.OPERATOR)),
          repeat(() -> pauseAndResume(vm, PauseReason.MIGRATION)),
          repeat(() -> vm.dirtyLog().harvest(new PageBitmap(PAGES))),
          repeat(() -> {
            vm.throttle(throttle);
            vm.digest();
            vm.throttle(0);
          }));

      assertThat(vm.isPaused()).isFalse();
      long steps = vm.steps();
      Awaitility.await().until(() -> vm.steps() > steps);
      assertThat(vm.verify((done, total) -> {
      }).identical()).isTrue();
    }
  }

  @Test
  void copyingWhatEachHarvestNamesGivesTheWholeMemoryAfterTheLastOne() throws Exception {
    try (VirtualMachine vm = Vms.boot(Vms.spec("uniform", PAGES, 2, "rate", "unlimited", "fill", "random"));
        PageStore copy = PageStore.allocate(PAGES * 4096L)) {
      vm.resume(PauseReason.OPERATOR);
      PageBitmap pending = new PageBitmap(PAGES);
      vm.dirtyLog().harvest(pending);
      vm.dirtyLog().addEverWritten(pending);
      for (int round = 0; round < ROUNDS; round++) {
        copy(vm.ram(), copy, pending);
        pending.clear();
        vm.dirtyLog().harvest(pending);
      }
      vm.pause(PauseReason.MIGRATION);
      vm.dirtyLog().harvest(pending);
      copy(vm.ram(), copy, pending);

      assertThat(copy.window(0, PAGES)).isEqualTo(vm.ram().window(0, PAGES));
    }
  }

  @Test
  void aVmClosedWhileOthersUseItEndsEveryoneWithoutAHang() throws Exception {
    for (int round = 0; round < 20; round++) {
      VirtualMachine vm = Vms.boot(Vms.spec("uniform", PAGES, 2, "rate", "unlimited"));
      vm.resume(PauseReason.OPERATOR);
      runAll(
          () -> {
            for (int i = 0; i < 10; i++) {
              pauseAndResume(vm, PauseReason.MIGRATION);
              vm.dirtyLog().harvest(new PageBitmap(PAGES));
            }
            return null;
          },
          () -> {
            vm.awaitFirstSign(10);
            vm.close();
            return null;
          });
      vm.close();
    }
    assertThat(Vms.MEMORY.freeBytes()).isEqualTo(Vms.MEMORY.capacityBytes());
  }

  @Test
  void aPauseThatIsInterruptedLeavesTheVmRunning() throws Exception {
    try (VirtualMachine vm = Vms.boot(Vms.spec("uniform", PAGES, 2, "rate", "unlimited"))) {
      vm.resume(PauseReason.OPERATOR);
      int interrupted = 0;
      for (int round = 0; round < 10_000 && interrupted < 5; round++) {
        Thread.currentThread().interrupt();
        try {
          vm.pause(PauseReason.MIGRATION);
          // It stood before anyone had to wait.
          vm.runOn(Rulings.leaveToRun());
        } catch (InterruptedException e) {
          interrupted++;
        }
        assertThat(vm.isPaused()).isFalse();
        Thread.interrupted();
        long steps = vm.steps();
        Awaitility.await().until(() -> vm.steps() > steps);
      }
      assertThat(interrupted).as("pauses that were interrupted").isPositive();
    }
  }

  @Test
  void aReasonThatWasThereBeforeAnInterruptedPauseStays() throws Exception {
    try (VirtualMachine vm = Vms.boot(Vms.spec("idle", PAGES, 1))) {
      Thread.currentThread().interrupt();
      try {
        vm.pause(PauseReason.OPERATOR);
      } catch (InterruptedException e) {
        // Either way.
      }
      Thread.interrupted();

      assertThat(vm.isPausedFor(PauseReason.OPERATOR)).isTrue();
    }
  }

  @Test
  void aDigestDoesNotLetTheVmRunUnderAnother() throws Exception {
    try (VirtualMachine vm = Vms.boot(Vms.spec("uniform", PAGES, 2, "rate", "unlimited"))) {
      vm.resume(PauseReason.OPERATOR);
      AtomicReference<Thread> other = new AtomicReference<>();
      CountDownLatch otherDone = new CountDownLatch(1);
      vm.takeWhilePaused(() -> {
        long steps = vm.machineState().steps();
        other.set(Thread.ofPlatform().start(() -> {
          try {
            vm.digest();
            otherDone.countDown();
          } catch (InterruptedException e) {
            throw new AssertionError(e);
          }
        }));
        Awaitility.await().until(() -> otherDone.getCount() == 0 || other.get().getState() == Thread.State.WAITING);
        assertThat(vm.isPausedFor(PauseReason.DIGEST)).isTrue();
        assertThat(vm.machineState().steps()).isEqualTo(steps);
        return steps;
      });
      otherDone.await();
      other.get().join();

      assertThat(vm.isPaused()).isFalse();
    }
  }

  private static void pauseAndResume(VirtualMachine vm, PauseReason reason) throws InterruptedException {
    vm.pause(reason);
    MachineState before = vm.machineState();
    vm.dirtyLog().harvest(new PageBitmap(PAGES));
    assertThat(vm.machineState()).as("a paused VM does not change").isEqualTo(before);
    Booted.endPause(vm, reason);
  }

  private static void copy(PageStore from, PageStore to, PageBitmap pages) {
    for (long page = pages.next(0, PAGES); page >= 0; page = pages.next(page + 1, PAGES)) {
      to.copyIn(page, from.window(page, 1), 0);
    }
  }

  private interface Action {
    void run() throws Exception;
  }

  private static Callable<Void> repeat(Action action) {
    return () -> {
      for (int round = 0; round < ROUNDS; round++) {
        action.run();
      }
      return null;
    };
  }

  @SafeVarargs
  private static void runAll(Callable<Void>... tasks) throws Exception {
    try (ExecutorService threads = Executors.newFixedThreadPool(tasks.length)) {
      List<Future<Void>> running = new ArrayList<>();
      for (Callable<Void> each : tasks) {
        running.add(threads.submit(each));
      }
      for (Future<Void> each : running) {
        each.get();
      }
    }
  }
}
