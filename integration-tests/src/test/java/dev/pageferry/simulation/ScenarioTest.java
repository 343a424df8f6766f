package dev.pageferry.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.simulation.Scenario.BadScenarioException;
import dev.pageferry.simulation.ScenarioParser.Text;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Scenarios by name, with what operators see of them. */
class ScenarioTest {
  private static final List<String> WORLD = List.of("hosts host-a host-b", "one kernel for all hosts",
      "vm db on host-a with a disk");

  @TempDir(factory = RoomInMemory.class)
  Path directory;

  static List<String> names() {
    return Scenario.names();
  }

  @ParameterizedTest
  @MethodSource("names")
  void anOperatorSeesWhatIsExpected(String name) throws Exception {
    Scenario scenario = Scenario.load(name);
    assertThat(scenario.expected()).isNotEmpty();
    assertThat(Scenario.differences(scenario.expected(), scenario.play(directory)))
        .as("see scripts/simulate scenario %s", name).isEmpty();
  }

  @Test
  void aLineThatIsMissingComesTwiceOrComesLateIsADifference() {
    List<String> expected = List.of("    8.0 s  host-a       DOWN",
        "    8.0 s  db           UNKNOWN: not heard for 2 s");
    assertThat(Scenario.differences(expected,
        List.of("    8.9 s  db           UNKNOWN: not heard for 3 s", "    7.5 s  host-a       DOWN"))).isEmpty();
    assertThat(Scenario.differences(expected, expected.subList(0, 1))).hasSize(1);
    assertThat(Scenario.differences(expected.subList(0, 1), List.of("   10.0 s  host-a       DOWN"))).hasSize(2);
    assertThat(Scenario.differences(expected.subList(0, 1), List.of(expected.getFirst(), expected.getFirst())))
        .hasSize(1);
  }

  private static void parse(List<String> world, List<String> script) throws BadScenarioException {
    Scenario unused = ScenarioParser.parse("x", new Text("x/world", world), new Text("x/script", script), List.of());
  }

  @ParameterizedTest
  @CsvSource({"at 3s: kill host-z, x/script:2: 'kill host-z' is nothing that can happen",
      "at 3s: stop web, x/script:2: 'stop web' is nothing that can happen",
      "at 3: kill host-a, x/script:2: 'at 3: kill host-a' is neither",
      "at 3s: kill host-a, x/script:2: it does not say when it ends"})
  void aScriptThatCannotBeUnderstoodIsRefusedWithFileAndLine(String line, String message) {
    assertThatThrownBy(() -> parse(WORLD, List.of("# what happens", line))).isInstanceOf(BadScenarioException.class)
        .hasMessageContaining(message);
  }

  @Test
  void aWorldThatCannotBeUnderstoodIsRefusedWithFileAndLine() {
    assertThatThrownBy(() -> parse(List.of("hosts host-a", "vm db on host-b"), List.of("at 1s: end")))
        .hasMessageContaining("x/world:2: there is no host 'host-b'");
    assertThatThrownBy(() -> parse(List.of("hosts host-a", "", "2 kernels"), List.of("at 1s: end")))
        .hasMessageContaining("x/world:3: '2 kernels' is none of");
    assertThatThrownBy(() -> parse(List.of("hosts host-a"), List.of("at 1s: end")))
        .hasMessageContaining("x/world:1: it does not say how many kernels");
  }
}
