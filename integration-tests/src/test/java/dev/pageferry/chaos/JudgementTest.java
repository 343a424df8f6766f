package dev.pageferry.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.chaos.Schedule.Timed;
import dev.pageferry.proto.cluster.v1.Vm;
import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** What a run is drawn from, and how it is judged, without a lab. */
class JudgementTest {
  private static final List<String> HOSTS = LabMachines.HOSTS;
  private static final List<String> VMS = List.of("db-1", "tux");
  private static final long TWO_MINUTES = 120_000;

  private static Vm vm(Vm.State state, long epoch, long steps) {
    return Vm.newBuilder().setName("db").setState(state).setEpoch(epoch).setSteps(steps).build();
  }

  @Test
  void anEpochThatGoesBackIsFound() {
    RowLedger rows = new RowLedger();
    rows.told(List.of(vm(Vm.State.RUNNING, 4, 10)));
    rows.told(List.of(vm(Vm.State.MIGRATING, 5, 10)));
    assertThat(rows.problems()).isEmpty();
    rows.told(List.of(vm(Vm.State.RUNNING, 4, 20)));

    assertThat(rows.problems()).containsExactly("db: its epoch was 5, and then 4");
  }

  @Test
  void aBootIsSeenByStepsThatBeginAgainAndNotByAPause() {
    RowLedger rows = new RowLedger();
    rows.told(List.of(vm(Vm.State.RUNNING, 1, 500)));
    rows.told(List.of(vm(Vm.State.UNKNOWN, 1, 0)));
    rows.told(List.of(vm(Vm.State.RUNNING, 2, 510)));
    assertThat(rows.boots("db")).isZero();
    rows.told(List.of(vm(Vm.State.RUNNING, 3, 7)));

    assertThat(rows.boots("db")).isEqualTo(1);
  }

  @Test
  void aCountThatWasShownAndIsNotOnTheDiskIsFound() {
    CountLedger counts = new CountLedger("tux");
    counts.console("[    0.1] kernel\ncount 1\ncount 2\ncount 3\n");
    byte[] whole = "record 1 ...record 2 ...record 3 ...record 4 ".getBytes(StandardCharsets.ISO_8859_1);
    byte[] holed = "record 1 ...record 3 ".getBytes(StandardCharsets.ISO_8859_1);

    assertThat(counts.problems(whole)).isEmpty();
    assertThat(counts.problems(holed)).singleElement().asString().contains("1 records of the 3", "[2]");
  }

  @Test
  void aPromiseForWhichNothingWasLookedAtIsBroken() {
    assertThat(Promise.of("journals hold", 5, "records", List.of()).isKept()).isTrue();
    assertThat(Promise.of("journals hold", 0, "records", List.of()).lines().get(1))
        .contains("nothing was looked at: no records");
    assertThat(Promise.of("journals hold", 5, "records", List.of("a hole")).isKept()).isFalse();
  }

  @Test
  void stackTracesAndErrorsThatNobodyForesawAreFoundInLogs() {
    List<String> log = List.of("12:00:00.000 INFO  Agent: ready", "java.lang.NullPointerException: it",
        "\tat dev.pageferry.agent.Agent.run(Agent.java:1)", "\tat java.base/java.lang.Thread.run(Thread.java:2)",
        "12:00:01.000 ERROR Agent: nobody knows this",
        "12:00:02.000 ERROR StorageLease: the lease of host host-a cannot be renewed; guests stop when it expires: full");

    assertThat(ServerLogs.unforeseen("host-a", log)).containsExactly(
        "host-a: a stack trace: java.lang.NullPointerException: it",
        "host-a: 12:00:01.000 ERROR Agent: nobody knows this");
  }

  @Test
  void aSeedAlwaysDrawsTheSameAndAnotherSeedSomethingElse() {
    Schedule drawn = Schedule.draw(1, TWO_MINUTES, HOSTS, VMS);

    assertThat(Schedule.draw(1, TWO_MINUTES, HOSTS, VMS)).isEqualTo(drawn);
    assertThat(Schedule.draw(2, TWO_MINUTES, HOSTS, VMS)).isNotEqualTo(drawn);
  }

  @Test
  void twoMinutesHaveTroubleOfEveryKindAndNeverMoreThanTwoAtOnce() {
    for (long seed = 1; seed <= 50; seed++) {
      List<Timed<Trouble>> troubles = Schedule.draw(seed, TWO_MINUTES, HOSTS, VMS).troubles();
      Set<Trouble.Kind> kinds = troubles.stream().map(each -> each.what().kind())
          .collect(Collectors.toCollection(() -> EnumSet.noneOf(Trouble.Kind.class)));
      assertThat(kinds).as("of seed " + seed).hasSize(Trouble.Kind.values().length);
      for (Timed<Trouble> each : troubles) {
        List<Timed<Trouble>> meanwhile = troubles.stream().filter(other -> other.atMillis() <= each.atMillis()
            && Schedule.endOf(other) > each.atMillis()).toList();
        assertThat(meanwhile).as("at once, of seed " + seed).hasSizeLessThanOrEqualTo(Schedule.MOST_AT_ONCE);
        assertThat(meanwhile.stream().map(other -> other.what().target())).doesNotHaveDuplicates();
      }
    }
  }
}
