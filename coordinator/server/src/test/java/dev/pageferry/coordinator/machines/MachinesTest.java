package dev.pageferry.coordinator.machines;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.inventory.HostContent;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.agent.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.Codec;
import dev.pageferry.proto.cluster.v1.VerifyVmUpdate;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmDigest;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

class MachinesTest extends MachinesFixture {
  @Test
  void pauseAndResumeActOnTheHost() throws RequestException {
    site.createVm("db", "a");
    assertThat(machines.pause("db").getState()).isEqualTo(Vm.State.PAUSED);
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.PAUSED);
    assertThat(machines.resume("db").getState()).isEqualTo(Vm.State.RUNNING);
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.RUNNING);
  }

  @Test
  void startingAPausedVmResumesItThoughTheLastHeartbeatWasBeforeThePause() throws RequestException {
    site.createVm("db", "a");
    machines.pause("db");
    assertThat(machines.start("db", "", false).getState()).isEqualTo(Vm.State.RUNNING);
    assertThat(site.agent("a").count("createVm")).isEqualTo(1);
    assertThat(site.row("db").getEpoch()).isEqualTo(1);
  }

  @Test
  void aStoppedVmIsGoneFromItsHostAndStartsUnderTheNextEpoch() throws RequestException {
    site.createVm("db", "a");
    assertThat(machines.stop("db").getState()).isEqualTo(Vm.State.STOPPED);
    assertThat(site.agent("a").vms()).isEmpty();
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.STOPPED);
    refused(Kind.REFUSED, () -> machines.pause("db"), "VM db is STOPPED; start it first");
    refused(Kind.REFUSED, () -> machines.digest("db"), "start it first");

    Vm started = machines.start("db", "", false);
    assertThat(started.getState()).isEqualTo(Vm.State.RUNNING);
    assertThat(started.getEpoch()).isEqualTo(2);
    assertThat(site.agent("a").requests(CreateVmRequest.class).getLast().getEpoch()).isEqualTo(2);
    refused(Kind.REFUSED, () -> machines.start("db", "", false),
        "VM db is RUNNING; only a stopped or failed VM can be started");
  }

  @Test
  void aStartThatTheHostRefusesLeavesTheVmStoppedAndItsEpochUsed() throws RequestException {
    site.createVm("db", "a");
    machines.stop("db");
    site.agent("a").refuse("createVm", AgentException.Kind.REFUSED, "full");
    refused(Kind.REFUSED, () -> machines.start("db", "", false), "full");
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.STOPPED);
    assertThat(site.row("db").getEpoch()).isEqualTo(2);

    site.agent("a").accept("createVm");
    assertThat(machines.start("db", "", false).getEpoch()).isEqualTo(3);
  }

  @Test
  void aDeletedVmIsGoneEverywhereAndItsNameIsFree() throws RequestException {
    Vm first = site.createVm("db", "a");
    machines.delete("db", true);
    refused(Kind.NOT_FOUND, () -> machines.show("db"), "VM db does not exist");
    refused(Kind.NOT_FOUND, () -> machines.delete("db", true), "VM db does not exist");
    assertThat(site.agent("a").vms()).isEmpty();
    assertThat(site.store().list("vm")).isEmpty();
    assertThat(site.createVm("db", "b").getId()).isNotEqualTo(first.getId());
  }

  @Test
  void ofAVmWhoseHostIsSilentNobodyKnowsWhetherItRuns() throws RequestException {
    site.createVm("db", "a");
    site.timeOutAllBut("b");
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.UNKNOWN);
    assertThat(machines.show("db").getReason()).contains("host a is not heard");
    refused(Kind.REFUSED, () -> machines.start("db", "", false), "host a is not heard");
    refused(Kind.REFUSED, () -> machines.start("db", "b", false), "may still run on host a");
    refused(Kind.REFUSED, () -> machines.pause("db"), "VM db is UNKNOWN: host a is not heard");
    assertThat(site.owner("db")).containsExactly("a", 1L);

    site.heartbeat("a");
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.RUNNING);
    assertThat(machines.show("db").hasReason()).isFalse();
  }

  @Test
  void aVmWhoseHostRestartedHasFailed() throws RequestException {
    site.createVm("db", "a");
    site.register("a");
    site.heartbeat("a");
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.FAILED);
    assertThat(machines.show("db").getReason()).contains("the agent of host a ended");
    refused(Kind.REFUSED, () -> machines.pause("db"), "VM db is FAILED; start it first");

    Vm started = machines.start("db", "", false);
    assertThat(started.getState()).isEqualTo(Vm.State.RUNNING);
    assertThat(started.getEpoch()).isEqualTo(2);
    assertThat(site.row("db").getOwnerIncarnation()).isEqualTo(site.incarnation("a").value());
  }

  @Test
  void whatBecameOfAVmIsUnknownUntilTheNextAgentOfItsHostHasSaidWhatItTakesOver() throws RequestException {
    site.createVm("db", "a");
    site.register("a");
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.UNKNOWN);
    assertThat(machines.show("db").getReason()).contains("has not said yet what it takes over");
    refused(Kind.REFUSED, () -> machines.start("db", "", false),
        "VM db is UNKNOWN and may still run on host a: the agent of host a ended");

    site.heartbeat("a");
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.FAILED);
  }

  @Test
  void aVmThatItsLivingHostDoesNotReportHasFailedAndIsStartedThereUnderTheNextEpoch() throws RequestException {
    site.createVm("db", "a");
    site.agent("a").lose(site.vmId("db").value());
    assertThat(machines.show("db").getState()).as("it was reported").isEqualTo(Vm.State.RUNNING);
    site.heartbeat("a");
    site.heartbeat("a");
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.FAILED);
    assertThat(machines.list().getFirst().getReason()).contains("host a runs and does not have it");
    refused(Kind.REFUSED, () -> machines.pause("db"), "VM db is FAILED; start it first");
    refused(Kind.REFUSED, () -> machines.start("db", "b", false), "may still run on host a");

    assertThat(machines.start("db", "", false).getState()).isEqualTo(Vm.State.RUNNING);
    assertThat(site.owner("db")).containsExactly("a", 2L);
    assertThat(site.agent("a").vms()).singleElement().satisfies(vm -> assertThat(vm.getEpoch()).isEqualTo(2));
  }

  @Test
  void aVmIsGivenTwoHeartbeatsAfterItsRowChangedToBeReported() throws RequestException {
    site.createVm("db", "a");
    site.heartbeat("a", "a");
    machines.stop("db");
    machines.start("db", "", false);
    site.agent("a").lose(site.vmId("db").value());
    site.inventory().heartbeat(new HostId("a"), site.incarnation("a"), 1, List.of());
    assertThat(machines.show("db").getState()).as("perhaps made before the start").isEqualTo(Vm.State.RUNNING);
    site.heartbeat("a");
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.FAILED);
  }

  /** Its row names its new host from the commit on, and the host lets it run when its source or its disks let it. */
  @Test
  void aVmThatComesToItsOwnerAndDoesNotRunThereYetHasNotFailed() throws RequestException {
    site.createVm("db", "a");
    site.agent("a").lose(site.vmId("db").value());
    HostContent arriving = new HostContent(List.of(), List.of(), Set.of(site.vmId("db")));
    for (int i = 0; i < 3; i++) {
      site.inventory().heartbeat(new HostId("a"), site.incarnation("a"), 1, arriving);
    }
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.RUNNING);
    site.inventory().heartbeat(new HostId("a"), site.incarnation("a"), 1, List.of());
    assertThat(machines.show("db").getState()).as("it came to nothing").isEqualTo(Vm.State.FAILED);
  }

  @Test
  void aVmThatHeartbeatsDidNotNameButItsHostHasIsNotStartedASecondTime() throws RequestException {
    site.createVm("db", "a");
    for (int i = 0; i < 2; i++) {
      site.inventory().heartbeat(new HostId("a"), site.incarnation("a"), 1, List.of());
    }
    refused(Kind.REFUSED, () -> machines.start("db", "", false), "VM db is on host a after all");
    assertThat(site.owner("db")).containsExactly("a", 1L);
  }

  @Test
  void aVmThatWasCommittedToADestinationWhichDoesNotReportItYetHasNotFailed() throws RequestException {
    site.createVm("db", "a");
    String migration = site.migrate("db", "b").getId();
    site.ledger().commit(site.vmId("db"), new dev.pageferry.common.identity.MigrationId(migration),
        site.inventory()::isCurrent);
    site.heartbeat("b", "b");
    site.heartbeat("b");
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.RUNNING);
  }

  @Test
  void aVmOnAHostThatRestartedIsDeletedWithoutAskingIt() throws RequestException {
    site.createVm("db", "a");
    site.register("a");
    machines.delete("db", true);
    assertThat(site.agent("a").count("destroyVm")).isZero();
    assertThat(machines.list()).isEmpty();
  }

  /** A refusal changes nothing: the VM may run on a host that is only cut off, and must not be lost when it is back. */
  @Test
  void stoppingOrDeletingAVmOnASilentHostIsRefusedAndChangesNothing() throws RequestException {
    site.createVm("db", "a");
    site.timeOutAllBut("b");
    VmRecord before = site.row("db");
    refused(Kind.REFUSED, () -> machines.delete("db", true), "host a does not answer, and VM db may still run there");
    refused(Kind.REFUSED, () -> machines.stop("db"), "host a does not answer, and VM db may still run there");
    assertThat(site.row("db")).isEqualTo(before);

    site.heartbeat("a");
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.RUNNING);
  }

  @Test
  void aVmIsStoppedEvenIfItsHostHasLostItAlready() throws RequestException {
    site.createVm("db", "a");
    site.agents().at(FakeSite.address("a")).refuse("destroyVm", AgentException.Kind.NOT_FOUND, "not here");
    assertThat(machines.stop("db").getState()).isEqualTo(Vm.State.STOPPED);
  }

  @Test
  void aVmThatMovesIsMigratingAndIsNeitherStoppedNorStartedNorDeleted() throws RequestException {
    site.createVm("db", "a");
    String migration = site.migrate("db", "b").getId();
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.MIGRATING);
    for (ThrowingCallable each : List.<ThrowingCallable>of(() -> machines.stop("db"),
        () -> machines.delete("db", true))) {
      refused(Kind.REFUSED, each, "is being migrated (%s); wait for it or cancel it".formatted(migration));
    }
    refused(Kind.REFUSED, () -> machines.start("db", "", false), "VM db is MIGRATING");
    assertThat(site.owner("db")).containsExactly("a", 1L, migration);
    assertThat(site.agent("a").count("destroyVm")).isZero();
  }

  @Test
  void stepsComeFromTheHostAndDoNotSeemToGoBackBetweenHosts() throws RequestException {
    site.createVm("db", "a");
    site.hosts("a", "db", vm -> vm.setEpoch(1).setSteps(5000));
    site.heartbeat("a");
    assertThat(machines.show("db").getSteps()).isEqualTo(5000);

    String migration = site.migrate("db", "b").getId();
    site.ledger().commit(site.vmId("db"), new dev.pageferry.common.identity.MigrationId(migration),
        site.inventory()::isCurrent);
    assertThat(machines.show("db").getHost()).isEqualTo("b");
    assertThat(machines.show("db").getSteps()).as("the destination has not reported yet").isEqualTo(5000);

    site.hosts("b", "db", vm -> vm.setEpoch(2).setSteps(5100));
    assertThat(machines.show("db").getSteps()).isEqualTo(5100);
  }

  @Test
  void aHostThatGivesNoStatusLeavesWhatItsLastHeartbeatSaid() throws RequestException {
    site.createVm("db", "a");
    site.hosts("a", "db", vm -> vm.setEpoch(1).setSteps(77)
        .setState(dev.pageferry.proto.agent.v1.VmStatus.State.PAUSED));
    site.heartbeat("a");
    site.agent("a").goSilent();
    assertThat(machines.show("db").getSteps()).isEqualTo(77);
    assertThat(machines.show("db").getState()).isEqualTo(Vm.State.PAUSED);
    refused(Kind.IN_DOUBT, () -> machines.pause("db"), "host a may have done it");
  }

  @Test
  void vmsAreListedByName() throws RequestException {
    for (String name : List.of("c", "a", "b")) {
      site.createVm(name, "a");
    }
    assertThat(machines.list()).extracting(Vm::getName).containsExactly("a", "b", "c");
  }

  @Test
  void digestAndVerificationSpeakOfTheVmByNameAndHost() throws RequestException {
    site.createVm("db", "a");
    site.hosts("a", "db", vm -> vm.setEpoch(1).setSteps(10));
    assertThat(machines.digest("db")).isEqualTo(VmDigest.newBuilder().setName("db").setHost("a").setSteps(10)
        .setMemoryDigest("aa").setRegistersDigest("bb").build());

    List<VerifyVmUpdate> updates = new ArrayList<>();
    machines.verify("db", updates::add);
    assertThat(updates).hasSize(2);
    assertThat(updates.getFirst().hasResult()).isFalse();
    assertThat(updates.getLast().getResult().getName()).isEqualTo("db");
    assertThat(updates.getLast().getResult().getFirstDifference()).isEqualTo(3);
  }

  @Test
  void nothingCanBeAskedOfAVmThatDoesNotExist() {
    for (ThrowingCallable each : List.<ThrowingCallable>of(() -> machines.show("x"),
        () -> machines.start("x", "", false),
        () -> machines.stop("x"), () -> machines.pause("x"), () -> machines.resume("x"), () -> machines.digest("x"),
        () -> machines.verify("x", update -> {
        }))) {
      refused(Kind.NOT_FOUND, each, "VM x does not exist; see 'ferry vm list'");
    }
    assertThatThrownBy(() -> machines.show("")).isInstanceOf(RequestException.class);
  }

  @Test
  void aVmThatRunsOrIsPausedIsDeletedByForceOnly() throws RequestException {
    site.createVm("db", "a");
    refused(Kind.REFUSED, () -> machines.delete("db", false), "VM db is RUNNING");
    machines.pause("db");
    site.heartbeat("a");
    refused(Kind.REFUSED, () -> machines.delete("db", false), "delete it with --force");
    assertThat(site.row("db").getPhase()).isEqualTo(VmRecord.Phase.ACTIVE);
    assertThat(site.agent("a").count("destroyVm")).isZero();

    machines.stop("db");
    machines.delete("db", false);
    site.createVm("db", "a");
    machines.delete("db", true);
    refused(Kind.NOT_FOUND, () -> machines.show("db"), "does not exist");
  }

  @Test
  void theStateOfASavedVmIsThrownAwayOnlyByOneWhoSaysSo() throws RequestException {
    saved("db");
    String file = site.row("db").getSavedState();
    refused(Kind.REFUSED, () -> machines.stop("db"), "at step 1234, on ");
    refused(Kind.REFUSED, () -> machines.stop("db"), file);
    refused(Kind.REFUSED, () -> machines.stop("db"), "--discard-state");
    refused(Kind.REFUSED, () -> machines.delete("db", false), file);
    assertThat(site.row("db").getSavedState()).isEqualTo(file);
    assertThat(site.agent("a").count("discardSavedStates")).isZero();

    assertThat(machines.stop("db", true, false).getState()).isEqualTo(Vm.State.STOPPED);
    assertThat(site.agent("a").count("discardSavedStates")).isEqualTo(1);
    machines.delete("db", false);
    saved("db");
    machines.delete("db", true);
  }

  private void saved(String name) throws RequestException {
    site.createVm(name, "a");
    site.hosts("a", name, status -> status.setSteps(1234).setEpoch(1));
    site.agent("a").when("saveVm", () -> site.ledger().commit(site.vmId(name),
        new MigrationId(site.row(name).getPending().getMigrationId()), (host, incarnation) -> true));
    machines.save(name, Codec.Name.AUTO, (done, total) -> {
    });
  }

  @Test
  void aHostThatFallsSilentWhileItSavesLeavesADoubtAndOneThatRestartedALoss() throws RequestException {
    site.createVm("db", "a");
    site.agent("a").refuse("saveVm", AgentException.Kind.UNREACHABLE, "no answer");
    refused(Kind.IN_DOUBT, () -> machines.save("db", Codec.Name.AUTO, (done, total) -> {
    }), "whether it still runs is not known yet");
    site.agent("a").when("saveVm", () -> site.register("a"));
    refused(Kind.LOST, () -> machines.save("db", Codec.Name.AUTO, (done, total) -> {
    }), "was not saved and is down");
  }

  @Test
  void aHostThatFallsSilentWhenARestoredVmIsItsOwnLeavesADoubt() throws RequestException {
    saved("db");
    site.agent("a").refuse("restoreVm", AgentException.Kind.UNREACHABLE, "no answer");
    refused(Kind.FAILED, () -> machines.restore("db", "", (done, total) -> {
    }), "stays saved");
    site.agent("a").when("restoreVm", () -> site.ledger().commit(site.vmId("db"),
        new MigrationId(site.row("db").getPending().getMigrationId()), (host, incarnation) -> true));
    refused(Kind.IN_DOUBT, () -> machines.restore("db", "", (done, total) -> {
    }), "before it said that the VM runs");
  }

  @Test
  void aDifferenceInRegistersOnlyNamesNoPage() throws RequestException {
    site.createVm("db", "a");
    site.agent("a").differsAt(64 * FakeSite.MIB / 4096);
    List<VerifyVmUpdate> updates = new ArrayList<>();
    machines.verify("db", updates::add);
    assertThat(updates.getLast().getResult().getIdentical()).isFalse();
    assertThat(updates.getLast().getResult().hasFirstDifference()).isFalse();

    site.agent("a").differsAt(64 * FakeSite.MIB / 4096 - 1);
    machines.verify("db", updates::add);
    assertThat(updates.getLast().getResult().getFirstDifference()).isEqualTo(64 * FakeSite.MIB / 4096 - 1);
  }
}
