package dev.pageferry.agent.hosting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.migration.ActivationLease;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.agent.ownership.OwnershipClient.Decision;
import dev.pageferry.agent.ownership.OwnershipClient.Outcome;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.ScriptedRow;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Ticker;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A VM that is built on this host does its first step with the row's word, however long its building took. */
@Timeout(60)
class VmCreationTest {
  private static final long BYTES = 4L << 20;
  private static final VmId V = new VmId("v");
  private static final OwnershipEpoch EPOCH = new OwnershipEpoch(3);
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final HostMemory memory = new HostMemory(4 * BYTES);
  private final HostedGuests guests = new HostedGuests();
  private final GuestClaims claims = new GuestClaims();
  private final ScriptedRow row = new ScriptedRow();
  private ActivationLease lease = () -> {
  };
  private final VmCreation creation = new VmCreation(new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM), guests,
      claims, new OwnershipDialogue.Line(row, Scheduler.SYSTEM, new Random(1)),
      () -> lease.awaitLive(), new Failpoints(Optional.empty()));

  private static VmSpec spec() {
    return VmSpec.diskless(V, "db", BYTES, 1,
        new ProgramSpec("uniform", Map.of("rate", "unlimited", "fill", "random"), BYTES, 1));
  }

  @AfterEach
  void close() {
    guests.close();
  }

  /** Builds the VM in the background; the promise is the failure's message, or "runs". */
  private Promise<String> create(boolean paused) {
    Promise<String> end = Scheduler.SYSTEM.newPromise();
    var unused = Scheduler.SYSTEM.start("create", () -> {
      try {
        creation.run(spec(), EPOCH, paused, false);
        end.complete("runs");
      } catch (Exception e) {
        end.complete(String.valueOf(e.getMessage()));
      }
    });
    return end;
  }

  private Guest guest() {
    return guests.find(V).orElseThrow().vm();
  }

  @Test
  void aVmRunsOnceTheRowHasSaidThatItMay() throws Exception {
    Promise<String> end = create(false);
    await().until(() -> row.startedCalls() > 2);
    assertThat(Replayable.stepsOf(guest())).isZero();
    assertThat(guest().isPaused()).isTrue();
    row.started(new Decision(Outcome.COMMITTED, "a", 3));

    assertThat(end.await(PATIENCE)).contains("runs");
    await().until(() -> Replayable.stepsOf(guest()) > 0);
  }

  @Test
  void aVmThatIsToBePausedStaysSo() throws Exception {
    row.started(new Decision(Outcome.COMMITTED, "a", 3));
    assertThat(create(true).await(PATIENCE)).contains("runs");
    assertThat(guest().isPaused()).isTrue();
    assertThat(Replayable.stepsOf(guest())).isZero();
  }

  @Test
  void aVmThatWasStartedElsewhereMeanwhileIsDestroyedBeforeItsFirstStep() throws Exception {
    row.started(new Decision(Outcome.ABORTED, "b", 4));
    assertThat(create(false).await(PATIENCE)).hasValueSatisfying(
        reason -> assertThat(reason).contains("built too late").contains("epoch=4"));
    assertThat(guests.find(V)).isEmpty();
    await().until(() -> memory.freeBytes() == 4 * BYTES);
  }

  @Test
  void aVmThatIsBeingBuiltIsFoundByWhoeverIsToDestroyIt() throws Exception {
    Promise<String> end = create(false);
    await().until(() -> row.startedCalls() > 0);
    assertThat(guests.destroy(V, CoordinatorsWord.epochIsOver(EPOCH, false))).isTrue();
    assertThat(guests.find(V)).isEmpty();
    row.started(new Decision(Outcome.ABORTED, "b", 4));
    assertThat(end.await(PATIENCE)).hasValueSatisfying(reason -> assertThat(reason).contains("built too late"));
  }

  @Test
  void recordsThatKnowNothingOfItKeepItPaused() throws Exception {
    row.started(new Decision(Outcome.UNKNOWN, "", 0));
    Promise<String> end = create(false);
    await().until(() -> row.startedCalls() > 2);
    assertThat(Replayable.stepsOf(guest())).isZero();
    assertThat(end.isSettled()).isFalse();
    row.started(new Decision(Outcome.DELETED, "", 0));
    assertThat(end.await(PATIENCE)).hasValueSatisfying(reason -> assertThat(reason).contains("DELETED"));
    assertThat(guests.find(V)).isEmpty();
  }

  @Test
  void aVmThatMayRunWaitsForTheLeaseOfItsHost() throws Exception {
    Promise<Boolean> live = Scheduler.SYSTEM.newPromise();
    Promise<Boolean> asked = Scheduler.SYSTEM.newPromise();
    lease = () -> {
      asked.complete(true);
      assertThat(live.await(PATIENCE)).isPresent();
    };
    row.started(new Decision(Outcome.COMMITTED, "a", 3));
    Promise<String> end = create(false);
    assertThat(asked.await(PATIENCE)).isPresent();
    assertThat(guest().isPaused()).isTrue();
    assertThat(Replayable.stepsOf(guest())).isZero();
    live.complete(true);

    assertThat(end.await(PATIENCE)).contains("runs");
    await().until(() -> Replayable.stepsOf(guest()) > 0);
  }

  @Test
  void aVmThatIsStoppedWhileItsHostHasNoLeaseDoesNotRun() throws Exception {
    Promise<Boolean> live = Scheduler.SYSTEM.newPromise();
    Promise<Boolean> asked = Scheduler.SYSTEM.newPromise();
    lease = () -> {
      asked.complete(true);
      assertThat(live.await(PATIENCE)).isPresent();
    };
    row.started(new Decision(Outcome.COMMITTED, "a", 3));
    Promise<String> end = create(false);
    assertThat(asked.await(PATIENCE)).isPresent();
    assertThat(guests.destroy(V, CoordinatorsWord.epochIsOver(EPOCH, false))).isTrue();
    live.complete(true);

    assertThat(end.await(PATIENCE)).hasValueSatisfying(
        reason -> assertThat(reason).contains("stopped before it ran"));
  }

  @Test
  void nothingElseIsDoneWithAVmWhileItIsBuilt() throws Exception {
    Promise<String> end = create(false);
    await().until(() -> row.startedCalls() > 0);
    assertThat(create(false).await(PATIENCE)).hasValueSatisfying(
        reason -> assertThat(reason).contains("being created"));
    row.started(new Decision(Outcome.COMMITTED, "a", 3));
    assertThat(end.await(PATIENCE)).contains("runs");
  }
}
