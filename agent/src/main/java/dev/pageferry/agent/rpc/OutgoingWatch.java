package dev.pageferry.agent.rpc;

import dev.pageferry.agent.migration.source.Departure;
import dev.pageferry.agent.migration.source.SourceStatus;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/** Tells a caller every state of a migration that leaves, until the last one or until the caller is gone. */
final class OutgoingWatch {
  private OutgoingWatch() {
  }

  static void begin(Departure migration, StreamObserver<OutgoingStatus> observer) {
    AtomicReference<Consumer<SourceStatus>> follower = new AtomicReference<>();
    follower.set(status -> {
      observer.onNext(StatusMessages.outgoing(status));
      if (status.state().isFinal()) {
        observer.onCompleted();
        migration.unfollow(follower.get());
      }
    });
    ((ServerCallStreamObserver<OutgoingStatus>) observer).setOnCancelHandler(() -> migration.unfollow(follower.get()));
    migration.follow(follower.get());
  }
}
