package dev.pageferry.simulation;

import com.google.protobuf.MessageLite;
import dev.pageferry.agent.migration.IncomingDirectory;
import dev.pageferry.agent.migration.MigrationConnector;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.migration.v1.Hello;
import dev.pageferry.proto.migration.v1.Refusal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.Consumer;

/** The connections between the two sides of migrations. They keep what is sent in order, or break. */
final class SimulatedLinks {
  private static final int LATENCY_NANOS = 1_000_000;
  /** From a gigabit a second to a slow line. */
  private static final double[] NANOS_PER_BYTE = {8, 80, 800};

  private final Baton baton;
  private final SplittableRandom random;
  private final Map<String, Listener> listeners = new TreeMap<>();
  private final List<SimulatedLink> links = new ArrayList<>();
  private final double nanosPerByte;
  private int cuts;
  private String fatalMessage = "";
  private boolean fatalArrives;
  /** On the world's clock: until then nothing arrives anywhere. */
  private long haltedUntilNanos;
  private Consumer<MessageLite> watcher = message -> {
  };

  private record Listener(SimulatedScheduler host, IncomingDirectory directory) {
  }

  SimulatedLinks(Baton baton) {
    this.baton = baton;
    this.random = baton.newRandom();
    this.nanosPerByte = NANOS_PER_BYTE[random.nextInt(NANOS_PER_BYTE.length)];
  }

  void listen(HostPort address, SimulatedScheduler host, IncomingDirectory directory) {
    listeners.put(address.toString(), new Listener(host, directory));
  }

  /** Breaks every connection that is open: what is under way is lost, and each end notices when it misses the other. */
  void cut() {
    links.stream().filter(SimulatedLink::isWhole).forEach(each -> {
      cuts++;
      each.cut();
    });
  }

  /** A host has died: whoever had a connection to it notices when it misses its peer. */
  void died(SimulatedScheduler host) {
    links.stream().filter(each -> each.isWhole() && each.isOf(host)).forEach(SimulatedLink::cut);
  }

  /** Breaks the connection when a message of that kind is sent: it arrives, or it does not. */
  void cutOn(String message, boolean arrives) {
    fatalMessage = message;
    fatalArrives = arrives;
  }

  /** What is sent for a while arrives behind it, in order: links stay whole. */
  void halt(Duration time) {
    haltedUntilNanos = Math.max(haltedUntilNanos, baton.nanos() + time.toNanos());
  }

  /** Called with every message of the control streams, as it is sent. */
  void watch(Consumer<MessageLite> listener) {
    watcher = listener;
  }

  void sent(SimulatedLink link, MessageLite message) {
    watcher.accept(message);
    if (message.getClass().getSimpleName().equals(fatalMessage) && link.isWhole()) {
      fatalMessage = "";
      cuts++;
      if (fatalArrives) {
        baton.at(baton.nanos() + 2 * LATENCY_NANOS, "link", "breaks behind a message", link::cut);
      } else {
        link.cut();
      }
    }
  }

  int cuts() {
    return cuts;
  }

  double nanosPerByte() {
    return nanosPerByte;
  }

  long latencyNanos() {
    return Math.max(0, haltedUntilNanos - baton.nanos()) + LATENCY_NANOS / 4 + random.nextLong(LATENCY_NANOS);
  }

  SplittableRandom random() {
    return random;
  }

  MigrationConnector connector(SimulatedScheduler host) {
    return (migration, name, destination, deadline) -> {
      Listener listener = listeners.get(destination.toString());
      Promise<SimulatedLink> connected = host.newPromise();
      baton.at(baton.nanos() + 2 * latencyNanos(), host.name(), "connected", () -> {
        if (listener != null && !listener.host().isSealed()) {
          SimulatedLink link = new SimulatedLink(baton, this, host, listener.host());
          links.add(link);
          link.firstMessage(message -> admit(listener, link, message));
          connected.complete(link);
        }
      });
      return connected.await(Duration.ofNanos(deadline.remainingNanos()))
          .orElseThrow(() -> new MigrationFailure.PeerLost(FailureCode.DESTINATION_LOST,
              "nobody answers at %s".formatted(destination)))
          .source();
    };
  }

  private static void admit(Listener listener, SimulatedLink link, MessageLite message) {
    try {
      listener.directory().admit((Hello) message, link.destination());
    } catch (MigrationFailure e) {
      link.destination().send(Refusal.newBuilder().setCode(e.code().name()).setMessage(e.getMessage()).build());
      link.destination().close();
    }
  }

  static Duration left(Deadline deadline) {
    return Duration.ofNanos(deadline.remainingNanos());
  }
}
