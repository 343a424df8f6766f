package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.guest.PauseReason;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/** Takes something of a VM that is paused for that long. */
final class WhilePaused {
  /** Held meanwhile: a reason to pause cannot count those who have it. */
  private final ReentrantLock lock = new ReentrantLock();

  /** Pauses the VM, keeps its RAM mapped and takes something of it; one at a time. */
  <T> T take(VirtualMachine vm, Supplier<T> taker) throws InterruptedException {
    vm.ram().borrow();
    try {
      lock.lockInterruptibly();
      try {
        vm.pause(PauseReason.DIGEST);
        try {
          return taker.get();
        } finally {
          vm.resume(PauseReason.DIGEST);
        }
      } finally {
        lock.unlock();
      }
    } finally {
      vm.ram().giveBack();
    }
  }
}
