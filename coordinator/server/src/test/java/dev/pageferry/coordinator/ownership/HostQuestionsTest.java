package dev.pageferry.coordinator.ownership;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.ownership.OwnershipEvent.BeginMove;
import dev.pageferry.coordinator.ownership.OwnershipEvent.BeginRestore;
import dev.pageferry.coordinator.ownership.OwnershipEvent.BeginSave;
import dev.pageferry.coordinator.ownership.OwnershipEvent.ClaimInDoubt;
import dev.pageferry.coordinator.ownership.OwnershipEvent.Commit;
import dev.pageferry.coordinator.ownership.OwnershipEvent.GiveBack;
import dev.pageferry.coordinator.ownership.OwnershipEvent.NoteSaved;
import dev.pageferry.coordinator.ownership.OwnershipEvent.OfOperation;
import dev.pageferry.coordinator.ownership.OwnershipEvent.Resolve;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.PendingMigration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which host may ask what of an operation: a line for each question and kind of operation. */
class HostQuestionsTest {
  private static final MigrationId M = new MigrationId("m");
  private static final HostId SOURCE = new HostId("source");
  private static final HostId DESTINATION = new HostId("destination");
  private static final HostId OTHER = new HostId("other");

  private static OperationParties parties(PendingMigration.Kind kind) {
    MigrationRecord.Builder record = MigrationRecord.newBuilder().setVmId("v").setSourceHost(SOURCE.value());
    return OperationParties.of(OperationParties.named(switch (kind) {
      case MOVE -> new BeginMove(M, DESTINATION, new Incarnation("d"), "");
      case SAVE -> new BeginSave(M, "", "file");
      case RESTORE -> new BeginRestore(M, DESTINATION, new Incarnation("d"));
      case UNRECOGNIZED -> throw new IllegalArgumentException("no kind");
    }, record));
  }

  private static OfOperation event(String name) {
    return switch (name) {
      case "commit" -> new Commit(M);
      case "note saved" -> new NoteSaved(M, "file");
      case "give back" -> new GiveBack(M);
      case "resolve as source" -> new Resolve(M, false);
      case "resolve as destination" -> new Resolve(M, true);
      default -> throw new IllegalArgumentException(name);
    };
  }

  @ParameterizedTest
  @CsvSource({"MOVE, commit, true, false", "MOVE, note saved, true, false", "MOVE, give back, false, true",
      "MOVE, resolve as source, true, true", "MOVE, resolve as destination, false, true",
      "SAVE, commit, true, false", "SAVE, note saved, true, false", "SAVE, give back, false, false",
      "SAVE, resolve as source, true, false", "SAVE, resolve as destination, false, false",
      "RESTORE, commit, false, true", "RESTORE, note saved, true, false", "RESTORE, give back, false, true",
      "RESTORE, resolve as source, true, true", "RESTORE, resolve as destination, false, true"})
  void aQuestionIsForTheHostsThatItConcerns(PendingMigration.Kind kind, String question, boolean source,
      boolean destination) {
    OperationParties parties = parties(kind);
    assertThat(parties.permit(SOURCE, event(question))).as("the source").isEqualTo(source);
    assertThat(parties.permit(DESTINATION, event(question))).as("the destination").isEqualTo(destination);
    assertThat(parties.permit(OTHER, event(question))).as("another host").isFalse();
  }

  @Test
  void whatOperatorsDoIsForNoHost() {
    Stream.of(new BeginSave(M, "", "file"),
        new ClaimInDoubt(M, SOURCE, new Incarnation("s"), "", new OwnershipEpoch(1)))
        .forEach(each -> assertThat(parties(PendingMigration.Kind.MOVE).permit(SOURCE, each)).isFalse());
  }

  @Test
  void anOperationOfBeforeDestinationsWereNamedAcceptsNoCommit() {
    OperationParties old = OperationParties
        .of(MigrationRecord.newBuilder().setVmId("v").setSourceHost(SOURCE.value()).build());
    assertThat(old.permit(SOURCE, new Commit(M))).isFalse();
    for (HostId each : List.of(SOURCE, DESTINATION)) {
      assertThat(old.permit(each, new Resolve(M, false))).as("it can be ended").isTrue();
      assertThat(old.permit(each, new Resolve(M, true))).as("also by whoever has a copy").isTrue();
    }
  }

  @Test
  void anOperationThatRecordsHadLostIsOfTheHostThatHasItsCopy() {
    MigrationRecord claimed = OperationParties
        .claimed(new ClaimInDoubt(M, DESTINATION, new Incarnation("d"), "", new OwnershipEpoch(2)), new VmId("v"));
    assertThat(OperationParties.of(claimed).permit(DESTINATION, new Resolve(M, true))).isTrue();
    assertThat(OperationParties.of(claimed).permit(DESTINATION, new GiveBack(M))).isTrue();
    assertThat(OperationParties.of(claimed).permit(OTHER, new Resolve(M, true))).isFalse();
    assertThat(claimed.getVmId()).isEqualTo("v");
  }
}
