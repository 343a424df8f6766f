package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.guest.PushedPages;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A machine that is to leave, in one migration or save after another. */
final class Leaving {
  private static final Logger log = LoggerFactory.getLogger(Leaving.class);

  private final String vm;
  private final MachineFiles files;
  private final OneAtATime commands;
  private final Current current;
  private final Scheduler scheduler;
  /** Inside {@link #commands}, as the one below. */
  private @Nullable Departure departure;
  private @Nullable PushedPages pages;

  /** The machine's QEMU of now. */
  interface Current {
    Qmp monitor() throws IOException;

    /** It has ended. */
    boolean isGone();

    /** Inside the machine's commands. */
    boolean isStopped();
  }

  Leaving(String vm, MachineFiles files, OneAtATime commands, Current current, Scheduler scheduler) {
    this.vm = vm;
    this.files = files;
    this.commands = commands;
    this.current = current;
    this.scheduler = scheduler;
  }

  /**
   * The machine is about to run again, inside its commands. What was sent of the stopped one was its end: the next one begins with all
   * of its memory.
   *
   * @return for which it is to begin then
   */
  @Nullable
  PushedPages runsAgain() throws InterruptedException {
    PushedPages wanted = pages;
    end();
    if (wanted != null) {
      wanted.runsAgain();
    }
    return wanted;
  }

  void begin(PushedPages wanted) throws InterruptedException {
    try {
      departure = Departure.begin(current.monitor(), files.stream(), scheduler, wanted);
    } catch (IOException e) {
      wanted.failed(e);
    }
  }

  /** Has it push its pages, for one migration, until they are closed. */
  PushedPages openPages(long pageCount) throws IOException, InterruptedException {
    return commands.call(() -> {
      // Of a save that was given up while the guest stayed paused.
      end();
      PushedPages opened = new PushedPages(pageCount, scheduler, this::staysHere);
      departure = Departure.begin(current.monitor(), files.stream(), scheduler, opened);
      pages = opened;
      return opened;
    });
  }

  private void staysHere() {
    boolean _ = commands.anyway(() -> commands.run(() -> {
      pages = null;
      end();
    }), "its migration was not ended well");
  }

  void end() throws InterruptedException {
    Departure ends = departure;
    departure = null;
    if (ends != null) {
      try {
        ends.close(!current.isGone());
      } catch (IOException e) {
        log.warn("vm={} its migration was not ended well: {}", vm, e.getMessage());
      }
    }
  }

  /** All that it is but its RAM, while it is stopped. */
  MachineImage image() throws IOException, InterruptedException {
    return commands.call(() -> {
      Departure leaving = departure;
      if (leaving == null) {
        leaving = Departure.beginWithoutRam(current.monitor(), files.stream(), scheduler);
        departure = leaving;
      }
      boolean isWhole = false;
      try {
        MachineImage image = leaving.image();
        isWhole = true;
        return image;
      } finally {
        if (!isWhole) {
          end();
        }
      }
    });
  }

  /** What can be told of the running machine; {@link #image} leaves it out from then on. */
  Optional<MachineImage> ahead() throws IOException, InterruptedException {
    return commands.call(() -> {
      Departure leaving = departure;
      return leaving == null ? Optional.<MachineImage>empty() : leaving.ahead();
    });
  }

  /** Holds it back while it leaves and runs; a stopped one that goes on begins anew, and is not held back. */
  void throttle(int percent) {
    boolean _ = commands.anyway(() -> commands.run(() -> {
      Departure leaving = departure;
      if (leaving != null && !current.isStopped()) {
        leaving.throttle(percent);
      }
    }), "it is not held back");
  }
}
