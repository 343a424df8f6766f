package dev.pageferry.agent.rpc;

import dev.pageferry.agent.ownership.OwnershipClient.UnreachableException;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.proto.registry.v1.CommitAnswer;
import dev.pageferry.proto.registry.v1.CommitRequest;
import dev.pageferry.proto.registry.v1.CommitStep;
import dev.pageferry.proto.registry.v1.Decision;
import dev.pageferry.proto.registry.v1.OwnershipGrpc.OwnershipStub;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * The question for a commit, begun ahead: when it is asked the call has been made, and only a word goes over and one comes
 * back. The headers and threads of a new call would cost a guest that is paused about as much as the decision does.
 */
final class CommitCall implements ClientResponseObserver<CommitStep, CommitAnswer> {
  private final RecordsMemory memory;
  private final Supplier<Duration> sinceBegun;
  private final Promise<Duration> reached;
  private final Promise<Decision> decided;
  private final Consumer<Promise<Duration>> onUnknown;
  private final Consumer<CommitCall> onOver;
  private volatile boolean over;
  @SuppressWarnings("NullAway.Init") // by open()
  private volatile ClientCallStreamObserver<CommitStep> steps;

  /**
   * @param onUnknown told that this coordinator, of the version before, has no such call; it is to settle the promise
   * @param onOver told, perhaps twice, that nothing more comes of this; both are called by gRPC's threads
   */
  CommitCall(RecordsMemory memory, Scheduler scheduler, Consumer<Promise<Duration>> onUnknown,
      Consumer<CommitCall> onOver) {
    long start = scheduler.nanos();
    this.memory = memory;
    this.sinceBegun = () -> Duration.ofNanos(scheduler.nanos() - start);
    this.reached = scheduler.newPromise();
    this.decided = scheduler.newPromise();
    this.onUnknown = onUnknown;
    this.onOver = onOver;
  }

  /**
   * Makes the call.
   *
   * @param stub with the deadline by which it was asked, or is of no use any more
   * @return the time until the coordinator answered
   */
  Promise<Duration> open(OwnershipStub stub) {
    stub.preparedCommit(this).onNext(CommitStep.getDefaultInstance());
    return reached;
  }

  /** Whether it can be asked. */
  boolean isOpen() {
    return reached.now().isPresent() && !over;
  }

  /** Asks. Once. */
  Decision commit(CommitRequest request, Duration atMost) throws UnreachableException, InterruptedException {
    try {
      steps.onNext(CommitStep.newBuilder().setCommit(request).setSeen(memory.seen()).build());
      return decided.await(atMost).orElseThrow(() -> undecided(atMost));
    } finally {
      close();
    }
  }

  private UnreachableException undecided(Duration atMost) {
    Throwable cause = decided.failure().orElseGet(() -> Status.DEADLINE_EXCEEDED
        .withDescription("nothing came within %d s".formatted(atMost.toSeconds())).asRuntimeException());
    return new UnreachableException("the coordinator did not answer: " + cause.getMessage(), cause);
  }

  /** It is of no use any more. Idempotent. */
  void close() {
    if (!over) {
      over = true;
      steps.cancel("not needed any more", null);
    }
    onOver.accept(this);
  }

  @Override
  public void beforeStart(ClientCallStreamObserver<CommitStep> call) {
    steps = call;
  }

  @Override
  public void onNext(CommitAnswer answer) {
    if (answer.hasDecision()) {
      memory.heard(answer.getRecords());
      over = true;
      decided.complete(answer.getDecision());
    } else {
      reached.complete(sinceBegun.get());
    }
  }

  @Override
  public void onError(Throwable cause) {
    over = true;
    decided.fail(cause);
    onOver.accept(this);
    if (Status.fromThrowable(cause).getCode() == Status.Code.UNIMPLEMENTED) {
      onUnknown.accept(reached);
    } else {
      reached.fail(cause);
    }
  }

  @Override
  public void onCompleted() {
    onError(Status.UNAVAILABLE.withDescription("the call ended without a decision").asRuntimeException());
  }
}
