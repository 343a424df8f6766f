package dev.pageferry.agent.migration;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.agent.ownership.Rulings;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class DialogueLogTest {
  private final List<String> warnings = new ArrayList<>();
  private final DialogueLog log = new DialogueLog(warnings::add, ruling -> {
  });

  @Test
  void eachKindOfReasonIsSaidOnceHoweverOftenTheRowIsAsked() {
    log.waits(new Ruling.NoAnswer("deadline exceeded after 2.98s"));
    log.waits(new Ruling.NoAnswer("deadline exceeded after 2.99s"));
    log.waits(new Ruling.RecordsUnknown());
    log.waits(new Ruling.NoAnswer("deadline exceeded after 3.01s"));
    log.waits(new Ruling.Denied("denied"));
    log.waits(new Ruling.Pending());
    log.waits(new Ruling.Pending());

    assertThat(warnings).hasSize(4).doesNotHaveDuplicates().first().isEqualTo("deadline exceeded after 2.98s");
  }

  @Test
  void aReasonIsSaidAgainAfterARuling() {
    log.waits(new Ruling.Pending());
    log.ruled(Rulings.notOurs());
    log.waits(new Ruling.Pending());

    assertThat(warnings).hasSize(2);
  }
}
