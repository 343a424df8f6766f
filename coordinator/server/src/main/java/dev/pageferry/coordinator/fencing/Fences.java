package dev.pageferry.coordinator.fencing;

import com.google.protobuf.Timestamp;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedHost;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.proto.cluster.v1.FenceAttempt;
import dev.pageferry.proto.cluster.v1.FenceAttempt.State;
import dev.pageferry.proto.cluster.v1.FenceDevice;
import dev.pageferry.proto.cluster.v1.FenceStatus;
import dev.pageferry.proto.cluster.v1.SetFencingRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Switches hosts off, and has that noted as the end of their incarnations. A host is taken to be off only when every one of its devices did
 * what it was asked for and then said that it is off. Any thread may call; nothing is run by the calling one but tests of devices.
 */
public final class Fences {
  /** A host that has been silent for a shorter time is not switched off: whatever storage shows of it is known by then (1.5 s and 11 s). */
  public static final Duration SILENCE = Duration.ofSeconds(15);

  private static final Logger log = LoggerFactory.getLogger(Fences.class);
  private static final Duration FIRST_PAUSE = Duration.ofSeconds(5);
  private static final Duration LONGEST_PAUSE = Duration.ofMinutes(2);
  /** Of a device: off, then its status, and a while for the machine to be slow. */
  private static final Duration PATIENCE = FenceAgent.Action.OFF.atMost().plus(FenceAgent.Action.STATUS.atMost())
      .plusSeconds(10);

  private final HostInventory inventory;
  private final FenceDevices devices;
  private final FenceAgent agent;
  private final Scheduler scheduler;
  private final ConcurrentLinkedQueue<News> news = new ConcurrentLinkedQueue<>();
  private final Map<State, Long> counts = new ConcurrentHashMap<>();
  /** Guarded by this. */
  private final Map<HostId, Attempt> attempts = new HashMap<>();

  /** Something that came of a host. */
  public record News(String host, State state, String text) {
  }

  /**
   * The last attempt to switch a host off.
   *
   * @param incarnation of the host that was silent
   * @param devices by which it was tried
   * @param failures in a row
   * @param retryNanos not before
   */
  private record Attempt(String incarnation, List<FenceDevice> devices, State state, String text, int failures,
      long retryNanos, long atMillis) {
    boolean isOf(Host host, List<FenceDevice> present) {
      return incarnation.equals(host.incarnation().value()) && devices.equals(present);
    }
  }

  public Fences(HostInventory inventory, RecordStore store, FenceAgent agent, Scheduler scheduler) {
    this.inventory = inventory;
    this.devices = new FenceDevices(store);
    this.agent = agent;
    this.scheduler = scheduler;
  }

  /** By what the host is switched off; empty: it cannot be. */
  public List<FenceDevice> devices(HostId host) {
    return devices.of(host);
  }

  /** The names of the agents, for people: "fence agent fence_ipmilan", "fence agents fence_apc, fence_ipmilan". */
  public static String named(List<FenceDevice> devices) {
    Set<String> names = devices.stream().map(FenceDevice::getAgent)
        .collect(Collectors.toCollection(LinkedHashSet::new));
    return "fence agent%s %s".formatted(names.size() == 1 ? "" : "s", String.join(", ", names));
  }

  /** The request as it may be written down: a secret that it should not have is refused, and is not to be read ever after. */
  public static SetFencingRequest redacted(SetFencingRequest request) {
    return request.toBuilder().clearDevices()
        .addAllDevices(request.getDevicesList().stream().map(FenceOptions::redacted).toList()).build();
  }

  /**
   * Has the host switched off from now on by these.
   *
   * @param unchecked whether they are taken without asking for their status
   * @return what each said; empty if it was not asked
   */
  public List<FenceStatus> set(String name, List<FenceDevice> wished, boolean unchecked)
      throws RequestException, InterruptedException {
    Host host = RequestedHost.find(inventory, name);
    FenceOptions.check(wished);
    List<FenceStatus> statuses = unchecked ? List.of() : statuses(wished);
    for (int i = 0; i < statuses.size(); i++) {
      String said = statuses.get(i).getText();
      if (statuses.get(i).getState() == FenceStatus.State.FAILED) {
        throw new RequestException(Kind.REFUSED,
            "device %d of host %s does not tell its status: %s; nothing was changed (--no-check takes it all the same)",
            i + 1, host.id(), said);
      }
      if (statuses.get(i).getState() == FenceStatus.State.OFF && host.isUp()) {
        // It would later be believed of a host that runs.
        throw new RequestException(Kind.REFUSED,
            "device %d of host %s: %s, but the host is UP; is it the right plug, or address? Nothing was changed",
            i + 1,
            host.id(), said);
      }
    }
    // The devices may have taken a while to answer.
    Host still = RequestedHost.find(inventory, name);
    devices.set(still.id(), wished);
    log.warn("audit: host={} is switched off by {} from now on", host.id(),
        wished.isEmpty() ? "nothing" : named(wished));
    return statuses;
  }

  /** What the host's devices say of themselves now, in their order. */
  public List<FenceStatus> test(String name) throws RequestException, InterruptedException {
    Host host = RequestedHost.find(inventory, name);
    List<FenceDevice> present = devices.of(host.id());
    if (present.isEmpty()) {
      throw new RequestException(Kind.REFUSED, "host %s has no fence agent; see 'ferry host set --help'", host.id());
    }
    return statuses(present);
  }

  private List<FenceStatus> statuses(List<FenceDevice> asked) throws InterruptedException {
    return atOnce("fence-status", asked, each -> {
      FenceAgent.Ended ended = agent.run(each, FenceAgent.Action.STATUS);
      return switch (ended.exitCode()) {
        case FenceVerdict.ON -> status(FenceStatus.State.ON, "%s says that it is on".formatted(each.getAgent()));
        case FenceVerdict.OFF -> status(FenceStatus.State.OFF, "%s says that it is off".formatted(each.getAgent()));
        default -> status(FenceStatus.State.FAILED, FenceVerdict.exit(each, FenceAgent.Action.STATUS, ended));
      };
    }).stream().map(each -> each.failure() == null
        ? Objects.requireNonNull(each.result())
        : status(FenceStatus.State.FAILED, each.failure())).toList();
  }

  private static FenceStatus status(FenceStatus.State state, String text) {
    return FenceStatus.newBuilder().setState(state).setText(text).build();
  }

  /**
   * Has a silent host switched off, unless that is under way, was tried a moment ago, or is done. Returns at once: what comes of it is told
   * by the next call.
   *
   * @return what has come of it so far, for operators
   */
  public String fence(Host host) {
    List<FenceDevice> present = devices.of(host.id());
    Attempt begun;
    synchronized (this) {
      Attempt last = attempts.get(host.id());
      int failures = 0;
      if (last != null) {
        boolean isSame = last.isOf(host, present);
        boolean isTooEarly = last.state() == State.FAILED && scheduler.nanos() - last.retryNanos() < 0;
        // Done a moment ago: whoever asks has not seen the record yet.
        boolean isDone = last.state() == State.SWITCHED_OFF && last.isOf(host, last.devices());
        if (last.state() == State.RUNNING || isDone || isSame && isTooEarly) {
          return outlook(host, last);
        }
        failures = isSame ? last.failures() : 0;
      }
      begun = attempt(host, present, State.RUNNING, "%s is switching it off".formatted(named(present)), failures,
          scheduler.nanos());
      attempts.put(host.id(), begun);
    }
    tell(host, begun);
    try {
      Task _ = scheduler.start("fences-" + host.id(), () -> carryOut(host, begun));
    } catch (RuntimeException | Error e) {
      end(host, begun, State.FAILED, "it could not be begun: " + e);
    }
    return outlook(host, begun);
  }

  private String outlook(Host host, Attempt attempt) {
    if (attempt.state() != State.FAILED) {
      return "host %s is silent; %s".formatted(host.id(), attempt.text());
    }
    long seconds = Math.max(0, Math.ceilDiv(attempt.retryNanos() - scheduler.nanos(), 1_000_000_000L));
    return "host %s is silent, and could not be switched off: %s; tried again in %d s; if the host is off: 'ferry host confirm-dead %s'"
        .formatted(host.id(), attempt.text(), seconds, host.id());
  }

  private void carryOut(Host host, Attempt attempt) {
    State state = State.FAILED;
    String text = "it was not carried out";
    long begunNanos = scheduler.nanos();
    try {
      if (!inventory.isCurrent(host.id(), host.incarnation())
          || inventory.silentFor(host.id()).compareTo(SILENCE) < 0) {
        state = State.HEARD_AGAIN;
        text = "it was heard again, and is not switched off";
        return;
      }
      Optional<String> failure = switchOff(attempt.devices());
      if (failure.isPresent()) {
        text = failure.get();
      } else if (inventory.silentFor(host.id()).toNanos() < scheduler.nanos() - begunNanos) {
        state = State.HEARD_AGAIN;
        text = "%s switched something off, and host %s was heard again meanwhile: it is not taken for dead".formatted(
            named(attempt.devices()), host.id());
      } else {
        String evidence = "%s switched host %s off and %s off".formatted(named(attempt.devices()), host.id(),
            attempt.devices().size() == 1 ? "its status says" : "all of them say that it is");
        switch (inventory.confirmDead(host.id(), host.incarnation(), evidence)) {
          case CONFIRMED -> {
            state = State.SWITCHED_OFF;
            text = evidence;
          }
          case STILL_HEARD -> {
            state = State.HEARD_AGAIN;
            text = "%s switched host %s off, which was heard again meanwhile: it is not taken for dead"
                .formatted(named(attempt.devices()), host.id());
          }
          case CHANGED -> text = "it was switched off, but registers, was deleted, or has a newer incarnation than %s"
              .formatted(host.incarnation());
        }
      }
    } catch (InterruptedException e) {
      text = "the coordinator ends";
    } catch (RuntimeException | Error e) {
      log.error("host={} is not switched off", host.id(), e);
      text = e.toString();
    } finally {
      end(host, attempt, state, text);
    }
  }

  /** Why the host is not known to be off; empty: it is off. */
  private Optional<String> switchOff(List<FenceDevice> all) throws InterruptedException {
    if (all.isEmpty()) {
      return Optional.of("it has no fence agent any more");
    }
    List<String> failures = atOnce("fence-off", all, each -> {
      FenceVerdict.switchOff(agent, each);
      return true;
    }).stream().map(Ended::failure).filter(Objects::nonNull).toList();
    return failures.isEmpty()
        ? Optional.empty()
        : Optional.of(all.size() == 1
            ? failures.getFirst()
            : "%d of %d devices failed: %s".formatted(failures.size(), all.size(), String.join("; ", failures)));
  }

  private void end(Host host, Attempt begun, State state, String text) {
    int failures = state == State.FAILED ? begun.failures() + 1 : 0;
    Duration pause = FIRST_PAUSE.multipliedBy(1L << Math.clamp(failures - 1L, 0, 6));
    Attempt ended = attempt(host, begun.devices(), state, text, failures,
        scheduler.nanos() + (pause.compareTo(LONGEST_PAUSE) < 0 ? pause : LONGEST_PAUSE).toNanos());
    synchronized (this) {
      attempts.put(host.id(), ended);
    }
    tell(host, ended);
  }

  private Attempt attempt(Host host, List<FenceDevice> present, State state, String text, int failures,
      long retryNanos) {
    return new Attempt(host.incarnation().value(), List.copyOf(present), state, text, failures, retryNanos,
        scheduler.wallMillis());
  }

  private void tell(Host host, Attempt attempt) {
    log.warn("audit: host={} incarnation={} fencing {}: {}", host.id(), host.incarnation(), attempt.state(),
        attempt.text());
    counts.merge(attempt.state(), 1L, Math::addExact);
    news.add(new News(host.id().value(), attempt.state(), attempt.text()));
  }

  /** What happened since this was asked last; for one who asks. */
  public List<News> news() {
    List<News> told = new ArrayList<>();
    for (News each = news.poll(); each != null; each = news.poll()) {
      told.add(each);
    }
    return told;
  }

  /** How often it came to that. */
  public long count(State state) {
    return counts.getOrDefault(state, 0L);
  }

  /** What has come of switching this incarnation of the host off, or the one before it, since this process started. */
  public Optional<FenceAttempt> last(HostId host) {
    Attempt attempt;
    synchronized (this) {
      attempt = attempts.get(host);
    }
    return Optional.ofNullable(attempt).map(each -> FenceAttempt.newBuilder().setState(each.state())
        .setAt(timestamp(each.atMillis())).setText(each.text())
        .setFailures(each.failures()).build());
  }

  private static Timestamp timestamp(long millis) {
    return Timestamp.newBuilder().setSeconds(Math.floorDiv(millis, 1000L))
        .setNanos((int) Math.floorMod(millis, 1000L) * 1_000_000).build();
  }

  /** Hosts that are silent, and that the last attempt did not switch off. */
  public long failing() {
    Map<HostId, Attempt> known;
    synchronized (this) {
      known = Map.copyOf(attempts);
    }
    return inventory.list().stream().filter(each -> !each.isUp() && !each.isConfirmedDead()).filter(each -> {
      Attempt attempt = known.get(each.id());
      // While it is tried again, too: an alarm does not come and go.
      return attempt != null && attempt.failures() > 0
          && attempt.incarnation().equals(each.incarnation().value());
    }).count();
  }

  /** What one device came to: one of both. */
  private record Ended<T>(@Nullable T result, @Nullable String failure) {
  }

  private interface Work<T> {
    T of(FenceDevice device) throws FenceException, InterruptedException;
  }

  /** Has all devices do it at the same time, each in bounded time. */
  private <T> List<Ended<T>> atOnce(String name, List<FenceDevice> all, Work<T> work) throws InterruptedException {
    Map<Integer, Ended<T>> ended = new ConcurrentHashMap<>();
    List<Task> tasks = new ArrayList<>();
    try {
      for (int i = 0; i < all.size(); i++) {
        int number = i;
        FenceDevice device = all.get(i);
        // Files of secrets may be on storage that hangs.
        tasks
            .add(scheduler.startBlocking("%s-%d".formatted(name, i + 1), () -> ended.put(number, ended(device, work))));
      }
      Deadline end = Deadline.after(PATIENCE, scheduler);
      for (Task each : tasks) {
        boolean _ = each.join(Duration.ofNanos(end.remainingNanos()));
      }
    } finally {
      // Who did not end in time, or if this one is to end.
      tasks.stream().filter(Task::isAlive).forEach(Task::interrupt);
    }
    List<Ended<T>> results = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      results.add(ended.getOrDefault(i, new Ended<>(null, all.get(i).getAgent() + " did not end in time")));
    }
    return results;
  }

  private <T> Ended<T> ended(FenceDevice device, Work<T> work) {
    try {
      return new Ended<>(work.of(device), null);
    } catch (FenceException e) {
      return new Ended<>(null, e.getMessage());
    } catch (InterruptedException e) {
      scheduler.current().interrupt();
      return new Ended<>(null, device.getAgent() + " was interrupted");
    } catch (RuntimeException | Error e) {
      log.error("fence agent {} could not be run", device.getAgent(), e);
      return new Ended<>(null, "%s could not be run: %s".formatted(device.getAgent(), e));
    }
  }
}
