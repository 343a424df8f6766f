package dev.pageferry.coordinator.ownership;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.ownership.DecidedOperation.Decided;
import dev.pageferry.coordinator.ownership.Transition.Answered;
import dev.pageferry.coordinator.ownership.Transition.Applied;
import dev.pageferry.coordinator.ownership.Transition.Refused;
import dev.pageferry.coordinator.ownership.VmOwnership.Active;
import dev.pageferry.coordinator.ownership.VmOwnership.Creating;
import dev.pageferry.coordinator.ownership.VmOwnership.Deleted;
import dev.pageferry.coordinator.ownership.VmOwnership.Moving;
import dev.pageferry.coordinator.ownership.VmOwnership.Restoring;
import dev.pageferry.coordinator.ownership.VmOwnership.Saved;
import dev.pageferry.coordinator.ownership.VmOwnership.Saving;
import dev.pageferry.coordinator.ownership.VmOwnership.Stopped;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every state of a VM's row with every event. Host a has the VM under epoch 5; M moves it to b, or saves or restores it. */
class TransitionsTest {
  private static final MigrationId M = new MigrationId("M");
  private static final MigrationId N = new MigrationId("N");
  private static final HostId A = new HostId("a");
  private static final HostId B = new HostId("b");
  private static final Incarnation A1 = new Incarnation("a-1");
  private static final Incarnation A2 = new Incarnation("a-2");
  private static final Incarnation B1 = new Incarnation("b-1");
  private static final Tenure TENURE = new Tenure(A, A1, "s", new OwnershipEpoch(5));
  private static final LiveHosts ALL = (host, incarnation) -> true;
  private static final LiveHosts A_LOST = (host, incarnation) -> !host.equals(A);
  private static final LiveHosts B_LOST = (host, incarnation) -> !host.equals(B);

  private static final Map<String, VmOwnership> STATES = new TreeMap<>(Map.of(
      "creating", new Creating(TENURE),
      "active", new Active(TENURE),
      "moving", new Moving(TENURE, M, B, B1, "t", Optional.empty()),
      "noted", new Moving(TENURE, M, B, B1, "", Optional.of("file")),
      "saving", new Saving(TENURE, M, "t", "file"),
      "saved", new Saved(TENURE, "file", 7),
      "restoring", new Restoring(new Saved(TENURE, "file", 7), M, B, B1),
      "stopped", new Stopped(TENURE),
      "deleted", new Deleted(TENURE)));

  private static final String TABLE = """
      begin move N     | active: Moving a 5 s PENDING; creating, saved, stopped: refused; moving, noted, saving, restoring: refused; deleted: refused
      begin save N     | active: Saving a 5 s PENDING; creating, saved, stopped: refused; moving, noted, saving, restoring: refused; deleted: refused
      begin restore N  | saved: Restoring a 5 s PENDING; creating, active, stopped: refused; moving, noted, saving, restoring: refused; deleted: refused
      commit M         | moving: Active b 6 t COMMITTED; noted: Active b 6 s COMMITTED; saving: Saved a 5 t COMMITTED; restoring: Active b 6 s COMMITTED; creating: Creating a 5 s ABORTED; active: Active a 5 s ABORTED; saved: Saved a 5 s ABORTED; stopped: Stopped a 5 s ABORTED; deleted: refused
      commit M, b lost | moving: Active a 5 s ABORTED; noted: Active a 5 s ABORTED; saving: Saved a 5 t COMMITTED; restoring: Saved a 5 s ABORTED; creating: Creating a 5 s ABORTED; active: Active a 5 s ABORTED; saved: Saved a 5 s ABORTED; stopped: Stopped a 5 s ABORTED; deleted: refused
      resolve M        | moving: Active a 5 s ABORTED; noted: Active a 5 s ABORTED; saving: Active a 5 s ABORTED; restoring: Saved a 5 s ABORTED; creating: Creating a 5 s ABORTED; active: Active a 5 s ABORTED; saved: Saved a 5 s ABORTED; stopped: Stopped a 5 s ABORTED; deleted: refused
      resolve M, a lost| moving: Active a 5 s ABORTED; noted: Saved a 6 s ABORTED; saving: Active a 5 s ABORTED; restoring: Saved a 5 s ABORTED; creating: Creating a 5 s ABORTED; active: Active a 5 s ABORTED; saved: Saved a 5 s ABORTED; stopped: Stopped a 5 s ABORTED; deleted: refused
      resolve M from b | moving: Active a 5 s ABORTED; noted: PENDING a 5; saving: Active a 5 s ABORTED; restoring: Saved a 5 s ABORTED; creating: Creating a 5 s ABORTED; active: Active a 5 s ABORTED; saved: Saved a 5 s ABORTED; stopped: Stopped a 5 s ABORTED; deleted: refused
      note saved M     | moving: Moving a 5 s PENDING; noted: Moving a 5 s PENDING; saving, restoring: PENDING a 5; creating: Creating a 5 s ABORTED; active: Active a 5 s ABORTED; saved: Saved a 5 s ABORTED; stopped: Stopped a 5 s ABORTED; deleted: refused
      give back M      | moving, noted, saving, restoring: PENDING a 5; creating: Creating a 5 s ABORTED; active: Active a 5 s ABORTED; saved: Saved a 5 s ABORTED; stopped: Stopped a 5 s ABORTED; deleted: refused
      commit unknown   | creating, active, moving, noted, saving, saved, restoring, stopped: UNKNOWN  0; deleted: refused
      boot on b        | creating, active, stopped: Creating b 6 t PENDING; moving, noted, saving, restoring, saved, deleted: refused
      boot, started    | creating, stopped: Creating b 6 t PENDING; active, moving, noted, saving, restoring, saved, deleted: refused
      restart on b     | creating, active: refused; stopped: Creating b 6 t PENDING; moving, noted, saving, restoring, saved, deleted: refused
      restart, a lost  | creating, active, stopped: Creating b 6 t PENDING; moving, noted, saving, restoring, saved, deleted: refused
      restart, changed | creating, active, moving, noted, saving, saved, restoring, stopped, deleted: refused
      restart, started | creating, stopped: Creating b 6 t PENDING; active, moving, noted, saving, restoring, saved, deleted: refused
      boot, changed    | creating, active, moving, noted, saving, saved, restoring, stopped, deleted: refused
      started by a, 5  | creating, active: Active a 5 s COMMITTED; moving, noted: Moving a 5 s COMMITTED; saving: Saving a 5 s COMMITTED; saved, restoring, stopped: ABORTED a 5; deleted: refused
      started by a, 4  | creating, active, moving, noted, saving, saved, restoring, stopped: ABORTED a 5; deleted: refused
      started by b, 5  | creating, active, moving, noted, saving, saved, restoring, stopped: ABORTED a 5; deleted: refused
      take over by a   | active: Active a 6 s COMMITTED; moving, noted, saving: PENDING a 5; creating, saved, restoring: ABORTED a 5; stopped: ABORTED a 6; deleted: refused
      ... a is silent  | creating, active, moving, noted, saving, saved, restoring, stopped: PENDING a 5; deleted: refused
      ... asked again  | active: COMMITTED a 5; creating, moving, noted, saving, saved, restoring: ABORTED a 5; stopped: ABORTED a 6; deleted: refused
      ... not its own  | creating, active, moving, noted, saving, saved, restoring: ABORTED a 5; stopped: ABORTED a 6; deleted: refused
      ... by b         | creating, active, moving, noted, saving, saved, restoring: ABORTED a 5; stopped: ABORTED a 6; deleted: refused
      not built, 5     | creating: Stopped a 5 s PENDING; active, moving, noted, saving, saved, restoring, stopped, deleted: refused
      not built, 4     | creating, active, moving, noted, saving, saved, restoring, stopped, deleted: refused
      power off        | creating, active, saved, stopped: Stopped a 5 s PENDING; moving, noted, saving, restoring, deleted: refused
      delete           | creating, active, saved, stopped: Deleted a 5 s PENDING; moving, noted, saving, restoring, deleted: refused
      count steps      | saved: Saved a 5 s PENDING; creating, active, moving, noted, saving, restoring, stopped, deleted: refused
      claim by b, 6    | creating, active, moving, noted, saving, saved, restoring, stopped: Active b 6 t PENDING; deleted: refused
      claim by a, 5    | active: ABORTED a 5; creating, moving, noted, saving, saved, restoring, stopped: Active a 5 s PENDING; deleted: refused
      claim by b, 4    | creating, active, moving, noted, saving, saved, restoring, stopped, deleted: refused
      claim M at b, 6  | creating, active, moving, noted, saving, saved, restoring, stopped: Active b 6 t COMMITTED; deleted: refused
      claim M at b, 4  | creating, active, moving, noted, saving, saved, restoring, stopped, deleted: refused
      found nowhere, 9 | creating, active, moving, noted, saving, stopped, saved, restoring: Stopped a 9 s PENDING; deleted: refused
      found nowhere, 3 | creating, active, moving: Stopped a 5 s PENDING; noted, restoring: Saved a 5 s PENDING; saving: Saved a 5 t PENDING; stopped, saved: ABORTED a 5; deleted: refused
      """;

  private static VmOwnership state(String name) {
    return Objects.requireNonNull(STATES.get(name));
  }

  private static Transition perform(VmOwnership state, String event) {
    Optional<DecidedOperation> pending = Optional.of(new DecidedOperation(new VmId("v"), Decided.PENDING, 0,
        Optional.of(new DecidedOperation.Source(A, A1, "s")), false));
    return switch (event) {
      case "begin move N" ->
        Transitions.apply(state, new OwnershipEvent.BeginMove(N, B, B1, "t"), ALL, Optional.empty());
      case "begin save N" ->
        Transitions.apply(state, new OwnershipEvent.BeginSave(N, "t", "new"), ALL, Optional.empty());
      case "begin restore N" ->
        Transitions.apply(state, new OwnershipEvent.BeginRestore(N, B, B1), ALL, Optional.empty());
      case "commit M" -> Transitions.apply(state, new OwnershipEvent.Commit(M), ALL, pending);
      case "commit M, b lost" -> Transitions.apply(state, new OwnershipEvent.Commit(M), B_LOST, pending);
      case "resolve M" -> Transitions.apply(state, new OwnershipEvent.Resolve(M, false), ALL, pending);
      case "resolve M, a lost" -> Transitions.apply(state, new OwnershipEvent.Resolve(M, false), A_LOST, pending);
      case "resolve M from b" -> Transitions.apply(state, new OwnershipEvent.Resolve(M, true), ALL, pending);
      case "note saved M" -> Transitions.apply(state, new OwnershipEvent.NoteSaved(M, "file"), ALL, pending);
      case "give back M" -> Transitions.apply(state, new OwnershipEvent.GiveBack(M), ALL, pending);
      case "commit unknown" -> Transitions.apply(state, new OwnershipEvent.Commit(N), ALL, Optional.empty());
      case "boot on b" -> boot(state, 5, true);
      case "boot, changed" -> boot(state, 4, true);
      case "boot, started" -> boot(state, 5, false);
      case "restart on b" -> restart(state, 5, true, ALL);
      case "restart, a lost" -> restart(state, 5, true, A_LOST);
      case "restart, changed" -> restart(state, 4, true, A_LOST);
      case "restart, started" -> restart(state, 5, false, A_LOST);
      case "started by a, 5" -> started(state, A, A1, 5);
      case "started by a, 4" -> started(state, A, A1, 4);
      case "started by b, 5" -> started(state, B, B1, 5);
      case "take over by a" -> takeOver(state, A, A2, A1, ALL);
      case "... a is silent" -> takeOver(state, A, A2, A1, A_LOST);
      case "... asked again" -> takeOver(state, A, A1, new Incarnation("a-0"), ALL);
      case "... not its own" -> takeOver(state, A, A2, new Incarnation("a-0"), ALL);
      case "... by b" -> takeOver(state, B, B1, A1, ALL);
      case "not built, 5" ->
        Transitions.apply(state, new OwnershipEvent.NotBuilt(new OwnershipEpoch(5)), ALL, Optional.empty());
      case "not built, 4" ->
        Transitions.apply(state, new OwnershipEvent.NotBuilt(new OwnershipEpoch(4)), ALL, Optional.empty());
      case "power off" -> Transitions.apply(state, new OwnershipEvent.PowerOff(), ALL, Optional.empty());
      case "delete" -> Transitions.apply(state, new OwnershipEvent.Delete(), ALL, Optional.empty());
      case "count steps" -> Transitions.apply(state, new OwnershipEvent.CountSteps("file", 9), ALL, Optional.empty());
      case "claim by b, 6" -> claim(state, B, B1, "t", 6);
      case "claim by a, 5" -> claim(state, A, A1, "s", 5);
      case "claim by b, 4" -> claim(state, B, B1, "t", 4);
      case "claim M at b, 6" -> claimInDoubt(state, 6);
      case "claim M at b, 4" -> claimInDoubt(state, 4);
      case "found nowhere, 9" ->
        Transitions.apply(state, new OwnershipEvent.FoundNowhere(new OwnershipEpoch(9)), ALL, Optional.empty());
      case "found nowhere, 3" ->
        Transitions.apply(state, new OwnershipEvent.FoundNowhere(new OwnershipEpoch(3)), ALL, Optional.empty());
      default -> throw new IllegalArgumentException(event);
    };
  }

  private static Transition takeOver(VmOwnership state, HostId host, Incarnation incarnation, Incarnation before,
      LiveHosts liveness) {
    return Transitions.apply(state, new OwnershipEvent.TakeOver(host, incarnation, Set.of(before)), liveness,
        Optional.empty());
  }

  private static Transition started(VmOwnership state, HostId host, Incarnation incarnation, long epoch) {
    return Transitions.apply(state, new OwnershipEvent.Started(host, incarnation, new OwnershipEpoch(epoch)), ALL,
        Optional.empty());
  }

  private static Transition boot(VmOwnership state, long seen, boolean seenActive) {
    return Transitions.apply(state, new OwnershipEvent.Boot(B, B1, "t", new OwnershipEpoch(seen), seenActive), ALL,
        Optional.empty());
  }

  private static Transition restart(VmOwnership state, long seen, boolean seenActive, LiveHosts heard) {
    return Transitions.apply(state, new OwnershipEvent.Restart(B, B1, "t", new OwnershipEpoch(seen), seenActive), heard,
        Optional.empty());
  }

  private static Transition claim(VmOwnership state, HostId host, Incarnation incarnation, String storage, long epoch) {
    return Transitions.apply(state,
        new OwnershipEvent.Claim(host, incarnation, storage, new OwnershipEpoch(epoch)), ALL, Optional.empty());
  }

  private static Transition claimInDoubt(VmOwnership state, long epoch) {
    return Transitions.apply(state, new OwnershipEvent.ClaimInDoubt(M, B, B1, "t", new OwnershipEpoch(epoch)), ALL,
        Optional.empty());
  }

  /** What came of it in short: the next state, its owner, epoch and storage, and what is answered; or the answer alone. */
  private static String brief(Transition transition) {
    return switch (transition) {
      case Applied applied -> "%s %s %s %s %s".formatted(applied.next().getClass().getSimpleName(),
          applied.next().tenure().host(), applied.next().tenure().epoch(), applied.next().tenure().storage(),
          applied.answer().outcome());
      case Answered answered -> "%s %s %d".formatted(answered.answer().outcome(), answered.answer().ownerHost(),
          answered.answer().epoch());
      case Refused unused -> "refused";
    };
  }

  @Test
  void everyEventHasOneOutcomeInEveryState() {
    for (String line : TABLE.lines().toList()) {
      String event = line.substring(0, line.indexOf('|')).strip();
      Map<String, String> expected = new TreeMap<>();
      for (String each : line.substring(line.indexOf('|') + 1).split(";")) {
        int colon = each.indexOf(':');
        for (String state : each.substring(0, colon).split(",")) {
          expected.put(state.strip(), each.substring(colon + 1).strip());
        }
      }
      Map<String, String> found = new TreeMap<>();
      STATES.forEach((name, state) -> found.put(name, brief(perform(state, event))));
      assertThat(found).as(event).isEqualTo(expected);
    }
  }

  @Test
  void aDecidedOperationIsAnsweredAsItWasDecidedInEveryState() {
    STATES.forEach((name, state) -> {
      for (Decided decided : new Decided[]{Decided.COMMITTED, Decided.ABORTED}) {
        Optional<DecidedOperation> known = Optional.of(
            new DecidedOperation(new VmId("v"), decided, 4, Optional.of(new DecidedOperation.Source(A, A1, "s")),
                false));
        for (OwnershipEvent event : new OwnershipEvent[]{new OwnershipEvent.Commit(N),
            new OwnershipEvent.Resolve(N, false), new OwnershipEvent.Resolve(N, true),
            new OwnershipEvent.NoteSaved(N, "f"), new OwnershipEvent.GiveBack(N)}) {
          assertThat(brief(Transitions.apply(state, event, ALL, known))).as("%s, %s, %s", name, decided, event)
              .isEqualTo(switch (name) {
                case "deleted" -> "refused";
                // Whatever copy there is of a VM that was switched off is void.
                case "stopped" -> decided + " a 6";
                default -> decided + " a 5";
              });
        }
      }
    });
  }

  @Test
  void aSaveThatWasCommittedIsAbortedForACopyThatAnOperatorClaimedSince() {
    DecidedOperation save = new DecidedOperation(new VmId("v"), Decided.COMMITTED, 5,
        Optional.of(new DecidedOperation.Source(A, A1, "s")), true);
    assertThat(brief(Transitions.apply(state("saved"), new OwnershipEvent.Commit(N), ALL, Optional.of(save))))
        .isEqualTo("COMMITTED a 5");
    assertThat(brief(Transitions.apply(state("active"), new OwnershipEvent.Commit(N), ALL, Optional.of(save))))
        .isEqualTo("ABORTED a 5");
  }

  @Test
  void aCommittedMoveIsGivenBackWhileTheRowIsAsItLeftIt() {
    DecidedOperation known = new DecidedOperation(new VmId("v"), Decided.COMMITTED, 5,
        Optional.of(new DecidedOperation.Source(B, B1, "t")), false);
    Map<String, String> found = new TreeMap<>();
    STATES.forEach((name, state) -> found.put(name,
        brief(Transitions.apply(state, new OwnershipEvent.GiveBack(N), ALL, Optional.of(known)))));
    assertThat(found).containsEntry("active", "Active b 6 t TAKEN_BACK").containsEntry("deleted", "refused");
    found.remove("active");
    found.remove("deleted");
    assertThat(found.remove("stopped")).isEqualTo("COMMITTED a 6");
    assertThat(found.values()).containsOnly("COMMITTED a 5");
    assertThat(brief(Transitions.apply(state("active"), new OwnershipEvent.GiveBack(N), B_LOST,
        Optional.of(known)))).as("the source is lost").isEqualTo("COMMITTED a 5");
  }

  @Test
  void aMoveWhoseDestinationHasSaidThatItRunsIsNotGivenBackHoweverLateThatIsAsked() {
    Optional<DecidedOperation> known = Optional.of(new DecidedOperation(new VmId("v"), Decided.COMMITTED, 5,
        Optional.of(new DecidedOperation.Source(B, B1, "t")), false));
    VmOwnership started = next(started(state("active"), A, A1, 5));
    assertThat(brief(started(started, A, A1, 5))).as("asked again").isEqualTo("COMMITTED a 5");
    assertThat(brief(Transitions.apply(started, new OwnershipEvent.GiveBack(N), ALL, known)))
        .isEqualTo("COMMITTED a 5");

    VmOwnership moving = next(
        Transitions.apply(state("active"), new OwnershipEvent.BeginMove(M, B, B1, "t"), ALL, Optional.empty()));
    Optional<DecidedOperation> pending = Optional.of(new DecidedOperation(new VmId("v"), Decided.PENDING, 0,
        Optional.of(new DecidedOperation.Source(A, A1, "s")), false));
    VmOwnership stays = next(
        Transitions.apply(next(started(moving, A, A1, 5)), new OwnershipEvent.Resolve(M, false), ALL,
            pending));
    assertThat(brief(Transitions.apply(stays, new OwnershipEvent.GiveBack(N), ALL, known)))
        .as("after another move that was aborted").isEqualTo("COMMITTED a 5");
    VmRecord row = OwnershipRecords.withState(Rows.vm("v", "x"), stays);
    assertThat(OwnershipRecords.state(row)).isEqualTo(stays);
    assertThat(OwnershipRecords.state(row.toBuilder().setEpoch(6).build()).tenure().started())
        .as("said under an epoch that is over").isFalse();
  }

  private static VmOwnership next(Transition transition) {
    return ((Applied) transition).next();
  }

  @ParameterizedTest
  @ValueSource(strings = {"creating", "active", "moving", "noted", "saving", "saved", "restoring", "stopped"})
  void aStateSurvivesTheWayThroughItsRow(String name) {
    VmRecord row = OwnershipRecords.withState(Rows.vm("v", "x"), state(name));
    assertThat(OwnershipRecords.state(row)).isEqualTo(state(name));
    assertThat(row.getSpec()).isEqualTo(Rows.vm("v", "x").getSpec());
  }
}
