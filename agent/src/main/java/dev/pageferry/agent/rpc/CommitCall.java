package dev.pageferry.agent.rpc;

import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.proto.registry.v1.CommitAnswer;
import dev.pageferry.proto.registry.v1.CommitRequest;
import dev.pageferry.proto.registry.v1.CommitStep;
import dev.pageferry.proto.registry.v1.Decision;
import dev.pageferry.proto.registry.v1.OwnershipGrpc.OwnershipStub;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The question for a commit, begun ahead: when it is asked the call has been made, and one message goes each way. The headers and
 * threads of a new call would cost a guest that is paused about as much as the decision does.
 */
final class CommitCall implements ClientResponseObserver<CommitStep, CommitAnswer> {
  /** A pause that is longer is rare, and its commit asked by a call of its own. */
  private static final Duration KEPT = Duration.ofSeconds(60);

  private final RecordsMemory memory;
  private final Scheduler scheduler;
  private final long startNanos;
  private final Duration prepareAtMost;
  private final Promise<Duration> reached;
  private final Promise<Decision> decided;
  private final Consumer<Promise<Duration>> onUnknown;
  private final Consumer<CommitCall> onOver;
  private volatile boolean over;
  private volatile @Nullable ClientCallStreamObserver<CommitStep> steps;

  /**
   * @param prepareAtMost the coordinator is to have answered by then
   * @param onUnknown told that this coordinator, of the version before, has no such call; it is to settle the promise
   * @param onOver told, perhaps twice, that nothing more comes of this; both are called by gRPC's threads
   */
  CommitCall(RecordsMemory memory, Scheduler scheduler, Duration prepareAtMost,
      Consumer<Promise<Duration>> onUnknown, Consumer<CommitCall> onOver) {
    this.memory = memory;
    this.scheduler = scheduler;
    this.startNanos = scheduler.nanos();
    this.prepareAtMost = prepareAtMost;
    this.reached = scheduler.newPromise();
    this.decided = scheduler.newPromise();
    this.onUnknown = onUnknown;
    this.onOver = onOver;
  }

  /**
   * Makes the call.
   *
   * @param decideAtMost how long it may be waited for an answer, once it is asked
   * @return the time until the coordinator answered; a failure where it does not in time
   */
  Promise<Duration> open(OwnershipStub stub, Duration decideAtMost) {
    // What is called back waits for nothing, so that it needs no thread between the network's and the one that waits.
    stub.withExecutor(Runnable::run)
        .withDeadlineAfter(KEPT.plus(decideAtMost).toNanos(), TimeUnit.NANOSECONDS).preparedCommit(this)
        .onNext(CommitStep.getDefaultInstance());
    return reached;
  }

  private Duration sinceBegun() {
    return Duration.ofNanos(scheduler.nanos() - startNanos);
  }

  /** Whether it can be asked: an answer has its whole time from now on. */
  boolean isOpen() {
    return reached.now().isPresent() && !over && sinceBegun().compareTo(KEPT) <= 0;
  }

  /**
   * Asks. Once, while it {@linkplain #isOpen() can be}.
   *
   * @throws StatusRuntimeException without an answer, as a call of its own would
   */
  Decision commit(CommitRequest request, Duration atMost) throws InterruptedException {
    ClientCallStreamObserver<CommitStep> call = steps;
    if (call == null) {
      throw Status.UNAVAILABLE.withDescription("the call was not made").asRuntimeException();
    }
    try {
      call.onNext(CommitStep.newBuilder().setCommit(request).setSeen(memory.seen()).build());
      return decided.await(atMost).orElseThrow(() -> undecided(atMost));
    } finally {
      close();
    }
  }

  private StatusRuntimeException undecided(Duration atMost) {
    return decided.failure().map(Status::fromThrowable).orElseGet(() -> Status.DEADLINE_EXCEEDED
        .withDescription("nothing came within %d s".formatted(atMost.toSeconds()))).asRuntimeException();
  }

  /** It is of no use any more. Idempotent. */
  void close() {
    ClientCallStreamObserver<CommitStep> call = steps;
    if (!over && call != null) {
      over = true;
      call.cancel("not needed any more", null);
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
      if (answer.hasRecords()) {
        memory.heard(answer.getRecords());
      }
      over = true;
      decided.complete(answer.getDecision());
      return;
    }
    Duration taken = sinceBegun();
    if (taken.compareTo(prepareAtMost) > 0) {
      reached.fail(Status.DEADLINE_EXCEEDED.asRuntimeException());
    } else {
      reached.complete(taken);
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
