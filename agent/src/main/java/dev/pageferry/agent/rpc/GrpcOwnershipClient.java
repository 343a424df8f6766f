package dev.pageferry.agent.rpc;

import dev.pageferry.agent.ownership.OwnershipClient;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.registry.v1.CommitRequest;
import dev.pageferry.proto.registry.v1.GiveBackRequest;
import dev.pageferry.proto.registry.v1.NoteSavedRequest;
import dev.pageferry.proto.registry.v1.OwnershipGrpc;
import dev.pageferry.proto.registry.v1.ProbeRequest;
import dev.pageferry.proto.registry.v1.ProbeResponse;
import dev.pageferry.proto.registry.v1.ResolveRequest;
import dev.pageferry.proto.registry.v1.StartedRequest;
import dev.pageferry.proto.registry.v1.TakeOverRequest;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;

/** The ownership row, asked over gRPC. */
final class GrpcOwnershipClient implements OwnershipClient {
  /** One attempt; the loop of attempts is the caller's. */
  private static final Duration ATTEMPT = Duration.ofSeconds(3);
  /** The coordinator gives out no such ids. */
  private static final VmId NOBODY = new VmId("rehearsal");
  private static final MigrationId NEVER = new MigrationId("rehearsal");

  private final ManagedChannel channel;
  private final HostId host;
  private final Incarnation incarnation;
  private final Scheduler scheduler;
  private final OwnershipGrpc.OwnershipBlockingStub blocking;
  private final OwnershipGrpc.OwnershipStub async;
  private final RecordsMemory memory;
  /** At most one of each move; each is over by its deadline, and not here any more. */
  private final ConcurrentMap<MigrationId, CommitCall> prepared = new ConcurrentHashMap<>();

  GrpcOwnershipClient(ManagedChannel channel, RecordsMemory memory, HostId host, Incarnation incarnation,
      Scheduler scheduler) {
    this.channel = channel;
    this.host = host;
    this.incarnation = incarnation;
    this.scheduler = scheduler;
    this.memory = memory;
    this.blocking = OwnershipGrpc.newBlockingStub(channel).withInterceptors(memory);
    this.async = OwnershipGrpc.newStub(channel).withInterceptors(memory);
  }

  @Override
  public Decision commit(VmId vm, MigrationId migration) throws NoAnswerException, InterruptedException {
    CommitRequest request = CommitRequest.newBuilder().setVmId(vm.value()).setMigrationId(migration.value()).build();
    CommitCall call = prepared.remove(migration);
    if (call == null) {
      return ask(() -> stub().commit(request));
    }
    if (!call.isOpen()) {
      call.close();
      return ask(() -> stub().commit(request));
    }
    return ask(() -> call.commit(request, ATTEMPT));
  }

  @Override
  public Promise<Duration> prepareCommit(VmId vm, MigrationId migration, Duration atMost) {
    CommitCall call = new CommitCall(memory, scheduler, atMost, reached -> probe(atMost, reached),
        over -> prepared.remove(migration, over));
    CommitCall before = prepared.put(migration, call);
    if (before != null) {
      before.close();
    }
    try {
      return call.open(async, ATTEMPT);
    } catch (RuntimeException | Error e) {
      call.close();
      throw e;
    }
  }

  @Override
  public void dropCommit(MigrationId migration) {
    CommitCall call = prepared.get(migration);
    if (call != null) {
      call.close();
    }
  }

  @Override
  public Decision resolve(VmId vm, MigrationId migration) throws NoAnswerException, InterruptedException {
    return ask(() -> stub()
        .resolve(ResolveRequest.newBuilder().setVmId(vm.value()).setMigrationId(migration.value()).build()));
  }

  @Override
  public Decision resolveAtDestination(VmId vm, MigrationId migration) throws NoAnswerException, InterruptedException {
    return ask(() -> stub().resolve(ResolveRequest.newBuilder().setVmId(vm.value()).setMigrationId(migration.value())
        .setFromDestination(true).build()));
  }

  @Override
  public Decision noteSaved(VmId vm, MigrationId migration) throws NoAnswerException, InterruptedException {
    return ask(() -> stub()
        .noteSaved(NoteSavedRequest.newBuilder().setVmId(vm.value()).setMigrationId(migration.value()).build()));
  }

  @Override
  public Decision giveBack(VmId vm, MigrationId migration) throws NoAnswerException, InterruptedException {
    return ask(() -> stub()
        .giveBack(GiveBackRequest.newBuilder().setVmId(vm.value()).setMigrationId(migration.value()).build()));
  }

  @Override
  public Decision started(VmId vm, OwnershipEpoch epoch) throws NoAnswerException, InterruptedException {
    // A coordinator of the version before has hosts start VMs without being asked.
    return orIfUnknown(new Decision(Outcome.COMMITTED, host.value(), epoch.value()),
        () -> stub().started(StartedRequest.newBuilder().setVmId(vm.value()).setHostId(host.value())
            .setIncarnation(incarnation.value()).setEpoch(epoch.value()).build()));
  }

  @Override
  public Decision takeOver(VmId vm, List<Incarnation> before) throws NoAnswerException, InterruptedException {
    // For a coordinator of the version before what an agent had ends with it.
    return orIfUnknown(new Decision(Outcome.ABORTED, "", Long.MAX_VALUE),
        () -> stub().takeOver(TakeOverRequest.newBuilder().setVmId(vm.value()).setHostId(host.value())
            .setIncarnation(incarnation.value())
            .addAllEndedIncarnations(before.stream().map(Incarnation::value).toList()).build()));
  }

  /** @param otherwise the answer of a coordinator that does not know the question */
  private Decision orIfUnknown(Decision otherwise, Question question) throws NoAnswerException, InterruptedException {
    try {
      return ask(question);
    } catch (UnreachableException e) {
      if (e.getCause() instanceof StatusRuntimeException status
          && status.getStatus().getCode() == Status.Code.UNIMPLEMENTED) {
        return otherwise;
      }
      throw e;
    }
  }

  @Override
  public Promise<Duration> probe(Duration atMost) {
    Promise<Duration> answered = scheduler.newPromise();
    probe(atMost, answered);
    return answered;
  }

  private void probe(Duration atMost, Promise<Duration> answered) {
    long start = scheduler.nanos();
    async.withDeadlineAfter(Math.max(1, atMost.toMillis()), TimeUnit.MILLISECONDS).probe(
        ProbeRequest.getDefaultInstance(),
        new StreamObserver<>() {
          @Override
          public void onNext(ProbeResponse response) {
            answered.complete(Duration.ofNanos(scheduler.nanos() - start));
          }

          @Override
          public void onError(Throwable cause) {
            answered.fail(cause);
          }

          @Override
          public void onCompleted() {
            // The answer came before.
          }
        });
  }

  /** Asks for the commit of a move that no records have: all that a commit takes but the change, and nothing is decided. */
  void rehearseCommit() throws NoAnswerException, InterruptedException {
    if (prepareCommit(NOBODY, NEVER, ATTEMPT).await(ATTEMPT).isPresent()) {
      var _ = commit(NOBODY, NEVER);
    }
    // By a call of its own, as after a long pause, in a quick move, and whenever it is asked again.
    var _ = commit(NOBODY, NEVER);
  }

  private OwnershipGrpc.OwnershipBlockingStub stub() {
    return blocking.withDeadlineAfter(ATTEMPT.toMillis(), TimeUnit.MILLISECONDS);
  }

  private interface Question {
    dev.pageferry.proto.registry.v1.Decision ask() throws InterruptedException;
  }

  private Decision ask(Question question) throws NoAnswerException, InterruptedException {
    try {
      return decision(question.ask());
    } catch (StatusRuntimeException e) {
      throw noAnswer(e);
    }
  }

  private static Decision decision(dev.pageferry.proto.registry.v1.Decision answer) throws UnreachableException {
    Outcome outcome = switch (answer.getOutcome()) {
      case COMMITTED -> Outcome.COMMITTED;
      case ABORTED -> Outcome.ABORTED;
      case UNKNOWN -> Outcome.UNKNOWN;
      case TAKEN_BACK -> Outcome.TAKEN_BACK;
      case PENDING -> Outcome.PENDING;
      case DELETED -> Outcome.DELETED;
      // An outcome that only a later version knows: as if nothing had been answered.
      case OUTCOME_UNSPECIFIED, UNRECOGNIZED ->
        throw new UnreachableException("the coordinator's answer has no outcome",
            new IllegalStateException(answer.toString()));
    };
    return new Decision(outcome, answer.getOwnerHost(), answer.getEpoch());
  }

  private NoAnswerException noAnswer(StatusRuntimeException e) {
    // A coordinator that comes back should not wait for the channel's back-off, which grows to minutes.
    channel.resetConnectBackoff();
    String what = "%s %s".formatted(e.getStatus().getCode(), e.getStatus().getDescription());
    Status.Code code = e.getStatus().getCode();
    return code == Status.Code.PERMISSION_DENIED || code == Status.Code.UNAUTHENTICATED
        ? new DeniedException(what, e)
        : new UnreachableException("the coordinator did not answer: " + what, e);
  }
}
