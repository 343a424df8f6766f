package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonObject;
import dev.pageferry.agent.guest.PageSource;
import dev.pageferry.agent.guest.PushedPages;
import dev.pageferry.agent.os.WrittenPages;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.time.Duration;
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
  private final PageTracking tracking;
  /** Changed inside {@link #commands}. */
  private volatile @Nullable Departure departure;
  /** Whether its vCPUs run, as QEMU tells it. */
  private volatile boolean runs;
  /** Inside {@link #commands}: who tells its pages in the migration that is under way. */
  private @Nullable PushedPages pushed;
  /** Whether the kernel does; changed inside {@link #commands}. */
  private volatile boolean isTracked;

  /** The machine's QEMU of now. */
  interface Current {
    Qmp monitor() throws IOException;

    /** It has ended. */
    boolean isGone();

    /** Inside the machine's commands. */
    boolean isStopped();
  }

  Leaving(String vm, MachineFiles files, OneAtATime commands, Current current, PageTracking tracking,
      Scheduler scheduler) {
    this.tracking = tracking;
    this.vm = vm;
    this.files = files;
    this.commands = commands;
    this.current = current;
    this.scheduler = scheduler;
  }

  /** What QEMU tells, on the thread that hears it. Source: QEMU's {@code qapi/run-state.json}. */
  void hear(JsonObject event) {
    switch (event.get("event").getAsString()) {
      case "STOP" -> runs(false);
      case "RESUME" -> runs(true);
      default -> {
      }
    }
  }

  /** Whether the machine's vCPUs run, whoever wanted that. */
  void runs(boolean now) {
    runs = now;
    Departure leaving = departure;
    if (!now && leaving != null) {
      leaving.readOn();
    }
  }

  /**
   * The machine is about to run again, inside its commands. What was sent of the stopped one was its end: the next one begins with all
   * of its memory.
   */
  void goesOn() throws InterruptedException {
    end();
    PushedPages wanted = pushed;
    if (wanted != null) {
      wanted.runsAgain();
    }
  }

  /** It runs again; the next one begins. */
  void wentOn() throws InterruptedException {
    PushedPages wanted = pushed;
    try {
      if (wanted != null) {
        departure = Departure.begin(current.monitor(), files.stream(), scheduler, wanted);
      } else if (isTracked) {
        beginBesideRam();
      }
    } catch (IOException e) {
      if (wanted != null) {
        wanted.failed(e);
      } else {
        log.warn("vm={} nothing of its state can go ahead of it: {}", vm, e.getMessage());
      }
    }
  }

  private Departure beginBesideRam() throws IOException, InterruptedException {
    Departure begun = Departure.beginBesideRam(current.monitor(), files.stream(), scheduler);
    departure = begun;
    // Behind that: who hears of a stop from here on finds it.
    if (!runs) {
      begun.readOn();
    }
    return begun;
  }

  /** Has its pages told, for one migration, until they are closed. */
  PageSource openPages(long pageCount) throws IOException, InterruptedException {
    return commands.<PageSource>call(() -> {
      // Of a save that was given up while the guest stayed paused.
      end();
      Optional<WrittenPages> written = tracking.open();
      return written.isPresent() ? openTracked(written.get(), pageCount) : openPushed(pageCount);
    });
  }

  private PageSource openTracked(WrittenPages written, long pageCount) throws IOException, InterruptedException {
    boolean isOpen = false;
    try {
      Departure _ = beginBesideRam();
      isTracked = true;
      isOpen = true;
      return new TrackedPages(written, pageCount, this::awaitPass, this::staysHere);
    } finally {
      if (!isOpen) {
        written.close();
      }
    }
  }

  private boolean awaitPass(Duration atMost) throws InterruptedException {
    Departure leaving = departure;
    return leaving == null || leaving.awaitPass(atMost);
  }

  private PageSource openPushed(long pageCount) throws IOException, InterruptedException {
    PushedPages opened = new PushedPages(pageCount, scheduler, this::staysHere);
    departure = Departure.begin(current.monitor(), files.stream(), scheduler, opened);
    pushed = opened;
    return opened;
  }

  private void staysHere() {
    boolean _ = commands.anyway(() -> commands.run(() -> {
      pushed = null;
      isTracked = false;
      end();
    }), "its migration was not ended well");
  }

  void end() throws InterruptedException {
    Departure ends = departure;
    if (ends != null) {
      try {
        ends.close(!current.isGone());
      } catch (IOException e) {
        log.warn("vm={} its migration was not ended well: {}", vm, e.getMessage());
      }
      departure = null;
    }
  }

  /** All that it is but its RAM, while it is stopped. */
  MachineImage image() throws IOException, InterruptedException {
    return commands.call(() -> {
      Departure leaving = departure;
      if (leaving == null) {
        leaving = isTracked
            ? beginBesideRam()
            : Departure.beginWithoutRam(current.monitor(), files.stream(), scheduler);
        departure = leaving;
      }
      leaving.readOn();
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

  /** Until figures tell what a {@link #throttle} has done; where the kernel tells its pages that is waited for with each pass. */
  Duration throttleDelay() {
    return isTracked ? Duration.ZERO : GuestThrottle.DELAY;
  }

  /**
   * Holds it back while it leaves and runs; a stopped one that goes on begins anew, and is not held back. QEMU does that between two
   * passes over RAM: where its pages are told without those it begins with them.
   */
  void throttle(int percent) {
    boolean _ = commands.anyway(() -> commands.run(() -> {
      Departure leaving = departure;
      if (leaving == null || current.isStopped()) {
        return;
      }
      if (!leaving.mayThrottle() && percent > 0) {
        end();
        leaving = Departure.begin(current.monitor(), files.stream(), scheduler, null);
        departure = leaving;
      }
      if (leaving.mayThrottle()) {
        leaving.throttle(percent);
      }
    }), "it is not held back");
  }
}
