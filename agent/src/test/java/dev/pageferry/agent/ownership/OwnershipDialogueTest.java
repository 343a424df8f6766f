package dev.pageferry.agent.ownership;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.ownership.OwnershipClient.Decision;
import dev.pageferry.agent.ownership.OwnershipClient.Outcome;
import dev.pageferry.agent.ownership.Ruling.NotOurs;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A note that a guest's state is whole counts only once the row has heard it. */
@Timeout(30)
class OwnershipDialogueTest {
  private static final OwnershipEpoch MINE = new OwnershipEpoch(3);

  private final ScriptedRow row = new ScriptedRow();
  private final CountDownLatch waits = new CountDownLatch(3);
  private final OwnershipDialogue dialogue = OwnershipDialogue.ofSource(
      new OwnershipDialogue.Line(row, Scheduler.SYSTEM, new Random(1)), new VmId("vm-1"), new MigrationId("m-1"), MINE,
      new OwnershipDialogue.Listener() {
        @Override
        public void waits(Ruling.Unsettled ruling) {
          waits.countDown();
        }

        @Override
        public void ruled(Ruling.Final ruling) {
          // The test asks for it.
        }
      });

  private CompletableFuture<Optional<Ruling.Final>> noteSaved() {
    return CompletableFuture.supplyAsync(() -> {
      try {
        return dialogue.noteSaved();
      } catch (InterruptedException e) {
        throw new CompletionException(e);
      }
    });
  }

  @Test
  void aNoteThatNobodyAnsweredIsMadeAgainUntilTheRowHasHeardIt() throws Exception {
    CompletableFuture<Optional<Ruling.Final>> noted = noteSaved();
    waits.await();
    assertThat(noted).as("three notes were lost, as far as this host knows").isNotDone();
    row.resolved(new Decision(Outcome.PENDING, "here", MINE.value()));
    assertThat(noted.get(10, TimeUnit.SECONDS)).isEmpty();
  }

  @Test
  void aNoteThatTheRecordsDoNotKnowOfEndsByTheCoordinatorsWordOfTheVm() throws Exception {
    row.resolved(new Decision(Outcome.UNKNOWN, "", 0));
    CompletableFuture<Optional<Ruling.Final>> noted = noteSaved();
    waits.await();
    assertThat(noted).isNotDone();
    dialogue.overrule(CoordinatorsWord.epochIsOver(MINE, true));
    assertThat(noted.get(10, TimeUnit.SECONDS)).hasValueSatisfying(
        ruling -> assertThat(((NotOurs) ruling).why()).isEqualTo(NotOurs.Why.ORDERED));
  }
}
