package dev.pageferry.coordinator.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.proto.cluster.v1.Migration;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MigrationDocumentTest {
  private final MigrationDocument document = new MigrationDocument(in(Migration.State.RUNNING),
      Scheduler.SYSTEM.newMutex(), this::keep);
  private final List<Migration.State> kept = new ArrayList<>();
  private boolean recordsFail;

  private void keep(Migration ended) {
    if (recordsFail) {
      throw new IllegalStateException("the disk is full");
    }
    kept.add(ended.getState());
  }

  @ParameterizedTest
  @EnumSource(Migration.State.class)
  void aMigrationIsFinalOnceItCompletedFailedOrWasCancelled(Migration.State state) {
    if (state == Migration.State.UNRECOGNIZED) {
      return;
    }
    assertThat(MigrationDocument.isFinal(in(state))).isEqualTo(
        List.of(Migration.State.COMPLETED, Migration.State.FAILED, Migration.State.CANCELLED).contains(state));
  }

  @Test
  void followersHearTheStateNowAndEveryChangeUntilTheFinalOne() throws Exception {
    List<Migration.State> seen = new ArrayList<>();
    document.follow(migration -> seen.add(migration.getState()));
    document.update(before -> in(Migration.State.IN_DOUBT));
    document.update(before -> in(Migration.State.COMPLETED));
    document.update(before -> in(Migration.State.FAILED));
    assertThat(seen).containsExactly(Migration.State.RUNNING, Migration.State.IN_DOUBT, Migration.State.COMPLETED);
    assertThat(document.now().getState()).isEqualTo(Migration.State.COMPLETED);
  }

  @Test
  void aFinalStateIsInTheRecordsBeforeAnybodyIsTold() throws Exception {
    List<List<Migration.State>> keptWhenTold = new ArrayList<>();
    document.follow(migration -> keptWhenTold.add(List.copyOf(kept)));
    document.update(before -> in(Migration.State.IN_DOUBT));
    document.update(before -> in(Migration.State.FAILED));
    assertThat(keptWhenTold).containsExactly(List.of(), List.of(), List.of(Migration.State.FAILED));
  }

  @Test
  void aChangeThatCannotBeWrittenWasNotMadeAndCanBeTriedAgain() throws Exception {
    List<Migration.State> seen = new ArrayList<>();
    document.follow(migration -> seen.add(migration.getState()));
    recordsFail = true;
    assertThatThrownBy(() -> document.update(before -> in(Migration.State.FAILED))).hasMessage("the disk is full");
    assertThat(document.now().getState()).isEqualTo(Migration.State.RUNNING);
    recordsFail = false;
    document.update(before -> in(Migration.State.FAILED));
    assertThat(document.now().getState()).isEqualTo(Migration.State.FAILED);
    assertThat(seen).containsExactly(Migration.State.RUNNING, Migration.State.FAILED);
  }

  /** Documents live on in the history: each watch of one that has ended must not stay with it. */
  @Test
  void aFinalDocumentKeepsNoFollowers() throws Exception {
    WeakReference<Consumer<Migration>> before = follow();
    document.update(now -> in(Migration.State.COMPLETED));
    WeakReference<Consumer<Migration>> after = follow();
    for (int i = 0; i < 50 && (before.get() != null || after.get() != null); i++) {
      System.gc();
    }
    assertThat(before.get()).isNull();
    assertThat(after.get()).isNull();
    assertThat(document.now().getState()).isEqualTo(Migration.State.COMPLETED);
  }

  private WeakReference<Consumer<Migration>> follow() {
    List<Migration> seen = new ArrayList<>();
    Consumer<Migration> follower = seen::add;
    document.follow(follower);
    assertThat(seen).hasSize(1);
    return new WeakReference<>(follower);
  }

  private static Migration in(Migration.State state) {
    return Migration.newBuilder().setState(state).build();
  }
}
