package dev.pageferry.coordinator.migration;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.fakes.SiteFixture;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.cluster.v1.QemuMachine;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmDestination;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Where a VM could be moved, and why not elsewhere. */
class DestinationsTest extends SiteFixture {
  @BeforeEach
  void createVm() throws RequestException {
    Vm _ = site.machines().create(FakeSite.request("tux", "a").toBuilder().clearProgram()
        .setQemu(QemuMachine.newBuilder().setKernel("/boot/vmlinuz")).build());
    site.heartbeat("a");
  }

  private List<VmDestination> destinations(String vm) throws RequestException {
    return site.migrations().destinations(vm);
  }

  private VmDestination only(String vm) throws RequestException {
    assertThat(destinations(vm)).extracting(VmDestination::getHost).containsExactly("b");
    return destinations(vm).getFirst();
  }

  @Test
  void aHostThatHasWhatTheVmNeedsIsEligible() throws RequestException {
    assertThat(only("tux")).isEqualTo(VmDestination.newBuilder().setHost("b").setEligible(true).build());
    assertThat(site.agent("b").count("prepareIncoming")).isZero();
  }

  @Test
  void aHostSaysItselfWhatItLacks() throws RequestException {
    site.agent("b").refuse("checkArrival", AgentException.Kind.REFUSED, "this host has no KVM for guests");
    assertThat(only("tux").getEligible()).isFalse();
    assertThat(only("tux").getReason()).isEqualTo("host b: this host has no KVM for guests");
  }

  @Test
  void aHostThatAMoveWouldBeRefusedToIsNotAsked() throws RequestException {
    site.timeOutAllBut("a");
    assertThat(only("tux").getReason()).contains("host b is DOWN");
    assertThat(site.agent("b").count("checkArrival")).isZero();
  }

  @Test
  void aHostThatDoesNotAnswerIsNotEligible() throws RequestException {
    site.agent("b").refuse("checkArrival", AgentException.Kind.UNREACHABLE, "its agent does not answer");
    assertThat(only("tux").getReason()).isEqualTo("host b: its agent does not answer");
  }

  @Test
  void ofABuiltInMachineNoHostNeedsToBeAsked() throws RequestException {
    site.createVm("db", "a");
    site.heartbeat("a");
    assertThat(only("db").getEligible()).isTrue();
    assertThat(site.agent("b").count("checkArrival")).isZero();
  }

  @Test
  void aVmThatIsDownGoesNowhere() throws RequestException {
    site.machines().stop("tux", false, true);
    assertThat(destinations("tux")).isEmpty();
  }
}
