package dev.pageferry.agent.hosting;

import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.os.OsProcess;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.failure.IoFailure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How many guests this agent has, in a file for programs of its machine that may not end them: a package that is upgraded or
 * removed. A line for each thing, in this order; the file is replaced at once, a moment after a guest has come or gone. It stays
 * when the agent ends, and counts for nothing then but the directory of machines of QEMU, which may live on.
 *
 * <pre>
 * pageferry-guests 1
 * pid=PID
 * started=TICKS      since boot, as /proc/PID/stat has it: a later process of that number has another
 * ram-dir=DIRECTORY  where machines of QEMU are
 * builtin=N          guests without a process of their own
 * ending=N           all that end with this agent; the others are taken over by the next one
 * end
 * </pre>
 */
public final class GuestsFile implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(GuestsFile.class);
  private static final Duration ENDS = Duration.ofSeconds(1);

  /**
   * How guests are held here.
   *
   * @param ramDirectory where machines of QEMU are
   * @param keeps whether they wait for the next agent
   */
  public record QemuHolding(Path ramDirectory, boolean keeps) {
  }

  private final Path file;
  private final HostedGuests guests;
  private final QemuHolding holding;
  private final AtomicLong changes = new AtomicLong();
  private final Signal changed;
  private final Task writer;

  private GuestsFile(Path file, HostedGuests guests, QemuHolding holding, Scheduler scheduler) throws IOException {
    this.file = file;
    this.guests = guests;
    this.holding = holding;
    this.changed = scheduler.newSignal();
    write();
    guests.follow(() -> {
      changes.incrementAndGet();
      changed.raise();
    });
    this.writer = scheduler.startBlocking("guests-file", this::writeChanges);
  }

  /** Writes it, and keeps it up to date until closed. */
  public static GuestsFile keep(Path file, HostedGuests guests, QemuHolding holding, Scheduler scheduler)
      throws IOException {
    return new GuestsFile(file, guests, holding, scheduler);
  }

  private void writeChanges() {
    long written = 0;
    try {
      while (true) {
        long before = written;
        changed.await(() -> changes.get() != before);
        written = changes.get();
        try {
          write();
        } catch (IOException e) {
          log.warn("cannot update {}: {}; package scripts may see an old count of guests", file, IoFailure.sentence(e));
        }
      }
    } catch (InterruptedException e) {
      // This agent ends.
    }
  }

  private void write() throws IOException {
    Path next = file.resolveSibling(file.getFileName() + ".new");
    Files.writeString(next, text());
    Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
  }

  private String text() {
    Optional<OsProcess> self = OsProcess.of(ProcessHandle.current().pid());
    List<HostedGuests.Hosted> here = guests.list();
    long builtin = here.stream().filter(each -> !each.vm().spec().outlivesAgents()).count();
    long ending = holding.keeps() ? builtin : here.size();
    return String.join("\n", "pageferry-guests 1", "pid=" + self.map(OsProcess::pid).orElse(0L),
        "started=" + self.map(OsProcess::startTicks).orElse(0L), "ram-dir=" + holding.ramDirectory(),
        "builtin=" + builtin, "ending=" + ending, "end", "");
  }

  @Override
  public void close() throws InterruptedException {
    writer.interrupt();
    boolean _ = writer.join(ENDS);
  }
}
