package dev.pageferry.coordinator.rpc;

import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.registry.v1.CommitAnswer;
import dev.pageferry.proto.registry.v1.CommitStep;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;

/** One call that asks for a commit in two steps: one that says that it will, and one that does. gRPC calls it by one thread at a time. */
final class PreparedCommit implements StreamObserver<CommitStep> {
  private final StreamObserver<CommitAnswer> observer;
  private final Decider decider;
  private boolean prepared;
  private boolean over;

  /** Decides what the second step asks. */
  interface Decider {
    CommitAnswer decide(CommitStep step) throws RequestException, InterruptedException;
  }

  PreparedCommit(StreamObserver<CommitAnswer> observer, Decider decider) {
    this.observer = observer;
    this.decider = decider;
  }

  @Override
  public void onNext(CommitStep step) {
    if (over) {
      return;
    }
    if (step.hasCommit()) {
      over = true;
      CoordinatorReplies.answer(observer, () -> decider.decide(step));
    } else if (prepared) {
      over = true;
      observer.onError(Status.INVALID_ARGUMENT.withDescription("a second step that asks for nothing")
          .asRuntimeException());
    } else {
      prepared = true;
      observer.onNext(CommitAnswer.getDefaultInstance());
    }
  }

  @Override
  public void onError(Throwable cause) {
    // The caller needs it no more, or is gone.
    over = true;
  }

  @Override
  public void onCompleted() {
    if (!over) {
      over = true;
      observer.onCompleted();
    }
  }
}
