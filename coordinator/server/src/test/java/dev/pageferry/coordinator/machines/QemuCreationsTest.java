package dev.pageferry.coordinator.machines;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.agent.v1.CreateVmRequest;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.QemuMachine;
import dev.pageferry.proto.cluster.v1.Vm;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a machine of QEMU leaves to its host. */
class QemuCreationsTest extends MachinesFixture {
  private static dev.pageferry.proto.cluster.v1.CreateVmRequest request(QemuMachine.Builder machine) {
    return FakeSite.request("tux", "a").toBuilder().clearProgram().setQemu(machine.setKernel("/boot/vmlinuz")).build();
  }

  @Test
  void whatTheHostChoseIsWhatIsRecordedAndBuiltAndShown() throws RequestException {
    Vm vm = machines.create(request(QemuMachine.newBuilder().setMachine("pc")));

    VmSpec recorded = site.row("tux").getSpec();
    assertThat(recorded.getQemu().getMachine()).isEqualTo("pc-i440fx-10.0");
    assertThat(recorded.getQemu().getAccel()).isEmpty();
    assertThat(site.agent("a").requests(CreateVmRequest.class).getFirst().getSpec().getQemu())
        .isEqualTo(recorded.getQemu());
    assertThat(vm.getQemu().getMachine()).isEqualTo("pc-i440fx-10.0");
    assertThat(vm.getQemu().getAccel()).isEqualTo("tcg");
    assertThat(vm.getQemu().getAccelReason()).isEqualTo("there is no /dev/kvm");
    assertThat(machines.show("tux").getQemu()).isEqualTo(vm.getQemu());
  }

  @Test
  void whatWasAskedForByNameNeedsNoReason() throws RequestException {
    Vm vm = machines.create(request(QemuMachine.newBuilder().setAccel("kvm").addArguments("rtc=base=localtime")));
    assertThat(vm.getQemu().getAccel()).isEqualTo("kvm");
    assertThat(vm.getQemu().hasAccelReason()).isFalse();
    assertThat(vm.getQemu().getArgumentsList()).containsExactly("rtc=base=localtime");
  }

  @Test
  void aMachineHasABiosUnlessItIsToHaveUefi() throws RequestException {
    assertThat(machines.create(request(QemuMachine.newBuilder())).getQemu().getFirmware()).isEqualTo("bios");
    machines.delete("tux", true);
    assertThat(machines.create(request(QemuMachine.newBuilder().setFirmware("uefi"))).getQemu().getFirmware())
        .isEqualTo("uefi");
    machines.delete("tux", true);
    refused(Kind.INVALID, () -> machines.create(request(QemuMachine.newBuilder().setFirmware("coreboot"))),
        "firmware 'coreboot' is not bios or uefi");
  }

  @Test
  void whatTheHostDoesNotHaveIsRefusedBeforeAnythingIsRecorded() {
    site.agent("a").refuse("resolveSpec", AgentException.Kind.REFUSED, "this host has no KVM for guests");
    refused(Kind.REFUSED, () -> machines.create(request(QemuMachine.newBuilder().setAccel("kvm"))),
        "host a: this host has no KVM for guests");
    assertThat(machines.list()).isEmpty();
    assertThat(site.agent("a").count("createVm")).isZero();
  }

  @Test
  void aCdromIsADiskOfTheVmBehindTheOthersAndOfNoOtherVm() throws RequestException {
    for (String disk : List.of("data", "iso")) {
      var _ = site.disks().create(CreateDiskRequest.newBuilder().setName(disk).setSizeBytes(1).build());
    }
    Vm vm = machines.create(request(QemuMachine.newBuilder().addCdroms("iso")).toBuilder().addDisks("data").build());
    assertThat(vm.getDisksList()).containsExactly("data", "iso");
    assertThat(vm.getQemu().getCdromsList()).containsExactly("iso");
    assertThat(site.row("tux").getSpec().getDisksList()).extracting(Disk::getName).containsExactly("data", "iso");
    refused(Kind.REFUSED, () -> machines.create(request(QemuMachine.newBuilder().addCdroms("iso")).toBuilder()
        .setName("other").build()), "disk iso is VM tux's; a disk has one VM");
  }

  @Test
  void aBuiltInMachineLeavesNothingToItsHost() throws RequestException {
    Vm vm = site.createVm("db", "a");
    assertThat(vm.hasQemu()).isFalse();
    assertThat(site.agent("a").count("resolveSpec")).isZero();
  }
}
