package dev.pageferry.coordinator.rpc;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.history.RecordsHistory;
import dev.pageferry.coordinator.ownership.HostQuestions;
import dev.pageferry.coordinator.ownership.LiveHosts;
import dev.pageferry.coordinator.ownership.OwnershipEvent;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.proto.registry.v1.CommitAnswer;
import dev.pageferry.proto.registry.v1.CommitRequest;
import dev.pageferry.proto.registry.v1.CommitStep;
import dev.pageferry.proto.registry.v1.Decision;
import dev.pageferry.proto.registry.v1.GiveBackRequest;
import dev.pageferry.proto.registry.v1.NoteSavedRequest;
import dev.pageferry.proto.registry.v1.OwnershipGrpc;
import dev.pageferry.proto.registry.v1.ProbeRequest;
import dev.pageferry.proto.registry.v1.ProbeResponse;
import dev.pageferry.proto.registry.v1.RecordsSeen;
import dev.pageferry.proto.registry.v1.ResolveRequest;
import dev.pageferry.proto.registry.v1.StartedRequest;
import dev.pageferry.proto.registry.v1.TakeOverRequest;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** The ownership rows, as agents ask them. */
public final class OwnershipService extends OwnershipGrpc.OwnershipImplBase {
  /** Far more than hosts remember, in this version and in later ones. */
  private static final int MAX_STARTS = 64;

  private final HostQuestions questions;
  private final RecordsHistory history;

  /** @param isAdmitted asked of each host that is known by its certificate, whenever it asks */
  public OwnershipService(OwnershipLedger ledger, LiveHosts liveHosts, RecordsHistory history,
      Predicate<HostId> isAdmitted) {
    this.history = history;
    this.questions = new HostQuestions(ledger, liveHosts, isAdmitted);
  }

  @Override
  public void commit(CommitRequest request, StreamObserver<Decision> observer) {
    CoordinatorReplies.answer(observer, () -> commit(request));
  }

  private Decision commit(CommitRequest request) throws InterruptedException {
    return message(questions.commit(asking(), new VmId(request.getVmId()),
        new MigrationId(request.getMigrationId())));
  }

  @Override
  public StreamObserver<CommitStep> preparedCommit(StreamObserver<CommitAnswer> observer) {
    return new PreparedCommit(observer, this::decide);
  }

  /** What the caller has seen is looked at first, as for every other request, and of which records the answer is is read last. */
  private CommitAnswer decide(CommitStep step) throws InterruptedException {
    if (step.getSeen().getStampsCount() > MAX_STARTS) {
      throw new IllegalArgumentException(
          "%d starts of coordinators are more than %d".formatted(step.getSeen().getStampsCount(), MAX_STARTS));
    }
    requireOwn(step.getSeen());
    history.observe(step.getSeen());
    Decision decision = commit(step.getCommit());
    return CommitAnswer.newBuilder().setDecision(decision).setRecords(history.stamp()).build();
  }

  /** What another host has seen is not the caller's to tell. */
  static void requireOwn(RecordsSeen seen) {
    if (!seen.getHostId().isEmpty()) {
      HostQuestions.requireSelf(Caller.current().host(), new HostId(seen.getHostId()));
    }
  }

  @Override
  public void resolve(ResolveRequest request, StreamObserver<Decision> observer) {
    CoordinatorReplies.answer(observer,
        () -> message(questions.resolve(asking(), new VmId(request.getVmId()),
            new MigrationId(request.getMigrationId()), request.getFromDestination())));
  }

  @Override
  public void noteSaved(NoteSavedRequest request, StreamObserver<Decision> observer) {
    CoordinatorReplies.answer(observer,
        () -> message(questions.noteSaved(asking(), new VmId(request.getVmId()),
            new MigrationId(request.getMigrationId()))));
  }

  private static Optional<HostId> asking() {
    return Caller.current().host();
  }

  @Override
  public void giveBack(GiveBackRequest request, StreamObserver<Decision> observer) {
    CoordinatorReplies.answer(observer,
        () -> message(questions.giveBack(asking(), new VmId(request.getVmId()),
            new MigrationId(request.getMigrationId()))));
  }

  @Override
  public void started(StartedRequest request, StreamObserver<Decision> observer) {
    CoordinatorReplies.answer(observer, () -> message(questions.started(asking(), new VmId(request.getVmId()),
        new OwnershipEvent.Started(new HostId(request.getHostId()), new Incarnation(request.getIncarnation()),
            new OwnershipEpoch(request.getEpoch())))));
  }

  @Override
  public void takeOver(TakeOverRequest request, StreamObserver<Decision> observer) {
    CoordinatorReplies.answer(observer, () -> message(questions.takeOver(asking(), new VmId(request.getVmId()),
        new OwnershipEvent.TakeOver(new HostId(request.getHostId()), new Incarnation(request.getIncarnation()),
            request.getEndedIncarnationsList().stream().map(Incarnation::new).collect(Collectors.toSet())))));
  }

  @Override
  public void probe(ProbeRequest request, StreamObserver<ProbeResponse> observer) {
    CoordinatorReplies.answer(observer, ProbeResponse::getDefaultInstance);
  }

  /**
   * An agent of the version before destroys its copy where it hears UNKNOWN, though these records may be older than its
   * question: it gets no answer then. Where the VM was deleted, UNKNOWN is right for it.
   */
  private static Decision message(OwnershipLedger.Decision decision) {
    boolean ofThisVersion = CallersVersion.isThis();
    Decision.Outcome outcome = switch (decision.outcome()) {
      case COMMITTED -> Decision.Outcome.COMMITTED;
      case ABORTED -> Decision.Outcome.ABORTED;
      case TAKEN_BACK -> Decision.Outcome.TAKEN_BACK;
      case PENDING -> Decision.Outcome.PENDING;
      case DELETED -> ofThisVersion ? Decision.Outcome.DELETED : Decision.Outcome.UNKNOWN;
      case UNKNOWN -> Decision.Outcome.UNKNOWN;
    };
    if (decision.outcome() == OwnershipLedger.Outcome.UNKNOWN && !ofThisVersion) {
      throw Status.UNAVAILABLE
          .withDescription("these records know nothing of that; they may be older than the question")
          .asRuntimeException();
    }
    return Decision.newBuilder().setOutcome(outcome).setOwnerHost(decision.ownerHost()).setEpoch(decision.epoch())
        .build();
  }
}
