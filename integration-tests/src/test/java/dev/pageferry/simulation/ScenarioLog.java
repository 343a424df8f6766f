package dev.pageferry.simulation;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.simulation.ClusterWorld.VmPlan;
import dev.pageferry.simulation.SimulatedCoordinator.Services;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/** What an operator sees while a scenario goes on: hosts and VMs as the command lists them, and what servers log. */
final class ScenarioLog implements AutoCloseable {
  private static final Duration LOOK = Duration.ofMillis(500);
  /** Seconds with a tenth, at the beginning of each line. */
  static final int TIME_CHARS = 7;
  private static final long STILL_NANOS = 2_000_000_000L;
  private static final List<String> LOGGERS = List.of("dev.pageferry.coordinator.availability",
      "dev.pageferry.coordinator.inventory", "dev.pageferry.agent.disk.DiskSet",
      "dev.pageferry.agent.disk.StorageLease", "dev.pageferry.agent.rpc.CoordinatorSession");

  private final List<String> lines = new ArrayList<>();
  private final Map<String, String> shown = new TreeMap<>();
  private final Map<String, String> steps = new TreeMap<>();
  private final Map<String, Long> steppedNanos = new TreeMap<>();
  private final Appender appender = new Appender();
  private final Map<String, Level> levels = new TreeMap<>();
  private @Nullable ClusterWorld world;
  private long originNanos;
  private boolean isOver;

  ScenarioLog() {
    appender.start();
    for (String each : LOGGERS) {
      Logger logger = (Logger) LoggerFactory.getLogger(each);
      logger.setLevel(Level.INFO);
      logger.setAdditive(false);
      logger.addAppender(appender);
    }
  }

  /** Begins, now. */
  void follow(ClusterWorld told) {
    world = told;
    originNanos = told.baton().nanos();
    look(told);
  }

  void end() {
    isOver = true;
    line("script", "end");
  }

  List<String> lines() {
    return lines;
  }

  @Override
  public void close() {
    for (String each : LOGGERS) {
      Logger logger = (Logger) LoggerFactory.getLogger(each);
      logger.detachAppender(appender);
      logger.setLevel(null);
      logger.setAdditive(true);
    }
    appender.stop();
  }

  void line(String who, String what) {
    ClusterWorld told = world;
    if (told != null) {
      lines.add(String.format(Locale.ROOT, "%7.1f s  %-12s %s", (told.baton().nanos() - originNanos) / 1e9, who,
          what).stripTrailing());
    }
  }

  private void look(ClusterWorld told) {
    if (isOver) {
      return;
    }
    Services services = told.coordinator().get();
    if (services == null) {
      shows("coordinator", "is away", "is away");
    } else {
      shows("coordinator", "is there", "is there");
      for (Host each : services.inventory().list()) {
        String state = each.isUp() ? "UP" : "DOWN";
        shows(each.id().value(), state, state);
      }
      for (Vm each : services.machines().list()) {
        String state = "%s on %s".formatted(each.getState(), each.getHost());
        String reason = each.getReason().isEmpty() ? "" : ": " + each.getReason();
        // Seconds that are counted do not make it another reason.
        shows(each.getName(), state + reason.replaceAll("[0-9]+", "0"), state + reason);
      }
    }
    for (VmPlan each : told.setup().vms()) {
      guest(told, each);
    }
    told.process().later(LOOK, "an operator looks", () -> look(told));
  }

  /** Whether the guest gets on, as whoever uses it would notice. */
  private void guest(ClusterWorld told, VmPlan vm) {
    String now = told.checks().boots(vm.id()) + " " + told.checks().steps(vm.id());
    if (!now.equals(steps.put(vm.name(), now))) {
      steppedNanos.put(vm.name(), told.baton().nanos());
    }
    boolean isStill = told.baton().nanos() - steppedNanos.getOrDefault(vm.name(), 0L) > STILL_NANOS;
    String what = isStill ? "does nothing" : "is at work";
    shows("guest " + vm.name(), what, what);
  }

  private void shows(String who, String kind, String what) {
    if (!kind.equals(shown.put(who, kind))) {
      line(who, what);
    }
  }

  private final class Appender extends AppenderBase<ILoggingEvent> {
    @Override
    protected void append(ILoggingEvent event) {
      ClusterWorld told = world;
      if (told == null || isOver) {
        return;
      }
      String message = event.getFormattedMessage()
          .replaceAll("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "…")
          .replaceAll("[0-9]+ ms", "… ms");
      String who = told.baton().whoRuns();
      line(who.startsWith("coordinator") ? "coordinator" : who, "logs: " + message);
    }
  }
}
