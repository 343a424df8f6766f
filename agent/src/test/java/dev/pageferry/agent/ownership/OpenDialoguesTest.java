package dev.pageferry.agent.ownership;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.ownership.OwnershipClient.Decision;
import dev.pageferry.agent.ownership.OwnershipClient.Outcome;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Whoever waits for a ruling hears what the coordinator says of its VM, and operators hear of whoever waits. */
@Timeout(60)
class OpenDialoguesTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final VmId VM = new VmId("vm-1");
  private static final MigrationId OPERATION = new MigrationId("s-1");
  private static final OwnershipEpoch MINE = new OwnershipEpoch(3);

  private final ScriptedRow row = new ScriptedRow();
  private final OpenDialogues open = new OpenDialogues();
  private final OwnershipDialogue.Listener unheard = new OwnershipDialogue.Listener() {
    @Override
    public void waits(Ruling.Unsettled ruling) {
      // The tests look at the doubts.
    }

    @Override
    public void ruled(Ruling.Final ruling) {
      // The tests ask for it.
    }
  };
  private final OwnershipDialogue saver = OwnershipDialogue.ofSaver(
      new OwnershipDialogue.Line(row, Scheduler.SYSTEM, new Random(1), open), VM, OPERATION, MINE, unheard);

  private Promise<Ruling.Final> commit() {
    Promise<Ruling.Final> end = Scheduler.SYSTEM.newPromise();
    var unused = Scheduler.SYSTEM.start("commit", () -> {
      try {
        end.complete(saver.commit(() -> true));
      } catch (InterruptedException e) {
        end.fail(e);
      }
    });
    return end;
  }

  private static Decision decision(Outcome outcome, long epoch) {
    return new Decision(outcome, "here", epoch);
  }

  @Test
  void aSaveThatTheRecordsDoNotKnowEndsByTheCoordinatorsWordOfItsVm() throws Exception {
    row.resolved(decision(Outcome.UNKNOWN, 0));
    Promise<Ruling.Final> end = commit();
    await().until(() -> !open.doubts().isEmpty());
    open.hear(new VmId("another"), CoordinatorsWord.epochIsOver(MINE, false));
    open.hear(VM, CoordinatorsWord.epochIsOver(new OwnershipEpoch(2), false));
    assertThat(end.isSettled()).as("neither word is about it").isFalse();
    open.hear(VM, CoordinatorsWord.epochIsOver(MINE, false));

    assertThat(end.await(PATIENCE)).hasValueSatisfying(
        ruling -> assertThat(((Ruling.NotOurs) ruling).why()).isEqualTo(Ruling.NotOurs.Why.ORDERED));
    assertThat(open.doubts()).isEmpty();
  }

  @Test
  void aDoubtIsToldWithItsNewestReasonUntilThereIsARuling() throws Exception {
    Promise<Ruling.Final> end = commit();
    await().until(() -> !open.doubts().isEmpty());
    assertThat(open.doubts()).containsExactly(new OpenDialogues.Doubt(VM, OPERATION, MINE, "no answer"));
    row.resolved(decision(Outcome.PENDING, 3));
    await().until(() -> open.doubts().getFirst().reason().contains("nothing is decided"));
    row.resolved(decision(Outcome.ABORTED, 3));

    assertThat(end.await(PATIENCE)).isPresent();
    assertThat(open.doubts()).isEmpty();
  }

  @Test
  void aNoteThatTheRowHasHeardLeavesNoDoubt() throws Exception {
    row.resolved(decision(Outcome.PENDING, 3));
    assertThat(saver.noteSaved()).isEmpty();
    assertThat(open.doubts()).isEmpty();
  }

  @Test
  void whatIsAskedNowAndThenIsInDoubtInBetween() throws Exception {
    row.resolved(decision(Outcome.UNKNOWN, 0));
    assertThat(saver.askOnce()).isInstanceOf(Ruling.RecordsUnknown.class);
    assertThat(open.doubts()).hasSize(1);
    open.hear(VM, CoordinatorsWord.epochIsOver(MINE, false));
    assertThat(saver.askOnce()).isInstanceOf(Ruling.NotOurs.class);
    assertThat(open.doubts()).isEmpty();
  }

  @Test
  void aWordThatCameAheadOfTheFirstQuestionIsRemembered() throws Exception {
    row.resolved(decision(Outcome.UNKNOWN, 0));
    saver.listens();
    assertThat(open.doubts()).as("nothing is asked yet").isEmpty();
    open.hear(VM, CoordinatorsWord.epochIsOver(MINE, false));
    assertThat(saver.commit(() -> true)).isInstanceOf(Ruling.NotOurs.class);
    assertThat(open.doubts()).isEmpty();
  }

  @Test
  void aWordOfEarlierEpochsTakesNoLaterOneBack() throws Exception {
    row.resolved(decision(Outcome.UNKNOWN, 0));
    saver.overrule(CoordinatorsWord.epochIsOver(MINE, false));
    saver.overrule(CoordinatorsWord.epochIsOver(new OwnershipEpoch(1), true));
    assertThat(saver.askOnce()).isInstanceOf(Ruling.NotOurs.class);
  }

  @Test
  void aGuestThatIsOwnedAndCannotRunIsADoubtUntilItRuns() {
    saver.cannotRun("its disk is gone");
    assertThat(open.doubts()).singleElement()
        .satisfies(doubt -> assertThat(doubt.reason()).contains("cannot run here: its disk is gone"));
    saver.ends();
    assertThat(open.doubts()).isEmpty();
  }
}
