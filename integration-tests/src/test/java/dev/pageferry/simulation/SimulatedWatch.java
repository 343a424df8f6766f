package dev.pageferry.simulation;

import dev.pageferry.common.concurrent.Signal;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A call whose answers come one after another, in order, until it ends or the connection breaks. */
final class SimulatedWatch<A> {
  /** As long as keep-alives need to find a connection dead. */
  private static final Duration KEEP_ALIVE = Duration.ofSeconds(12);

  private final SimulatedNetwork network;
  private final SimulatedScheduler client;
  private final SimulatedScheduler server;
  private final Queue<A> inbox = new ArrayDeque<>();
  private final Signal arrived;
  private @Nullable StatusRuntimeException failure;
  private boolean completed;
  private boolean broken;
  private Runnable onCancel = () -> {
  };

  SimulatedWatch(SimulatedNetwork network, SimulatedScheduler client, SimulatedScheduler server) {
    this.network = network;
    this.client = client;
    this.server = server;
    this.arrived = client.newSignal();
  }

  void open(Consumer<ServerCallStreamObserver<A>> call) {
    if (network.isCut(client) || network.isCut(server) || network.loses("watch")) {
      breakOff();
      return;
    }
    network.later(client, server, "watch begins",
        () -> server.start("serve watch", () -> call.accept(new Answers())), this::breakOff);
  }

  /** Hears every answer until the last; an interrupt ends it. */
  void hear(Consumer<A> updates) throws InterruptedException {
    while (true) {
      boolean unused = arrived.await(() -> !inbox.isEmpty() || completed || failure != null || isSilent(),
          KEEP_ALIVE);
      A next = inbox.poll();
      if (next != null) {
        updates.accept(next);
      } else if (completed) {
        return;
      } else if (failure != null) {
        throw failure;
      } else if (isSilent()) {
        cancel();
        throw Status.UNAVAILABLE.withDescription("the connection broke").asRuntimeException();
      }
    }
  }

  private boolean isSilent() {
    return broken || server.isSealed() || network.isCut(client) || network.isCut(server);
  }

  void cancel() {
    broken = true;
    onCancel.run();
  }

  private void breakOff() {
    broken = true;
    arrived.raise();
  }

  private void send(String what, Runnable delivery) {
    if (broken) {
      return;
    }
    if (network.isCut(client) || network.isCut(server) || network.loses("watch")) {
      breakOff();
      return;
    }
    network.later(server, client, what, () -> {
      if (!broken) {
        delivery.run();
        arrived.raise();
      }
    }, this::breakOff);
  }

  private final class Answers extends SimulatedCall<A> {
    @Override
    public void onNext(A value) {
      send("status arrives", () -> inbox.add(value));
    }

    @Override
    public void onError(Throwable cause) {
      send("refusal arrives", () -> failure = (StatusRuntimeException) cause);
    }

    @Override
    public void onCompleted() {
      send("watch ends", () -> completed = true);
    }

    @Override
    public boolean isCancelled() {
      return broken;
    }

    @Override
    public void setOnCancelHandler(Runnable handler) {
      onCancel = handler;
    }
  }
}
