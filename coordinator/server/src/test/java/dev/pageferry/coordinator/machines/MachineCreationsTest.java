package dev.pageferry.coordinator.machines;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.fakes.FakeAgents.Destroy;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.agent.v1.CreateVmRequest;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.List;
import org.junit.jupiter.api.Test;

class MachineCreationsTest extends MachinesFixture {
  @Test
  void aVmIsBuiltOnItsHostUnderTheFirstEpoch() throws RequestException {
    Vm vm = machines
        .create(FakeSite.request("db", "a").toBuilder().setProgram("uniform").putProgramArgs("rate", "1MB/s")
            .build());

    assertThat(vm.getHost()).isEqualTo("a");
    assertThat(vm.getState()).isEqualTo(Vm.State.RUNNING);
    assertThat(vm.getEpoch()).isEqualTo(1);
    assertThat(vm.getProgramArgsMap()).containsEntry("rate", "1MB/s");
    CreateVmRequest asked = site.agent("a").requests(CreateVmRequest.class).getFirst();
    assertThat(asked.getEpoch()).isEqualTo(1);
    assertThat(asked.getPaused()).isFalse();
    assertThat(asked.getSpec().getMemoryBytes()).isEqualTo(64 * FakeSite.MIB);
    assertThat(site.row("db").getPhase()).isEqualTo(VmRecord.Phase.ACTIVE);
    assertThat(site.row("db").getOwnerIncarnation()).isEqualTo(site.incarnation("a").value());
  }

  @Test
  void whenAVmWasCreatedIsRecordedAndStaysWhateverBecomesOfIt() throws Exception {
    long before = Scheduler.SYSTEM.wallMillis();
    Vm vm = site.createVm("db", "a");
    long created = site.row("db").getCreatedAtMillis();
    assertThat(created).isBetween(before, Scheduler.SYSTEM.wallMillis());
    assertThat(vm.getCreatedAt()).isEqualTo(Timestamp.newBuilder().setSeconds(created / 1000)
        .setNanos((int) (created % 1000) * 1_000_000).build());

    site.heartbeat("a");
    machines.stop("db");
    machines.start("db", "b", false);
    assertThat(site.row("db").getEpoch()).isEqualTo(2);
    assertThat(site.row("db").getCreatedAtMillis()).isEqualTo(created);
    assertThat(machines.list().getFirst().getCreatedAt()).isEqualTo(vm.getCreatedAt());
  }

  @Test
  void twoVmsOfOneNetworkHaveDifferentAddressesOnDifferentNetworksTheyNeedNot() throws RequestException {
    Vm one = machines.create(withCard("one", "02:00:00:00:00:01@7"));
    assertThat(one.getNicsList()).containsExactly("02:00:00:00:00:01@7");
    assertThat(one.getAddressesList()).containsExactly("10.0.0.1");

    refused(Kind.REFUSED, () -> machines.create(withCard("two", "02:00:00:00:00:01@7,ip=10.0.0.2")),
        "MAC address 02:00:00:00:00:01 is VM one's on network 7");
    refused(Kind.REFUSED, () -> machines.create(withCard("two", "02:00:00:00:00:02@7,ip=10.0.0.1")),
        "address 10.0.0.1 is VM one's on network 7");
    refused(Kind.INVALID, () -> machines.create(withCard("two", "02:00:00:00:00")), "is not a MAC address");
    assertThat(machines.create(withCard("two", "02:00:00:00:00:01@8")).getNicsList()).hasSize(1);
  }

  private static dev.pageferry.proto.cluster.v1.CreateVmRequest withCard(String name, String nic) {
    return FakeSite.request(name, "a").toBuilder().addNics(nic).build();
  }

  @Test
  void aDeviceThatAVmHasIsNotGivenToAnotherUnderAnotherPath() throws RequestException {
    attach("/dev/sda", "naa.600a", "");
    attach("/dev/sdb", "naa.600a", "naa.600a");
    attach("/dev/dm-0", "", "naa.600a");
    attach("/dev/sdc", "naa.600c", "naa.600c");
    machines.create(withDisks("one", "/dev/sda"));

    refused(Kind.REFUSED, () -> machines.create(withDisks("two", "/dev/sdb")),
        "disk /dev/sdb is VM one's, which has it as /dev/sda");
    refused(Kind.REFUSED, () -> machines.create(withDisks("two", "/dev/dm-0")),
        "is VM one's, which has it as /dev/sda");
    refused(Kind.INVALID, () -> machines.create(withDisks("two", "/dev/sdc", "/dev/sdc")), "asked for twice");
    machines.create(withDisks("two", "/dev/sdc"));
  }

  @Test
  void whatADeviceIsStaysKnownThoughItsHostDoesNotRepeatIt() throws RequestException {
    attach("/dev/dm-0", "", "naa.600a");
    attach("/dev/dm-1", "", "naa.600a");
    machines.create(withDisks("one", "/dev/dm-0"));
    assertThat(site.row("one").getSpec().getDisks(0).getDevice()).isEqualTo("naa.600a");
    refused(Kind.REFUSED, () -> machines.create(withDisks("two", "/dev/dm-1")), "which has it as /dev/dm-0");
  }

  @Test
  void filesOfOneInodeOnDifferentFileSystemsAreDifferentDisks() throws RequestException {
    attach("/mnt/one/disk.raw", "inode-12", "");
    attach("/mnt/two/disk.raw", "inode-12", "");
    machines.create(withDisks("one", "/mnt/one/disk.raw"));
    machines.create(withDisks("two", "/mnt/two/disk.raw"));
  }

  private void attach(String path, String identity, String device) {
    site.agents().attach(Disk.newBuilder().setName(path).setFormat(Disk.Format.RAW).setSizeBytes(FakeSite.MIB)
        .setIdentity(identity).setDevice(device).build());
  }

  private static dev.pageferry.proto.cluster.v1.CreateVmRequest withDisks(String name, String... disks) {
    return FakeSite.request(name, "a").toBuilder().addAllDisks(List.of(disks)).build();
  }

  @Test
  void aVmThatIsToBePausedIsCreatedPaused() throws RequestException {
    assertThat(machines.create(FakeSite.request("db", "a").toBuilder().setPaused(true).build()).getState())
        .isEqualTo(Vm.State.PAUSED);
  }

  @Test
  void aCreationIsRefusedBeforeAnythingIsRecorded() throws RequestException {
    site.timeOutAllBut("a");
    refused(Kind.NOT_FOUND, () -> machines.create(FakeSite.request("db", "nowhere")), "host nowhere is not known");
    refused(Kind.INVALID, () -> machines.create(FakeSite.request("db", "no such/host")), "HostId");
    refused(Kind.REFUSED, () -> machines.create(FakeSite.request("db", "b")), "host b is DOWN");
    refused(Kind.INVALID, () -> machines.create(FakeSite.request("", "a")), "VM name");
    refused(Kind.REFUSED, () -> machines.create(FakeSite.request("db", "a").toBuilder()
        .setMemoryBytes(1025 * FakeSite.MIB).build()), "host a has 1 GiB free");

    assertThat(machines.list()).isEmpty();
    assertThat(site.store().list("vm")).isEmpty();
    assertThat(site.agent("a").count("createVm") + site.agent("b").count("createVm")).isZero();
  }

  @Test
  void aTakenNameIsRefusedAndTheFirstVmGoesOn() throws RequestException {
    Vm first = site.createVm("db", "a");
    refused(Kind.EXISTS, () -> machines.create(FakeSite.request("db", "b")), "VM db exists already");
    assertThat(machines.list()).extracting(Vm::getId).containsExactly(first.getId());
    assertThat(site.agent("b").count("createVm")).isZero();
  }

  @Test
  void aVmThatItsHostCannotBuildLeavesNoRecord() throws RequestException {
    site.agent("a").refuse("createVm", AgentException.Kind.REFUSED, "no memory after all");
    refused(Kind.REFUSED, () -> machines.create(FakeSite.request("db", "a")), "host a: no memory after all");
    site.agent("a").refuse("createVm", AgentException.Kind.INVALID, "unknown program");
    refused(Kind.INVALID, () -> machines.create(FakeSite.request("db", "a")), "unknown program");
    site.agent("a").refuse("createVm", AgentException.Kind.FAILED, "it broke");
    refused(Kind.FAILED, () -> machines.create(FakeSite.request("db", "a")), "it broke");
    assertThat(site.store().list("vm")).isEmpty();

    site.agent("a").accept("createVm");
    assertThat(site.createVm("db", "a").getState()).isEqualTo(Vm.State.RUNNING);
  }

  @Test
  void aVmWhoseCreationWasNotAnsweredIsDestroyedWhereItMayBe() {
    site.agent("a").refuse("createVm", AgentException.Kind.UNREACHABLE, "deadline");
    refused(Kind.REFUSED, () -> machines.create(FakeSite.request("db", "a")), "host a: deadline");
    assertThat(site.agent("a").requests(Destroy.class)).extracting(Destroy::epoch).containsExactly(1L);
    assertThat(site.store().list("vm")).isEmpty();
  }
}
