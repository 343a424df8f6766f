package dev.pageferry.coordinator.availability;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.fakes.SiteFixture;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.cluster.v1.CheckHaResponse;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.Ha;
import dev.pageferry.proto.cluster.v1.HostDeath;
import dev.pageferry.proto.cluster.v1.HostPreference;
import dev.pageferry.proto.cluster.v1.HostVerdict;
import dev.pageferry.proto.cluster.v1.QemuMachine;
import dev.pageferry.proto.cluster.v1.SetVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmPlacement;
import dev.pageferry.proto.records.v1.HostRecord;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the death of a host would leave, as rows and heartbeats have it. */
class HostDeathsTest extends SiteFixture {
  private static final long MIB = FakeSite.MIB;

  @BeforeEach
  void hearHosts() {
    site.heartbeat("a", "b");
  }

  private Vm withDisk(String name, String host, long mib) throws Exception {
    var _ = site.disks().create(CreateDiskRequest.newBuilder().setName(name + "-disk").setSizeBytes(MIB)
        .setFormat(Disk.Format.RAW).setHost(host).build());
    return create(name, host, mib, name + "-disk");
  }

  private Vm create(String name, String host, long mib, String... disks) throws RequestException {
    Vm vm = site.machines().create(FakeSite.request(name, host).toBuilder().setMemoryBytes(mib * MIB)
        .addAllDisks(List.of(disks)).build());
    site.heartbeat(host);
    return vm;
  }

  private void set(SetVmRequest.Builder request) throws RequestException {
    Vm _ = site.machines().set(request.build());
  }

  private HostDeath death(String host) throws Exception {
    return site.deaths().check().getHostsList().stream().filter(each -> each.getHost().equals(host)).findFirst()
        .orElseThrow();
  }

  private static List<String> unplaced(HostDeath death) {
    return death.getUnplacedList().stream().map(each -> each.getKind() + " " + each.getVm()).toList();
  }

  private static String reason(HostDeath death, String vm) {
    return death.getUnplacedList().stream().filter(each -> each.getVm().equals(vm)).findFirst().orElseThrow()
        .getReason();
  }

  private static HostVerdict verdict(VmPlacement placement, String host) {
    return placement.getHostsList().stream().filter(each -> each.getHost().equals(host)).findFirst().orElseThrow();
  }

  @Test
  void aVmWithDisksOnSharedStorageIsRestarted() throws Exception {
    Vm _ = withDisk("db", "a", 64);
    assertThat(death("a")).isEqualTo(HostDeath.newBuilder().setHost("a").setRestartable(1).build());
    assertThat(death("b")).isEqualTo(HostDeath.newBuilder().setHost("b").build());
    assertThat(site.deaths().mostWithoutPlace()).isZero();
  }

  @Test
  void aVmWithoutDisksIsRestartedOnlyWhereThatIsWished() throws Exception {
    Vm _ = create("idle", "a", 64);
    assertThat(unplaced(death("a"))).containsExactly("NEVER idle");
    assertThat(reason(death("a"), "idle")).contains("no disks", "ferry vm set idle --ha on");
    set(SetVmRequest.newBuilder().setName("idle").setHa(Ha.Name.ON));
    assertThat(death("a").getRestartable()).isEqualTo(1);
    assertThat(unplaced(death("a"))).isEmpty();
  }

  @Test
  void aVmWhoseHaIsOffIsNever() throws Exception {
    Vm _ = withDisk("db", "a", 64);
    set(SetVmRequest.newBuilder().setName("db").setHa(Ha.Name.OFF));
    assertThat(unplaced(death("a"))).containsExactly("NEVER db");
    assertThat(reason(death("a"), "db")).isEqualTo("its ha is off");
  }

  @Test
  void disksThatNoOtherHostHasAreAReasonOfTheirOwn() throws Exception {
    Vm _ = withDisk("db", "a", 64);
    var _ = site.inventory().register(HostRecord.newBuilder().setId("b")
        .setIncarnation(site.incarnation("b").value()).setAddress(FakeSite.address("b")).setStorageId("other").build(),
        1024 * MIB);
    assertThat(unplaced(death("a"))).containsExactly("NEVER db");
    assertThat(reason(death("a"), "db")).contains("no other host has", "storage-1");
    assertThat(site.deaths().mostWithoutPlace()).isZero();
  }

  @Test
  void whatFindsNoRoomIsToldAndCounted() throws Exception {
    Vm _ = withDisk("large", "a", 1000);
    Vm _ = withDisk("small", "a", 100);
    assertThat(unplaced(death("a"))).containsExactly("NO_PLACE small");
    assertThat(death("a").getRestartable()).isEqualTo(2);
    assertThat(reason(death("a"), "small")).contains("a: it is the host that stops", "b: it has 24 MiB free");
    assertThat(site.deaths().mostWithoutPlace()).isEqualTo(1);
    set(SetVmRequest.newBuilder().setName("small").setPriority(501));
    assertThat(unplaced(death("a"))).containsExactly("NO_PLACE large");
  }

  @Test
  void aHostThatIsDownTakesNothingAndLeavesWhatItHad() throws Exception {
    Vm _ = withDisk("db", "a", 64);
    site.timeOutAllBut("b");
    assertThat(unplaced(death("a"))).isEmpty();
    assertThat(site.deaths().place("db").getTo()).isEqualTo("b");
    site.timeOutAllBut("a");
    assertThat(unplaced(death("a"))).containsExactly("NO_PLACE db");
    assertThat(reason(death("a"), "db")).contains("b: it is DOWN: no heartbeat");
  }

  @Test
  void memoryThatIsPromisedToAVmOnItsWayIsFreeAgainWhereItsSourceStops() throws Exception {
    Vm _ = withDisk("db", "a", 600);
    Vm _ = create("moving", "a", 600);
    var _ = site.migrate("moving", "b");
    assertThat(unplaced(death("a"))).containsExactly("NEVER moving");
    assertThat(verdict(site.deaths().place("db"), "b").getReason()).isEqualTo("1 GiB free");
    assertThat(site.deaths().mostWithoutPlace()).isZero();
  }

  @Test
  void thePlaceOfAVmHasAReasonForEachHost() throws Exception {
    Vm _ = withDisk("db", "a", 64);
    VmPlacement placement = site.deaths().place("db");
    assertThat(placement.getHost()).isEqualTo("a");
    assertThat(placement.getTo()).isEqualTo("b");
    assertThat(placement.getReason()).isEqualTo("no other host can take it");
    assertThat(placement.getRestartable()).isTrue();
    assertThat(verdict(placement, "a").getEligible()).isFalse();
    assertThat(verdict(placement, "b").getReason()).isEqualTo("1 GiB free");
  }

  @Test
  void aVmThatIsNeverRestartedIsPlacedAfterThoseThatAre() throws Exception {
    Vm _ = withDisk("db", "a", 900);
    Vm _ = create("idle", "a", 200);
    set(SetVmRequest.newBuilder().setName("idle").setPriority(1000));
    VmPlacement idle = site.deaths().place("idle");
    assertThat(idle.hasTo()).isFalse();
    assertThat(idle.getRestartable()).isFalse();
    assertThat(verdict(idle, "b").getReason()).contains("900 MiB are promised");
    assertThat(site.deaths().place("db").getTo()).isEqualTo("b");
  }

  @Test
  void aVmThatIsDownIsPlacedAsIfItWereStarted() throws Exception {
    Vm _ = withDisk("db", "a", 64);
    Vm _ = site.machines().stop("db");
    set(SetVmRequest.newBuilder().setName("db").setPrefer(HostPreference.newBuilder().addHosts("b")));
    VmPlacement placement = site.deaths().place("db");
    assertThat(placement.getHost()).isEmpty();
    assertThat(placement.getTo()).isEqualTo("b");
    assertThat(placement.getNotRestartableBecause()).contains("no host's memory");
    assertThat(verdict(placement, "a").getEligible()).isTrue();
    assertThat(death("a").getRestartable()).isZero();
  }

  @Test
  void aMachineOfQemuGoesWhereItsHostSaysYes() throws Exception {
    for (String each : List.of("tux-1", "tux-2")) {
      Vm _ = site.machines().create(FakeSite.request(each, "a").toBuilder().clearProgram()
          .setQemu(QemuMachine.newBuilder().setKernel("/boot/vmlinuz")).build());
      set(SetVmRequest.newBuilder().setName(each).setHa(Ha.Name.ON));
    }
    site.heartbeat("a");
    assertThat(unplaced(death("a"))).isEmpty();
    long asked = site.agent("b").count("checkArrival");
    site.agent("b").refuse("checkArrival", AgentException.Kind.REFUSED, "this host has no KVM for guests");
    assertThat(unplaced(death("a"))).containsExactly("NO_PLACE tux-1", "NO_PLACE tux-2");
    assertThat(reason(death("a"), "tux-1")).contains("b: this host has no KVM for guests");
    assertThat(asked).as("machines that are alike are asked for once, in each check").isEqualTo(1);
    assertThat(verdict(site.deaths().place("tux-1"), "b").getEligible()).isFalse();
    assertThat(site.deaths().mostWithoutPlace()).as("asks no host").isZero();
  }

  @Test
  void ofBuiltInMachinesNoHostIsAsked() throws Exception {
    Vm _ = withDisk("db", "a", 64);
    CheckHaResponse _ = site.deaths().check();
    assertThat(site.agent("b").count("checkArrival")).isZero();
  }

  @Test
  void aVmThatIsNotThereIsNotFound() {
    assertThatThrownBy(() -> site.deaths().place("nobody")).isInstanceOf(RequestException.class)
        .hasMessageContaining("VM nobody does not exist");
  }

  @Test
  void withoutVmsAndWithoutHostsNothingIsAmiss() throws Exception {
    assertThat(site.deaths().check().getHostsList()).hasSize(2).allMatch(each -> each.getUnplacedCount() == 0);
    site.timeOutAllBut();
    assertThat(site.inventory().forget(new HostId("a")) && site.inventory().forget(new HostId("b"))).isTrue();
    assertThat(site.deaths().check().getHostsList()).isEmpty();
    assertThat(site.deaths().mostWithoutPlace()).isZero();
  }
}
