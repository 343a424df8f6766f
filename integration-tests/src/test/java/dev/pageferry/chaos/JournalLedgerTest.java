package dev.pageferry.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.journal.JournalReader.Journal;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The judge of disks, on journals that are made up. */
class JournalLedgerTest {
  private final JournalLedger ledger = new JournalLedger("db");

  private static Journal journal(long last, long stepsSinceBoot, long epoch, String... problems) {
    return new Journal(0, last, stepsSinceBoot, epoch, List.of(problems));
  }

  @Test
  void aJournalThatGrowsThroughMovesAndBootsIsAsItShouldBe() {
    ledger.read(List.of(journal(100, 100, 1)), 90);
    ledger.read(List.of(journal(200, 200, 2)), 200);
    ledger.read(List.of(journal(210, 10, 3)), 5);

    assertThat(ledger.problems()).isEmpty();
    assertThat(ledger.records()).isEqualTo(210);
    assertThat(ledger.looks()).isEqualTo(3);
  }

  @Test
  void aHoleIsFound() {
    ledger.read(List.of(journal(100, 100, 1, "record 57 is missing")), 0);

    assertThat(ledger.problems()).containsExactly("db: record 57 is missing");
  }

  @Test
  void aRecordThatWasThereAndIsGoneIsFound() {
    ledger.read(List.of(journal(100, 100, 1)), 0);
    ledger.read(List.of(journal(99, 99, 1)), 0);

    assertThat(ledger.problems()).singleElement().asString()
        .contains("record 100 of the journal at slot 0 was there, and now the last one is 99");
  }

  @Test
  void anOwnerOfBeforeThatWritesIsFound() {
    ledger.read(List.of(journal(100, 100, 2)), 0);
    ledger.read(List.of(journal(101, 101, 1)), 0);

    assertThat(ledger.problems()).singleElement().asString().contains("under epoch 2, and then under 1");
  }

  @Test
  void anAcknowledgedStepThatIsNotOnTheDiskIsFound() {
    assertThat(ledger.isDoubtful(List.of(journal(100, 100, 1)), 100)).isFalse();
    assertThat(ledger.isDoubtful(List.of(journal(100, 100, 1)), 101)).isTrue();
    ledger.read(List.of(journal(100, 100, 1)), 101);

    assertThat(ledger.problems()).containsExactly(
        "db: 101 steps were acknowledged since its boot, and 100 are on the disk");
  }

  @Test
  void aJournalThatIsGoneAltogetherIsFound() {
    ledger.read(List.of(journal(100, 100, 1)), 0);
    ledger.read(List.of(), 0);

    assertThat(ledger.problems()).containsExactly("db: the journal at slot 0, with 100 records, is gone");
  }
}
