package dev.pageferry.coordinator.maintenance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.pageferry.proto.cluster.v1.Forecast;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import dev.pageferry.proto.cluster.v1.PlannedMove.State;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** How long planned moves take, from those that have been. */
class MoveForecastTest {
  private static final long GIB = 1L << 30;
  private static final Map<String, Long> MEMORY = Map.of("a", GIB, "b", GIB, "c", 2 * GIB);

  private static Migration completed(String vm, double seconds) {
    return Migration.newBuilder().setVm(vm).setKind(Migration.Kind.LIVE).setState(Migration.State.COMPLETED)
        .setTotalSeconds(seconds).build();
  }

  private static PlannedMove waiting(String vm, String from, String to) {
    return PlannedMove.newBuilder().setVm(vm).setFrom(from).setTo(to).setMemoryBytes(MEMORY.getOrDefault(vm, GIB))
        .setState(State.WAITING).build();
  }

  private static Forecast rest(List<Migration> history, PlannedMove... moves) {
    return new MoveForecast(history, MEMORY).rest(List.of(moves), 1, Map.of()).orElseThrow();
  }

  @Test
  void aVmTakesAsLongAsItTookMostlyWhateverOthersTook() {
    Forecast forecast = rest(List.of(completed("a", 9), completed("a", 4), completed("a", 4), completed("b", 100)),
        waiting("a", "x", "y"));
    assertThat(forecast.getSeconds()).isCloseTo(4.37, within(1e-6));
    assertThat(forecast.getBasis()).isEqualTo("each as long as it took before");
    assertThat(forecast.getEarliestSeconds()).isLessThan(4.37);
    assertThat(forecast.getLatestSeconds()).isGreaterThan(4.37);
  }

  @Test
  void aVmThatWasNeverMovedTakesAsLongForItsMemoryAsOthers() {
    Forecast forecast = rest(List.of(completed("a", 2), completed("b", 2)), waiting("c", "x", "y"));
    assertThat(forecast.getSeconds()).isCloseTo(4.37, within(1e-6));
    assertThat(forecast.getBasis()).contains("by how fast others were", "512 MiB");
  }

  @Test
  void whatWasNeverMeasuredIsAGuessAndWide() {
    Forecast forecast = rest(List.of(), waiting("a", "x", "y"));
    assertThat(forecast.getBasis()).contains("a guess");
    assertThat(forecast.getLatestSeconds()).isGreaterThan(10 * forecast.getEarliestSeconds());
  }

  @Test
  void movesOfOneHostFollowEachOtherAndThoseOfOthersGoOnBeside() {
    List<Migration> history = List.of(completed("a", 3), completed("b", 5));
    assertThat(rest(history, waiting("a", "x", "y"), waiting("b", "x", "z")).getSeconds()).isCloseTo(8.74,
        within(1e-6));
    assertThat(rest(history, waiting("a", "x", "y"), waiting("b", "z", "w")).getSeconds()).isCloseTo(5.37,
        within(1e-6));
    assertThat(rest(history, waiting("a", "x", "y"), waiting("b", "z", "y")).getSeconds())
        .as("both come to y").isCloseTo(8.74, within(1e-6));
  }

  @Test
  void whatIsUnderWayTakesTheRestOfItsTimeAndWhatHasEndedNone() {
    MoveForecast forecast = new MoveForecast(List.of(completed("a", 5)), MEMORY);
    PlannedMove moving = waiting("a", "x", "y").toBuilder().setState(State.MOVING).build();
    assertThat(forecast.rest(List.of(moving), 1, Map.of("a", 4.0)).orElseThrow().getSeconds()).isCloseTo(1.37,
        within(1e-6));
    assertThat(forecast.rest(List.of(moving.toBuilder().setState(State.MOVED).build()), 1, Map.of())).isEmpty();
  }
}
