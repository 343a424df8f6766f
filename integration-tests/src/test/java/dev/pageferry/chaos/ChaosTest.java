package dev.pageferry.chaos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.support.CommandResult;
import dev.pageferry.support.NamespaceLab;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Two minutes of trouble on real processes; {@code scripts/chaos} has more. */
class ChaosTest {
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  private static final String SCRIPT = ROOT.resolve("scripts/chaos").toString();

  @Test
  @Timeout(600)
  void twoMinutesOfTroubleLoseNothingThatWasAcknowledged() throws Exception {
    Optional<String> obstacle = NamespaceLab.obstacle();
    assumeTrue(obstacle.isEmpty(), "SKIPPED: " + obstacle.orElse(""));
    Path directory = Files.createDirectories(ROOT.resolve("integration-tests/target/scenario")).resolve("chaos");
    CommandResult run = CommandResult.of(List.of(SCRIPT, "--minutes", "2", "--seed", "1", "--dir", directory.toString(),
        "--name", "pf" + ProcessHandle.current().pid() + "-c"), Map.of());
    assumeTrue(run.exitCode() != 2, "SKIPPED: " + run.errors());

    assertThat(run.exitCode()).as("%s%n%s", run.output(), run.errors()).isZero();
    assertThat(run.output()).contains("promised", "kept").doesNotContain("BROKEN");
  }

  @Test
  void wrongUsageIsSaid() throws Exception {
    for (List<String> wrong : List.of(List.of("--minutes", "2"), List.of("--seed", "1"),
        List.of("--minutes", "0", "--seed",
            "1"),
        List.of("--minutes", "two", "--seed", "1"), List.of("--anything"))) {
      CommandResult run = CommandResult.of(Stream.concat(Stream.of(SCRIPT),
          wrong.stream()).toList(), Map.of());
      assertThat(run.exitCode()).as(wrong.toString()).isEqualTo(2);
      assertThat(run.errors()).contains("scripts/chaos: ");
    }
  }
}
