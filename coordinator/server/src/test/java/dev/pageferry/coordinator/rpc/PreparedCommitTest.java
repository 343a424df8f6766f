package dev.pageferry.coordinator.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.registry.v1.CommitAnswer;
import dev.pageferry.proto.registry.v1.CommitRequest;
import dev.pageferry.proto.registry.v1.CommitStep;
import dev.pageferry.proto.registry.v1.Decision.Outcome;
import dev.pageferry.proto.registry.v1.OwnershipGrpc;
import dev.pageferry.proto.registry.v1.RecordsSeen;
import dev.pageferry.proto.registry.v1.RecordsStamp;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Commits whose call was made ahead. */
@Timeout(60)
class PreparedCommitTest extends ServedSiteFixture {
  private static final String END = "end";

  private final BlockingQueue<Object> answers = new LinkedBlockingQueue<>();
  private FakeSite site;
  private Migration migration;
  private CommitRequest commit;
  private StreamObserver<CommitStep> call;

  @BeforeEach
  void prepare() throws Exception {
    site = served.site();
    site.createVm("db", "a");
    migration = site.migrate("db", "b");
    commit = CommitRequest.newBuilder().setVmId(site.vmId("db").value()).setMigrationId(migration.getId()).build();
    call = OwnershipGrpc.newStub(served.channel()).withInterceptors(ServedSite.seen(RecordsSeen.getDefaultInstance()))
        .preparedCommit(new StreamObserver<>() {
          @Override
          public void onNext(CommitAnswer answer) {
            answers.add(answer);
          }

          @Override
          public void onError(Throwable cause) {
            answers.add(Status.fromThrowable(cause));
          }

          @Override
          public void onCompleted() {
            answers.add(END);
          }
        });
    call.onNext(CommitStep.getDefaultInstance());
    assertThat(next()).isEqualTo(CommitAnswer.getDefaultInstance());
  }

  private @Nullable Object next() throws InterruptedException {
    return answers.poll(20, TimeUnit.SECONDS);
  }

  @Test
  void nothingIsDecidedBeforeItIsAsked() {
    assertThat(site.owner("db")).containsExactly("a", 1L, migration.getId());
  }

  @Test
  void theDecisionEndsTheCallAndSaysOfWhichRecordsItIs() throws Exception {
    call.onNext(CommitStep.newBuilder().setCommit(commit).build());

    assertThat(next()).isInstanceOfSatisfying(CommitAnswer.class, answer -> {
      assertThat(answer.getDecision().getOutcome()).isEqualTo(Outcome.COMMITTED);
      assertThat(answer.getDecision().getEpoch()).isEqualTo(2);
      assertThat(answer.getRecords()).isEqualTo(site.history().stamp());
    });
    assertThat(next()).isEqualTo(END);
    assertThat(site.owner("db")).containsExactly("b", 2L);
  }

  @Test
  void aMoveThatWasAbortedMeanwhileIsNotCommitted() throws Exception {
    site.ledger().resolve(site.vmId("db"), new dev.pageferry.common.identity.MigrationId(migration.getId()));
    call.onNext(CommitStep.newBuilder().setCommit(commit).build());

    assertThat(next()).isInstanceOfSatisfying(CommitAnswer.class,
        answer -> assertThat(answer.getDecision().getOutcome()).isEqualTo(Outcome.ABORTED));
    assertThat(site.owner("db")).containsExactly("a", 1L);
  }

  /** Looked at when the commit is asked, and not only when the call was made. */
  @Test
  void whatTheCallerHasSeenSinceProvesTheRecordsOldBeforeTheyDecide() throws Exception {
    RecordsStamp later = site.history().stamp().toBuilder().setRevision(site.history().stamp().getRevision() + 100)
        .build();
    call.onNext(CommitStep.newBuilder().setCommit(commit)
        .setSeen(RecordsSeen.newBuilder().setHostId("a").addStamps(later)).build());

    assertThat(next()).isInstanceOfSatisfying(Status.class, status -> {
      assertThat(status.getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
      assertThat(status.getDescription()).contains("went back in time");
    });
    assertThat(site.owner("db")).containsExactly("a", 1L, migration.getId());
  }

  @Test
  void aCallerThatEndsTheCallBehindItsQuestionIsAnsweredAllTheSame() throws Exception {
    call.onNext(CommitStep.newBuilder().setCommit(commit).build());
    call.onNext(CommitStep.newBuilder().setCommit(commit).build());
    call.onCompleted();

    assertThat(next()).isInstanceOfSatisfying(CommitAnswer.class,
        answer -> assertThat(answer.getDecision().getOutcome()).isEqualTo(Outcome.COMMITTED));
    assertThat(next()).isEqualTo(END);
  }

  @Test
  void stepsThatAskForNothingAreNotAnsweredAgainAndAgain() throws Exception {
    call.onNext(CommitStep.getDefaultInstance());
    assertThat(next()).isInstanceOfSatisfying(Status.class,
        status -> assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT));
  }

  @Test
  void moreThanAHostCanHaveSeenIsRefused() throws Exception {
    RecordsSeen.Builder seen = RecordsSeen.newBuilder().setHostId("a");
    for (int i = 0; i < 65; i++) {
      seen.addStamps(RecordsStamp.newBuilder().setStartId("start-" + i));
    }
    call.onNext(CommitStep.newBuilder().setCommit(commit).setSeen(seen).build());
    assertThat(next()).isInstanceOfSatisfying(Status.class,
        status -> assertThat(status.getDescription()).contains("65 starts of coordinators are more than 64"));
    assertThat(site.history().isInTrouble()).isFalse();
  }

  @Test
  void aCallThatIsEndedUnaskedChangesNothing() throws Exception {
    call.onCompleted();
    assertThat(next()).isEqualTo(END);
    assertThat(site.owner("db")).containsExactly("a", 1L, migration.getId());
  }
}
