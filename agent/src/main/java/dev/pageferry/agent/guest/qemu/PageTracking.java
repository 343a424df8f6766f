package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.os.OsProcess;
import dev.pageferry.agent.os.WrittenPages;
import dev.pageferry.agent.os.WrittenPages.UnavailableException;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether the kernel tells which pages a machine's QEMU writes. What that takes is made in each QEMU before its guest runs, and is in the
 * machine's record for the next agent. Where the kernel does not, QEMU tells by its stream. Inside the machine's commands.
 */
final class PageTracking {
  private static final Logger log = LoggerFactory.getLogger(PageTracking.class);

  private final QemuSpec spec;
  private final MachineFiles files;
  private final WrittenPagesFrom from;
  private final Scheduler scheduler;
  /** The machine's QEMU of now, if it can be asked of. */
  private @Nullable Prepared prepared;
  /** Why it cannot; empty where it can. */
  private String obstacle = "it has no QEMU";

  /** @param descriptor in that process */
  private record Prepared(OsProcess qemu, int descriptor) {
    WrittenPages open(MachineFiles files) throws UnavailableException {
      return WrittenPages.open(qemu, descriptor, files.ram());
    }
  }

  PageTracking(QemuSpec spec, MachineFiles files, WrittenPagesFrom from, Scheduler scheduler) {
    this.spec = spec;
    this.files = files;
    this.from = from;
    this.scheduler = scheduler;
  }

  /**
   * Of a QEMU that was just started. Its guest has not run: if that were its end nothing would be lost.
   *
   * @throws IOException if it has ended, or nothing can be noted
   */
  void prepare(OsProcess qemu) throws IOException, InterruptedException {
    prepared = null;
    obstacle = from.reasonAgainstKernel(spec).orElse("");
    if (!obstacle.isEmpty()) {
      return;
    }
    try {
      int descriptor = WrittenPages.prepare(qemu, scheduler);
      MachineRecord.change(files, each -> each.tracked(descriptor));
      prepared = new Prepared(qemu, descriptor);
    } catch (UnavailableException e) {
      obstacle = String.valueOf(e.getMessage());
    }
  }

  /** Of a QEMU that was found. What an agent that was killed has begun to track is not tracked any more. */
  void found(OsProcess qemu) {
    prepared = null;
    try {
      OptionalInt descriptor = MachineRecord.read(files.record()).trackingDescriptor();
      if (descriptor.isEmpty()) {
        obstacle = "its QEMU was started by an agent that did not prepare it";
        return;
      }
      Prepared found = new Prepared(qemu, descriptor.getAsInt());
      found.open(files).close();
      obstacle = "";
      prepared = found;
    } catch (IOException | UnavailableException e) {
      obstacle = String.valueOf(e.getMessage());
    }
  }

  /** For one migration; empty: QEMU's stream is to tell. */
  Optional<WrittenPages> open() {
    Prepared ready = prepared;
    String reason = from.reasonAgainstKernel(spec).orElse(obstacle);
    if (ready != null && reason.isEmpty()) {
      try {
        WrittenPages opened = ready.open(files);
        log.info("vm={} written pages come from the kernel", spec.name());
        return Optional.of(opened);
      } catch (UnavailableException e) {
        reason = String.valueOf(e.getMessage());
      }
    }
    log.info("vm={} written pages come from QEMU's stream, not from the kernel: {}", spec.name(), reason);
    return Optional.empty();
  }
}
