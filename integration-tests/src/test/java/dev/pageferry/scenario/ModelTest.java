package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.support.CommandResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The model of the handoff in docs/model, and what spin finds in it. */
@Timeout(1200)
class ModelTest {
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());

  @BeforeAll
  static void requireItsPrograms() {
    for (String each : List.of("spin", "gcc")) {
      assumeTrue(isInstalled(each), each + " is not installed: the model of the handoff is not checked");
    }
    assumeTrue(Files.exists(Path.of("/usr/include/stdio.h")),
        "libc6-dev is not installed: the model of the handoff is not checked");
  }

  @Test
  void theModelHoldsAndEachPlantedErrorIsFound() throws Exception {
    CommandResult checked = model();

    assertThat(checked.exitCode()).as("%s%n%s", checked.output(), checked.errors()).isZero();
    assertThat(checked.output().lines().map(line -> line.split(" ", 2)[0]))
        .containsExactlyElementsOf(model("--list").output().lines().toList()).hasSizeGreaterThan(25);
  }

  @Test
  void theWayIntoAPlantedErrorIsToldStepByStep() throws Exception {
    CommandResult told = model("--trace", "as-before-give-back");

    assertThat(told.exitCode()).as(told.errors()).isZero();
    assertThat(told.output()).containsSubsequence("the source asks for the commit", "the migration is committed",
        "the destination cannot run the guest", "the guest runs at the destination", "the migration is taken back",
        "Broken: a commit is undone only before the first step");
  }

  @Test
  void aCheckThatThereIsNotIsRefused() throws Exception {
    CommandResult refused = model("--only", "none");

    assertThat(refused.exitCode()).isEqualTo(2);
    assertThat(refused.errors())
        .isEqualToIgnoringNewLines("model: --only 'none' is none of its checks; see --list");
  }

  private static CommandResult model(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(ROOT.resolve("scripts/model").toString()));
    command.addAll(List.of(arguments));
    return CommandResult.of(command, Map.of());
  }

  private static boolean isInstalled(String program) {
    return Stream.of(System.getenv("PATH").split(":")).anyMatch(each -> Files.isExecutable(Path.of(each, program)));
  }
}
