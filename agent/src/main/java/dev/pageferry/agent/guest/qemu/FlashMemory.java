package dev.pageferry.agent.guest.qemu;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.OwnershipEpoch;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Flash memory that a machine's guest writes, where it has some: it moves with the machine, and outlives it where there is storage. */
final class FlashMemory implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(FlashMemory.class);

  private static final Duration PATIENCE = Duration.ofSeconds(5);
  private static final Duration AT_MOST_EACH = Duration.ofSeconds(1);
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(20);
  private static final int LOOKS = 10;

  private final String vm;
  private final Optional<UefiVariables> kept;
  private final MachineFiles files;
  private final Scheduler scheduler;
  private final AtomicBoolean busy = new AtomicBoolean();
  private volatile boolean asked;
  /** Under which this host has the machine; 0: it is on its way. */
  private volatile long epoch;
  private volatile boolean closed;
  /** What was kept last; guarded by this. */
  private byte[] last = new byte[0];

  /** @param kept empty: what it holds ends with the machine */
  FlashMemory(String vm, Optional<UefiVariables> kept, MachineFiles files, Scheduler scheduler) {
    this.vm = vm;
    this.kept = kept;
    this.files = files;
    this.scheduler = scheduler;
  }

  /** Ahead of a boot: what the VM had when it was stopped last. */
  void bring(long under) throws IOException {
    if (kept.isPresent()) {
      Optional<byte[]> content = kept.get().bring(under);
      if (content.isPresent()) {
        Files.write(files.variables(), content.get());
      }
    }
  }

  void ownedUnder(OwnershipEpoch now) {
    epoch = now.value();
  }

  /** Keeps what it holds now, or in a moment. Does not wait; however often a guest asks for it there is one that does it. */
  void keepSoon() {
    if (kept.isEmpty()) {
      return;
    }
    asked = true;
    if (busy.compareAndSet(false, true)) {
      boolean isStarted = false;
      try {
        Task _ = scheduler.startBlocking("uefi-variables", this::keepWhileAsked);
        isStarted = true;
      } finally {
        if (!isStarted) {
          busy.set(false);
        }
      }
    }
  }

  private void keepWhileAsked() {
    do {
      try {
        while (asked && !closed) {
          asked = false;
          keep();
          scheduler.sleep(AT_MOST_EACH);
        }
      } catch (InterruptedException e) {
        scheduler.current().interrupt();
        return;
      } finally {
        busy.set(false);
      }
    } while (asked && !closed && busy.compareAndSet(false, true));
  }

  private void keep() throws InterruptedException {
    try {
      Optional<byte[]> content = isOwn() ? settled() : Optional.empty();
      if (content.isPresent()) {
        keep(content.get(), false);
      }
    } catch (IOException e) {
      notKept(IoFailure.sentence(e));
    }
  }

  /** What it holds at one moment: firmware that begins anew may be writing. Empty: it does not come to rest. */
  private Optional<byte[]> settled() throws IOException, InterruptedException {
    byte[] before = read();
    for (int i = 0; i < LOOKS; i++) {
      scheduler.sleep(BETWEEN_LOOKS);
      byte[] now = read();
      if (Arrays.equals(before, now)) {
        return Optional.of(now);
      }
      before = now;
    }
    return Optional.empty();
  }

  /** As {@link #keepSoon}, once its QEMU has ended; storage that is away is not waited for. */
  @Override
  public void close() {
    closed = true;
    if (!isOwn()) {
      return;
    }
    try {
      byte[] content = read();
      Task keeping = scheduler.startBlocking("uefi-variables", () -> keepLast(content));
      if (!keeping.join(PATIENCE)) {
        notKept("storage does not answer within %d s".formatted(PATIENCE.toSeconds()));
      }
    } catch (IOException e) {
      notKept(IoFailure.sentence(e));
    } catch (InterruptedException e) {
      notKept("nobody waits until it is");
      scheduler.current().interrupt();
    }
  }

  /** What the file of a machine that has not run here holds is not the machine's: QEMU writes what came with its state when it goes on. */
  private boolean isOwn() {
    return kept.isPresent() && epoch > 0 && files.hasRun();
  }

  private byte[] read() throws IOException {
    return Files.readAllBytes(files.variables());
  }

  private void keepLast(byte[] content) {
    try {
      keep(content, true);
    } catch (IOException e) {
      notKept(IoFailure.sentence(e));
    }
  }

  /** What was read before the machine ended is not kept once that of its end is there. */
  private synchronized void keep(byte[] content, boolean isLast) throws IOException {
    if (closed == isLast && !Arrays.equals(content, last)) {
      kept.orElseThrow().keep(content, epoch);
      last = content;
    }
  }

  private void notKept(String why) {
    log.error("vm={} what its UEFI has in its variables was not kept: {}", vm, why);
  }
}
