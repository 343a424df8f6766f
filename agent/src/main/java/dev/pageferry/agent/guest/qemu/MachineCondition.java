package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonObject;
import dev.pageferry.agent.guest.GuestCondition;
import dev.pageferry.common.concurrent.Signal;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What became of a machine by itself: as QEMU tells, and as it is asked. Any thread may call: what is over stays so until the next QEMU,
 * whoever says at that moment that the machine halts or goes on. Sources: QEMU's {@code qapi/run-state.json}, {@code block-core.json}.
 */
final class MachineCondition {
  private static final GuestCondition OFF = new GuestCondition(GuestCondition.Kind.POWERED_OFF,
      "the guest switched itself off");
  private static final GuestCondition PANICKED = new GuestCondition(GuestCondition.Kind.FAILED,
      "the guest's kernel panicked");
  private static final Logger log = LoggerFactory.getLogger(MachineCondition.class);

  private final String vm;
  private final Listener listener;
  private final Signal changed;
  private final AtomicReference<GuestCondition> now = new AtomicReference<>(GuestCondition.FINE);

  /**
   * Told of what happens to a machine by itself, on the thread that hears it: must not wait.
   *
   * @param diskFailed run when a request to a disk has failed, and may have stopped it
   * @param guestEnded run when its guest begins anew, or has switched it off
   */
  record Listener(Runnable diskFailed, Runnable guestEnded) {
  }

  /** @param changed raised whenever this may have changed */
  MachineCondition(String vm, Listener listener, Signal changed) {
    this.vm = vm;
    this.listener = listener;
    this.changed = changed;
  }

  GuestCondition now() {
    return now.get();
  }

  boolean isOver() {
    return now().isOver();
  }

  boolean isHalted() {
    return now().kind() == GuestCondition.Kind.HALTED;
  }

  /** Whatever it was before. */
  void become(GuestCondition next) {
    change(_ -> next);
  }

  private void becomeUnlessOver(GuestCondition next) {
    change(before -> before.isOver() ? before : next);
  }

  /** In one step: what is heard meanwhile on another thread is neither overlooked nor overwritten. */
  private void change(UnaryOperator<GuestCondition> change) {
    GuestCondition before;
    GuestCondition next;
    do {
      before = now.get();
      next = change.apply(before);
    } while (!now.compareAndSet(before, next));
    if (!before.equals(next) && next.kind() != GuestCondition.Kind.FINE) {
      log.warn("vm={} {}", vm, next.reason());
    }
    changed.raise();
  }

  /** It stopped, and may be brought to go on. */
  void halted(String why) {
    halted(why, "'ferry vm resume' tries again");
  }

  /** It stopped because a request to a disk failed, and keeps that. */
  void halted(ServedDisks.Failure failure) {
    halted("a disk failed, and the guest waits (%s)".formatted(failure.reason()),
        failure.passes() ? "it goes on by itself once that is over" : "'ferry vm resume' tries again");
  }

  private void halted(String why, String whatNext) {
    becomeUnlessOver(new GuestCondition(GuestCondition.Kind.HALTED, why + "; " + whatNext));
  }

  /** It went on. */
  void goesOn() {
    becomeUnlessOver(GuestCondition.FINE);
  }

  /** Its QEMU has ended. */
  void ended(String reason) {
    becomeUnlessOver(new GuestCondition(GuestCondition.Kind.FAILED, reason));
  }

  /** What QEMU tells by itself, on the thread that hears it. */
  void hear(JsonObject event) {
    JsonObject data = event.has("data") ? event.getAsJsonObject("data") : new JsonObject();
    switch (event.get("event").getAsString()) {
      case "SHUTDOWN" -> {
        if (data.has("guest") && data.get("guest").getAsBoolean()) {
          become(OFF);
          listener.guestEnded().run();
        }
      }
      case "GUEST_PANICKED" -> become(PANICKED);
      case "BLOCK_IO_ERROR" -> {
        if (data.has("action") && data.get("action").getAsString().equals("stop")) {
          // Told late, where errors follow each other: QEMU is asked whether it is stopped for that.
          listener.diskFailed().run();
        }
      }
      case "RESET" -> {
        log.info("vm={} was reset", vm);
        listener.guestEnded().run();
      }
      default -> log.debug("vm={} QEMU tells {}", vm, event);
    }
  }

  /** A state that was loaded may be that of a guest that is off, or has crashed. */
  void ask(Qmp monitor) throws IOException, InterruptedException {
    switch (RunState.of(monitor)) {
      case "shutdown" -> become(OFF);
      case "guest-panicked" -> become(PANICKED);
      default -> becomeUnlessOver(GuestCondition.FINE);
    }
  }
}
