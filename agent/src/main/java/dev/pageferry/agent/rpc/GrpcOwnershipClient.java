package dev.pageferry.agent.rpc;

import dev.pageferry.agent.migration.OwnershipClient;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.registry.v1.CommitRequest;
import dev.pageferry.proto.registry.v1.GiveBackRequest;
import dev.pageferry.proto.registry.v1.NoteSavedRequest;
import dev.pageferry.proto.registry.v1.OwnershipGrpc;
import dev.pageferry.proto.registry.v1.ProbeRequest;
import dev.pageferry.proto.registry.v1.ProbeResponse;
import dev.pageferry.proto.registry.v1.ResolveRequest;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** The ownership row, asked over gRPC. */
final class GrpcOwnershipClient implements OwnershipClient {
  /** One attempt; the loop of attempts is the caller's. */
  private static final Duration ATTEMPT = Duration.ofSeconds(3);

  private final ManagedChannel channel;
  private final OwnershipGrpc.OwnershipBlockingStub blocking;
  private final OwnershipGrpc.OwnershipStub async;

  GrpcOwnershipClient(ManagedChannel channel) {
    this.channel = channel;
    this.blocking = OwnershipGrpc.newBlockingStub(channel);
    this.async = OwnershipGrpc.newStub(channel);
  }

  @Override
  public Decision commit(VmId vm, MigrationId migration) throws UnreachableException {
    return ask(
        () -> stub().commit(CommitRequest.newBuilder().setVmId(vm.value()).setMigrationId(migration.value()).build()));
  }

  @Override
  public Decision resolve(VmId vm, MigrationId migration) throws UnreachableException {
    return ask(() -> stub()
        .resolve(ResolveRequest.newBuilder().setVmId(vm.value()).setMigrationId(migration.value()).build()));
  }

  @Override
  public Decision resolveAtDestination(VmId vm, MigrationId migration) throws UnreachableException {
    return ask(() -> stub().resolve(ResolveRequest.newBuilder().setVmId(vm.value()).setMigrationId(migration.value())
        .setFromDestination(true).build()));
  }

  @Override
  public Decision noteSaved(VmId vm, MigrationId migration) throws UnreachableException {
    return ask(() -> stub()
        .noteSaved(NoteSavedRequest.newBuilder().setVmId(vm.value()).setMigrationId(migration.value()).build()));
  }

  @Override
  public Decision giveBack(VmId vm, MigrationId migration) throws UnreachableException {
    return ask(() -> stub()
        .giveBack(GiveBackRequest.newBuilder().setVmId(vm.value()).setMigrationId(migration.value()).build()));
  }

  @Override
  public CompletableFuture<Duration> probe(Duration atMost) {
    CompletableFuture<Duration> answered = new CompletableFuture<>();
    long start = System.nanoTime();
    async.withDeadlineAfter(Math.max(1, atMost.toMillis()), TimeUnit.MILLISECONDS).probe(
        ProbeRequest.getDefaultInstance(),
        new StreamObserver<>() {
          @Override
          public void onNext(ProbeResponse response) {
            answered.complete(Duration.ofNanos(System.nanoTime() - start));
          }

          @Override
          public void onError(Throwable cause) {
            answered.completeExceptionally(cause);
          }

          @Override
          public void onCompleted() {
            // The answer came before.
          }
        });
    return answered;
  }

  private OwnershipGrpc.OwnershipBlockingStub stub() {
    return blocking.withDeadlineAfter(ATTEMPT.toMillis(), TimeUnit.MILLISECONDS);
  }

  private Decision ask(Supplier<dev.pageferry.proto.registry.v1.Decision> question) throws UnreachableException {
    try {
      dev.pageferry.proto.registry.v1.Decision answer = question.get();
      Outcome outcome = switch (answer.getOutcome()) {
        case COMMITTED -> Outcome.COMMITTED;
        case ABORTED -> Outcome.ABORTED;
        case UNKNOWN, DELETED -> Outcome.UNKNOWN;
        case TAKEN_BACK -> Outcome.TAKEN_BACK;
        case PENDING -> Outcome.PENDING;
        // An answer of a later version that this one does not understand is no answer.
        case OUTCOME_UNSPECIFIED, UNRECOGNIZED ->
          throw new UnreachableException("the coordinator's answer has no outcome",
              new IllegalStateException(answer.toString()));
      };
      return new Decision(outcome, answer.getOwnerHost(), answer.getEpoch());
    } catch (StatusRuntimeException e) {
      // A coordinator that comes back should not wait for the channel's back-off, which grows to minutes.
      channel.resetConnectBackoff();
      throw new UnreachableException(
          "the coordinator did not answer: %s %s".formatted(e.getStatus().getCode(), e.getStatus().getDescription()),
          e);
    }
  }
}
