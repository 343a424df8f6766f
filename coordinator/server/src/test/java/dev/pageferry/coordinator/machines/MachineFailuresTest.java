package dev.pageferry.coordinator.machines;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.ownership.OwnershipEvent;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.VmRecord;
import java.io.IOException;
import java.nio.file.Path;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Changes of VMs that break off in the middle: what was done is not called refused, and what goes on is not undone. */
class MachineFailuresTest {
  @TempDir
  Path directory;
  private FakeSite site;
  private Machines machines;

  @BeforeEach
  void open() throws IOException {
    site = new FakeSite(directory);
    machines = site.machines();
    site.register("a");
    site.register("b");
  }

  @AfterEach
  void close() {
    site.close();
  }

  private static void fails(Kind kind, ThrowingCallable request, String part) {
    RequestException failure = catchThrowableOfType(RequestException.class, request);
    assertThat(failure).as("a failure that says '%s'", part).isNotNull();
    assertThat(failure.kind()).isEqualTo(kind);
    assertThat(failure).hasMessageContaining(part);
  }

  /** The agent asked for the first step, and then could not answer. */
  private void stepsAndFails(long epoch) {
    site.agent("a").when("createVm", () -> site.ledger().started(site.vmId("db"),
        new OwnershipEvent.Started(new HostId("a"), site.incarnation("a"), new OwnershipEpoch(epoch))));
    site.agent("a").refuse("createVm", AgentException.Kind.FAILED, "no memory for an answer");
  }

  @Test
  void aVmThatDidItsFirstStepIsNotForgottenThoughItsCreationFailed() {
    stepsAndFails(1);
    fails(Kind.IN_DOUBT, () -> machines.create(FakeSite.request("db", "a")),
        "VM db was started, and host a did not say");
    assertThat(site.row("db").getPhase()).isEqualTo(VmRecord.Phase.ACTIVE);
    assertThat(site.agent("a").count("destroyVm")).isZero();
  }

  @Test
  void aVmThatWasMovedOnWhileItsCreationWasStillBeingAnsweredStaysWhereItIs() {
    site.agent("a").when("createVm", () -> {
      site.ledger().started(site.vmId("db"),
          new OwnershipEvent.Started(new HostId("a"), site.incarnation("a"), new OwnershipEpoch(1)));
      moveToB();
    });
    site.agent("a").refuse("createVm", AgentException.Kind.NOT_FOUND, "VM is not here");
    fails(Kind.IN_DOUBT, () -> machines.create(FakeSite.request("db", "a")), "VM db was started");
    assertThat(site.owner("db")).containsExactly("b", 2L);
  }

  private void moveToB() {
    MigrationId move = new MigrationId("M");
    try {
      site.ledger().begin(site.ledger().find(site.vmId("db")).orElseThrow(), move, MigrationRecord.newBuilder()
          .setVmId(site.vmId("db").value()).setDestinationIncarnation(site.incarnation("b").value()).build(),
          new HostId("b"));
    } catch (ConflictException e) {
      throw new AssertionError(e);
    }
    site.ledger().commit(site.vmId("db"), move, (host, incarnation) -> true);
  }

  @Test
  void aVmThatDidItsFirstStepIsNotStoppedThoughItsStartFailed() throws RequestException {
    site.createVm("db", "a");
    machines.stop("db");
    stepsAndFails(2);
    fails(Kind.IN_DOUBT, () -> machines.start("db", "", false), "VM db was started");
    assertThat(site.row("db").getPhase()).isEqualTo(VmRecord.Phase.ACTIVE);
  }

  @Test
  void aStartWhoseHostRefusesLeavesTheVmStopped() throws RequestException {
    site.createVm("db", "a");
    machines.stop("db");
    site.agent("a").refuse("createVm", AgentException.Kind.REFUSED, "no memory");
    fails(Kind.REFUSED, () -> machines.start("db", "", false), "host a: no memory");
    assertThat(site.row("db").getPhase()).isEqualTo(VmRecord.Phase.STOPPED);
    site.agent("a").accept("createVm");
    site.agent("a").refuse("destroyVm", AgentException.Kind.UNREACHABLE, "no answer");
    fails(Kind.REFUSED, () -> machines.start("db", "", false), "host a: no answer");
    assertThat(site.row("db").getPhase()).isEqualTo(VmRecord.Phase.STOPPED);
  }

  @Test
  void aVmThatIsStoppedInTheRecordsIsNotCalledRefusedWhereItsHostDoesNotSayThatItIsGone() throws RequestException {
    site.createVm("db", "a");
    site.agent("a").refuse("destroyVm", AgentException.Kind.UNREACHABLE, "no answer");
    fails(Kind.IN_DOUBT, () -> machines.stop("db"), "VM db is stopped in the records");
    assertThat(site.row("db").getPhase()).isEqualTo(VmRecord.Phase.STOPPED);
    fails(Kind.IN_DOUBT, () -> machines.delete("db", true), "is stopped in the records");
    site.agent("a").accept("destroyVm");
    machines.delete("db", false);
  }
}
