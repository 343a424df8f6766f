package dev.pageferry.coordinator.repair;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.repair.RepairPlan.Step;
import dev.pageferry.coordinator.repair.Surveyed.Arrival;
import dev.pageferry.coordinator.repair.Surveyed.Copy;
import dev.pageferry.coordinator.repair.Surveyed.Hosts;
import dev.pageferry.coordinator.repair.Surveyed.Leases;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.records.v1.PendingMigration;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class RepairPlanTest {
  private static final VmId V = new VmId("v");
  private static final VmId W = new VmId("w");

  private static VmRecord row(VmId vm, VmRecord.Phase phase, String owner, long epoch) {
    return VmRecord.newBuilder().setSpec(VmSpec.newBuilder().setId(vm.value()).setName("name-of-" + vm)).setPhase(phase)
        .setOwnerHost(owner).setOwnerIncarnation(owner + "-1").setEpoch(epoch).build();
  }

  private static Copy copy(VmId vm, String host, long epoch) {
    return new Copy(new HostId(host), new Incarnation(host + "-1"), "s", epoch, "name-of-" + vm, true, false);
  }

  private static Copy waiting(VmId vm, String host, long epoch) {
    return new Copy(new HostId(host), new Incarnation(host + "-1"), "s", epoch, "name-of-" + vm, true, true);
  }

  private static Arrival arrival(String host, long epoch, boolean isCommitted) {
    return new Arrival(new HostId(host), new Incarnation(host + "-1"), "s", new MigrationId("M"), epoch, isCommitted);
  }

  private static Surveyed world(VmRecord row, List<Copy> copies, List<Arrival> arrivals, String... silent) {
    return new Surveyed(Map.of(V, row), new Hosts(copies.isEmpty() ? Map.of() : Map.of(V, copies),
        arrivals.isEmpty() ? Map.of() : Map.of(V, arrivals),
        Arrays.stream(silent).map(each -> new Incarnation(each + "-1")).collect(Collectors.toSet())),
        new Leases(Map.of(), Set.of("s")), Set.of(), Map.of());
  }

  private static Surveyed world(List<VmRecord> rows, Map<VmId, List<Copy>> copies, Map<VmId, Long> leases,
      VmId... deleted) {
    Map<VmId, VmRecord> byId = new HashMap<>();
    Map<String, VmId> names = new HashMap<>();
    rows.forEach(each -> {
      byId.put(new VmId(each.getSpec().getId()), each);
      names.put(each.getSpec().getName(), new VmId(each.getSpec().getId()));
    });
    return new Surveyed(byId, new Hosts(copies, Map.of(), Set.of()), new Leases(leases, Set.of("s")),
        Set.copyOf(Arrays.asList(deleted)), names);
  }

  @Test
  void aRowThatAgreesNeedsNothing() {
    assertThat(RepairPlan.of(world(List.of(row(V, VmRecord.Phase.ACTIVE, "a", 3)),
        Map.of(V, List.of(copy(V, "a", 3))), Map.of()))).isEmpty();
  }

  @Test
  void aVmThatTheRowCallsStoppedAndAHostRunsIsThatHosts() {
    assertThat(RepairPlan.of(world(List.of(row(V, VmRecord.Phase.STOPPED, "a", 3)),
        Map.of(V, List.of(copy(V, "a", 4))), Map.of()))).singleElement()
        .isInstanceOfSatisfying(Step.Claim.class, claim -> assertThat(claim.copy().epoch()).isEqualTo(4));
  }

  @Test
  void theCopyWithTheLatestEpochIsTheVm() {
    assertThat(RepairPlan.of(world(List.of(row(V, VmRecord.Phase.ACTIVE, "a", 3)),
        Map.of(V, List.of(copy(V, "a", 3), copy(V, "b", 4))), Map.of()))).singleElement()
        .isInstanceOfSatisfying(Step.Claim.class, claim -> assertThat(claim.copy().host().value()).isEqualTo("b"));
  }

  @Test
  void twoCopiesOfOneEpochAreForAnOperatorToTellApart() {
    assertThat(RepairPlan.of(world(List.of(), Map.of(V, List.of(copy(V, "a", 4), copy(V, "b", 4))), Map.of())))
        .singleElement().isInstanceOfSatisfying(Step.Refused.class,
            refused -> assertThat(refused.reason()).contains("[a, b]").contains("vm claim name-of-v"));
  }

  @Test
  void aCopyWhoseDisksWereOpenedLaterIsNotTheNewest() {
    assertThat(RepairPlan.of(world(List.of(row(V, VmRecord.Phase.ACTIVE, "a", 3)),
        Map.of(V, List.of(copy(V, "a", 4))), Map.of(V, 5L)))).singleElement()
        .isInstanceOfSatisfying(Step.Refused.class,
            refused -> assertThat(refused.reason()).contains("epoch 5").contains("not the newest"));
  }

  @Test
  void aVmWhoseStorageCannotBeReadIsNotPutRight() {
    Surveyed blind = new Surveyed(Map.of(V, row(V, VmRecord.Phase.ACTIVE, "a", 3)),
        new Hosts(Map.of(V, List.of(copy(V, "a", 4))), Map.of(), Set.of()), new Leases(Map.of(), Set.of()), Set.of(),
        Map.of());
    assertThat(RepairPlan.of(blind)).singleElement().isInstanceOfSatisfying(Step.Refused.class,
        refused -> assertThat(refused.reason()).contains("storage s cannot be read"));
    Surveyed row = new Surveyed(Map.of(V, row(V, VmRecord.Phase.ACTIVE, "a", 3).toBuilder().setStorageId("s").build()),
        new Hosts(Map.of(), Map.of(), Set.of()), new Leases(Map.of(), Set.of()), Set.of(), Map.of());
    assertThat(RepairPlan.of(row)).singleElement().isInstanceOf(Step.Refused.class);
  }

  @Test
  void aRowThatAgreesWithACopyIsDoubtedWhereADiskWasOpenedLater() {
    assertThat(RepairPlan.of(world(List.of(row(V, VmRecord.Phase.ACTIVE, "a", 3)),
        Map.of(V, List.of(copy(V, "a", 3))), Map.of(V, 5L)))).singleElement().isInstanceOf(Step.Refused.class);
  }

  @Test
  void aVmWithoutARowGetsOneUnlessItsNameIsAnothers() {
    assertThat(RepairPlan.of(world(List.of(), Map.of(V, List.of(copy(V, "a", 1))), Map.of()))).singleElement()
        .isInstanceOfSatisfying(Step.Claim.class, claim -> assertThat(claim.before()).isEmpty());
    VmRecord namesake = row(W, VmRecord.Phase.ACTIVE, "a", 1).toBuilder()
        .setSpec(VmSpec.newBuilder().setId("w").setName("name-of-v")).build();
    assertThat(RepairPlan.of(world(List.of(namesake), Map.of(V, List.of(copy(V, "a", 1)), W, List.of(copy(W, "a", 1))),
        Map.of()))).singleElement().isInstanceOfSatisfying(Step.Refused.class,
            refused -> assertThat(refused.reason()).contains("has the name"));
  }

  @Test
  void aVmWhoseNameANewerOneHasWasDeletedSince() {
    VmRecord before = row(W, VmRecord.Phase.ACTIVE, "a", 1).toBuilder()
        .setSpec(VmSpec.newBuilder().setId("w").setName("name-of-v")).build();
    List<Step> steps = RepairPlan.of(world(List.of(before), Map.of(V, List.of(copy(V, "b", 1))), Map.of()));
    assertThat(steps).hasSize(2);
    assertThat(steps.getFirst()).as("its name is to be free").isInstanceOfSatisfying(Step.DeletedSince.class,
        gone -> assertThat(gone.vm()).isEqualTo(W));
    assertThat(steps.getLast()).isInstanceOf(Step.Claim.class);
  }

  @Test
  void aCopyOfADeletedVmIsLeftToBeDestroyed() {
    assertThat(RepairPlan.of(world(List.of(), Map.of(V, List.of(copy(V, "a", 1))), Map.of(), V))).isEmpty();
  }

  @Test
  void aVmThatNoHostHasIsStoppedUnderTheLatestEpochThatAnybodyKnows() {
    assertThat(RepairPlan.of(world(List.of(row(V, VmRecord.Phase.ACTIVE, "a", 3)), Map.of(), Map.of(V, 6L))))
        .singleElement().isInstanceOfSatisfying(Step.Nowhere.class, it -> assertThat(it.epoch()).isEqualTo(6));
    assertThat(RepairPlan.of(world(List.of(row(V, VmRecord.Phase.STOPPED, "a", 3)), Map.of(), Map.of(V, 6L))))
        .as("an epoch that was given out is not given out again").singleElement().isInstanceOf(Step.Nowhere.class);
    assertThat(RepairPlan.of(world(List.of(row(V, VmRecord.Phase.STOPPED, "a", 3)), Map.of(), Map.of(V, 3L))))
        .isEmpty();
  }

  @Test
  void twoCopiesOfOneEpochAreForAnOperatorEvenIfTheRowAgreesWithOne() {
    assertThat(RepairPlan.of(world(List.of(row(V, VmRecord.Phase.ACTIVE, "a", 4)),
        Map.of(V, List.of(copy(V, "a", 4), copy(V, "b", 4))), Map.of()))).singleElement()
        .isInstanceOf(Step.Refused.class);
  }

  @Test
  void aCopyOfAVmThatWasStoppedOrSavedUnderItsEpochIsVoid() {
    for (VmRecord.Phase phase : List.of(VmRecord.Phase.STOPPED, VmRecord.Phase.SAVED)) {
      assertThat(RepairPlan.of(world(row(V, phase, "a", 4), List.of(copy(V, "a", 4)), List.of()))).isEmpty();
    }
  }

  @Test
  void aCopyThatAHostKeepsInDoubtIsTheVmIfNoOtherOneRuns() {
    VmRecord row = row(V, VmRecord.Phase.ACTIVE, "a", 3);
    for (List<Copy> atTheSource : List.of(List.<Copy>of(), List.of(waiting(V, "a", 3)))) {
      assertThat(RepairPlan.of(world(row, atTheSource, List.of(arrival("b", 4, false))))).singleElement()
          .isInstanceOfSatisfying(Step.ClaimInDoubt.class,
              claim -> assertThat(claim.arrival().host().value()).isEqualTo("b"));
    }
    assertThat(RepairPlan.of(world(row, List.of(copy(V, "a", 3)), List.of(arrival("b", 4, false)))))
        .as("it runs at its source").isEmpty();
    assertThat(RepairPlan.of(world(row, List.of(), List.of(arrival("b", 4, false)), "a"))).singleElement()
        .as("it may run at its source").isInstanceOfSatisfying(Step.Refused.class,
            refused -> assertThat(refused.reason()).contains("host a, which may run it, is not heard"));
    assertThat(RepairPlan.of(world(row(V, VmRecord.Phase.ACTIVE, "b", 4), List.of(waiting(V, "a", 3)),
        List.of(arrival("b", 4, true))))).as("it is known to be that host's").isEmpty();
  }

  @Test
  void nothingIsDoneToARowWhoseOwnerIsSilent() {
    VmRecord row = row(V, VmRecord.Phase.ACTIVE, "a", 3);
    assertThat(RepairPlan.of(world(row, List.of(), List.of(), "a"))).isEmpty();
    assertThat(RepairPlan.of(world(row, List.of(), List.of(), "c"))).singleElement().isInstanceOf(Step.Nowhere.class);
  }

  @Test
  void aVmWhoseStateIsInAFileStaysSavedUnlessItsDisksAreNewer() {
    VmRecord saved = row(V, VmRecord.Phase.ACTIVE, "a", 3).toBuilder()
        .setPending(PendingMigration.newBuilder().setMigrationId("M").setSavedState("file")).build();
    assertThat(RepairPlan.of(world(List.of(saved), Map.of(), Map.of(V, 3L)))).singleElement()
        .isInstanceOfSatisfying(Step.Nowhere.class, it -> assertThat(it.leavesItSaved()).isTrue());
    assertThat(RepairPlan.of(world(List.of(saved), Map.of(), Map.of(V, 4L)))).singleElement()
        .isInstanceOfSatisfying(Step.Nowhere.class, it -> assertThat(it.leavesItSaved()).isFalse());
  }

  @Test
  void copiesThatOnlyWaitAreVoidWhereTheOneThatOpenedTheDisksLaterIsGone() {
    VmRecord row = row(V, VmRecord.Phase.ACTIVE, "a", 3);
    assertThat(RepairPlan.of(world(List.of(row), Map.of(V, List.of(waiting(V, "a", 3))), Map.of(V, 4L))))
        .singleElement().isInstanceOfSatisfying(Step.Nowhere.class, it -> assertThat(it.epoch()).isEqualTo(4));
  }
}
