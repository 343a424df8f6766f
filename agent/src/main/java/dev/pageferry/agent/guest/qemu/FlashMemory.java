package dev.pageferry.agent.guest.qemu;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.OwnershipEpoch;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Flash memory that a machine's guest writes, where it has some: it moves with the machine, and outlives it where there is storage. */
final class FlashMemory implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(5);
  private static final Logger log = LoggerFactory.getLogger(FlashMemory.class);

  private final String vm;
  private final Optional<UefiVariables> kept;
  private final MachineFiles files;
  private final BooleanSupplier hasRun;
  private final Scheduler scheduler;
  /** Under which this host has the machine; 0: it is on its way. */
  private volatile long epoch;
  private volatile boolean closed;

  /**
   * @param kept empty: what it holds ends with the machine
   * @param hasRun whether the machine has run here; what one that has not has in its file is not its own yet
   */
  FlashMemory(String vm, Optional<UefiVariables> kept, MachineFiles files, BooleanSupplier hasRun, Scheduler scheduler) {
    this.vm = vm;
    this.kept = kept;
    this.files = files;
    this.hasRun = hasRun;
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

  /** Keeps what it holds now, or in a moment. Does not wait. */
  void keepSoon() {
    if (kept.isPresent()) {
      Task _ = scheduler.startBlocking("uefi-variables", this::keep);
    }
  }

  private synchronized void keep() {
    if (!closed && isOwn()) {
      try {
        keep(read());
      } catch (IOException e) {
        notKept(IoFailure.sentence(e));
      }
    }
  }

  /** As {@link #keepSoon}, once its QEMU has ended; storage that is away is not waited for. */
  @Override
  public void close() {
    closed = true;
    if (!isOwn()) {
      return;
    }
    try {
      byte[] last = read();
      Task keeping = scheduler.startBlocking("uefi-variables", () -> keepLast(last));
      if (!keeping.join(PATIENCE)) {
        notKept("storage does not answer within %d s".formatted(PATIENCE.toSeconds()));
      }
    } catch (IOException e) {
      notKept(IoFailure.sentence(e));
    } catch (InterruptedException e) {
      scheduler.current().interrupt();
    }
  }

  private boolean isOwn() {
    return kept.isPresent() && epoch > 0 && hasRun.getAsBoolean();
  }

  private byte[] read() throws IOException {
    return Files.readAllBytes(files.variables());
  }

  /** After whatever is being kept now, which is older. */
  private synchronized void keepLast(byte[] content) {
    try {
      keep(content);
    } catch (IOException e) {
      notKept(IoFailure.sentence(e));
    }
  }

  private void keep(byte[] content) throws IOException {
    kept.orElseThrow().keep(content, epoch);
  }

  private void notKept(String why) {
    log.error("vm={} what its UEFI has in its variables was not kept: {}", vm, why);
  }
}
