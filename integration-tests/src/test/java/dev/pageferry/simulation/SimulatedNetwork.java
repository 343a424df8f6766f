package dev.pageferry.simulation;

import dev.pageferry.common.concurrent.Promise;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Questions and answers between processes, which the network may lose, delay and repeat, each on its own. To the caller it
 * looks as gRPC does: an answer, or a status.
 */
final class SimulatedNetwork {
  /** What befalls a question. */
  enum Mishap {
    REQUEST_LOST,
    REQUEST_REPEATED,
    REPLY_LOST,
    REPLY_REPEATED,
    SLOW
  }

  private static final int LATENCY_NANOS = 2_000_000;
  private static final long SLOW_NANOS = 4_000_000_000L;

  private final Baton baton;
  private final SplittableRandom random;
  /** Per mille of all questions, until {@link #heal}. */
  private int mishapsPerMille;
  private final Map<String, Long> cutUntil = new TreeMap<>();
  private final Map<String, Long> arrivals = new TreeMap<>();
  private final Map<Mishap, Map<String, Integer>> counts = new EnumMap<>(Mishap.class);

  /** A server's method. */
  interface Method<S, Q, A> {
    void call(S server, Q request, StreamObserver<A> observer);
  }

  /** A process that may be there or not. */
  interface Place<S> {
    SimulatedScheduler process();

    /** What listens there; null: nothing does yet. */
    @Nullable
    S get();
  }

  SimulatedNetwork(Baton baton, int mishapsPerMille) {
    this.baton = baton;
    this.random = baton.newRandom();
    this.mishapsPerMille = mishapsPerMille;
  }

  void heal() {
    mishapsPerMille = 0;
    cutUntil.clear();
    baton.trace("network", "healed");
  }

  /** Nothing comes to this process or from it for a time. */
  void cut(SimulatedScheduler process, Duration time) {
    cutUntil.put(process.name(), baton.nanos() + time.toNanos());
    baton.trace("network", "%s is cut off for %d ms".formatted(process.name(), time.toMillis()));
  }

  boolean isCut(SimulatedScheduler process) {
    return cutUntil.getOrDefault(process.name(), 0L) > baton.nanos();
  }

  /** How often what befell which question. */
  Map<Mishap, Map<String, Integer>> counts() {
    return counts;
  }

  private boolean befalls(Mishap mishap, String what) {
    if (random.nextInt(1000) >= mishapsPerMille) {
      return false;
    }
    counts.computeIfAbsent(mishap, unused -> new TreeMap<>()).merge(what, 1, Integer::sum);
    baton.trace("network", "%s of %s".formatted(mishap, what));
    return true;
  }

  long latencyNanos(String what) {
    long latency = LATENCY_NANOS / 10 + random.nextLong(LATENCY_NANOS);
    return befalls(Mishap.SLOW, what) ? latency + random.nextLong(SLOW_NANOS) : latency;
  }

  /**
   * Asks another process, and waits for the answer.
   *
   * @throws StatusRuntimeException as the server says; DEADLINE_EXCEEDED if no answer comes in time; UNAVAILABLE if nobody is
   *     there
   */
  <S, Q, A> A ask(SimulatedScheduler from, Place<S> to, String what, Method<S, Q, A> method, Q request,
      Duration patience) {
    from.requireAlive();
    Promise<A> answer = from.newPromise();
    send(from, to, what, method, request, answer);
    if (befalls(Mishap.REQUEST_REPEATED, what)) {
      send(from, to, what, method, request, answer);
    }
    try {
      return answer.await(patience).orElseThrow(() -> answer.failure()
          .map(cause -> (StatusRuntimeException) cause)
          .orElseGet(() -> Status.DEADLINE_EXCEEDED.withDescription("no answer to " + what).asRuntimeException()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Status.CANCELLED.withDescription("interrupted").asRuntimeException();
    }
  }

  private <S, Q, A> void send(SimulatedScheduler from, Place<S> to, String what,
      Method<S, Q, A> method, Q request, Promise<A> answer) {
    if (isCut(from) || befalls(Mishap.REQUEST_LOST, what)) {
      return;
    }
    baton.at(baton.nanos() + latencyNanos(what), "network", what + " arrives", () -> {
      SimulatedScheduler process = to.process();
      if (isCut(process) || isCut(from)) {
        return;
      }
      S server = to.get();
      if (process.isSealed() || server == null) {
        reply(from, process, what, () -> answer.fail(Status.UNAVAILABLE.withDescription("nobody listens")
            .asRuntimeException()));
        return;
      }
      process.start("serve " + what, () -> method.call(server, request, new SimulatedCall<>() {
        @Override
        public void onNext(A value) {
          reply(from, process, what, () -> answer.complete(value));
        }

        @Override
        public void onError(Throwable cause) {
          reply(from, process, what, () -> answer.fail(cause));
        }

        @Override
        public void onCompleted() {
          // The answer came before.
        }
      }));
    });
  }

  /** Whether what is sent now on a connection is lost, and the connection with it. */
  boolean loses(String what) {
    return befalls(Mishap.REPLY_LOST, what);
  }

  /**
   * Something comes to another process over a connection, behind what came before.
   *
   * @param lost done instead where the connection breaks on the way
   */
  void later(SimulatedScheduler from, SimulatedScheduler to, String what, Runnable arrival, Runnable lost) {
    String connection = from.name() + ">" + to.name();
    long at = Math.max(arrivals.getOrDefault(connection, 0L) + 1, baton.nanos() + latencyNanos(what));
    arrivals.put(connection, at);
    baton.at(at, to.name(), what, () -> {
      if (!to.isSealed() && !isCut(to) && !isCut(from)) {
        arrival.run();
      } else {
        lost.run();
      }
    });
  }

  private void reply(SimulatedScheduler from, SimulatedScheduler process, String what, Runnable delivery) {
    if (isCut(process) || befalls(Mishap.REPLY_LOST, what)) {
      return;
    }
    deliver(from, what, delivery);
    if (befalls(Mishap.REPLY_REPEATED, what)) {
      deliver(from, what, delivery);
    }
  }

  private void deliver(SimulatedScheduler from, String what, Runnable delivery) {
    baton.at(baton.nanos() + latencyNanos(what), "network", "answer to " + what + " arrives", () -> {
      if (!isCut(from) && !from.isSealed()) {
        delivery.run();
      }
    });
  }
}
