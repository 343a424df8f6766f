package dev.pageferry.coordinator.machines;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.UnknownFieldSet;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.proto.cluster.v1.Ha;
import dev.pageferry.proto.cluster.v1.HostPreference;
import dev.pageferry.proto.cluster.v1.SetVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.Availability;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What operators wish for VMs when hosts stop, as rows keep it. */
class WishesTest extends MachinesFixture {
  @BeforeEach
  void createVm() throws Exception {
    Vm _ = site.createVm("db", "a");
  }

  private static SetVmRequest.Builder request() {
    return SetVmRequest.newBuilder().setName("db");
  }

  private static HostPreference.Builder hosts(String... names) {
    return HostPreference.newBuilder().addAllHosts(List.of(names));
  }

  private static List<Object> wishes(Vm vm) {
    return List.of(vm.getHa(), vm.getPriority(), vm.getPreferList(), vm.getApartFrom());
  }

  private static void refused(String part, SetVmRequest.Builder request, Machines machines, Kind kind) {
    refused(kind, () -> machines.set(request.build()), part);
  }

  @Test
  void aVmThatNobodyWishedAnythingForHasTheDefaults() throws Exception {
    assertThat(wishes(machines.show("db"))).containsExactly(Ha.Name.AUTO, 500, List.of(), "");
    assertThat(site.row("db").hasAvailability()).isFalse();
  }

  @Test
  void whatIsNotNamedStaysAndWhatIsEmptyClears() throws Exception {
    assertThat(wishes(machines.set(request().setHa(Ha.Name.ON).setPriority(0).setPrefer(hosts("b", "a"))
        .setApartFrom("web").build()))).containsExactly(Ha.Name.ON, 0, List.of("b", "a"), "web");
    assertThat(wishes(machines.set(request().setHa(Ha.Name.OFF).build())))
        .containsExactly(Ha.Name.OFF, 0, List.of("b", "a"), "web");
    assertThat(wishes(machines.set(request().setPrefer(hosts()).setApartFrom("").setPriority(1000).build())))
        .containsExactly(Ha.Name.OFF, 1000, List.of(), "");
    assertThat(site.owner("db")).as("whose it is does not change").containsExactly("a", 1L);
  }

  @Test
  void wishesOutliveTheCoordinatorAndWhateverBecomesOfTheVm() throws Exception {
    Vm _ = machines.set(request().setHa(Ha.Name.ON).setPriority(700).setPrefer(hosts("b")).setApartFrom("web").build());
    site = site.afterCoordinatorRestart();
    site.heartbeat("a", "b");
    List<Object> expected = List.of(Ha.Name.ON, 700, List.of("b"), "web");
    assertThat(wishes(site.machines().show("db"))).isEqualTo(expected);
    assertThat(wishes(site.machines().stop("db"))).isEqualTo(expected);
    assertThat(wishes(site.machines().start("db", "b", false))).isEqualTo(expected);
    assertThat(site.machines().list()).singleElement().satisfies(each -> assertThat(wishes(each)).isEqualTo(expected));
  }

  /** The classes of the version before see the field as an unknown one, and keep it in the same way. */
  @Test
  void whatOnlyALaterVersionKnowsStaysInTheRow() throws Exception {
    VmRecord before = site.row("db");
    byte[] unknown = UnknownFieldSet.newBuilder()
        .addField(1999, UnknownFieldSet.Field.newBuilder().addVarint(7).build()).build()
        .toByteArray();
    VmRecord later = before.toBuilder().mergeFrom(unknown).build();
    site.store().commit(new Transaction()
        .put("vms/" + before.getSpec().getId(), later.toByteArray()));
    Vm _ = machines.set(request().setPriority(1).build());
    assertThat(site.row("db").getUnknownFields().hasField(1999)).isTrue();
    Vm _ = machines.stop("db");
    assertThat(site.row("db").getUnknownFields().hasField(1999)).isTrue();
    assertThat(site.row("db").getAvailability().getPriority()).isEqualTo(1);
  }

  @Test
  void aWishOfALaterVersionIsTakenForNever() {
    assertThat(Wishes.of(VmRecord.newBuilder().setAvailability(Availability.newBuilder().setHaValue(9)).build()).ha())
        .isEqualTo(Ha.Name.OFF);
  }

  @Test
  void whatCannotBeIsRefusedAndChangesNothing() {
    refused("nothing is to be set", request(), machines, Kind.INVALID);
    refused("priority 1001 is not from 0 to 1000", request().setPriority(1001), machines, Kind.INVALID);
    refused("priority -1 is not", request().setPriority(-1), machines, Kind.INVALID);
    refused("host c is not known", request().setPrefer(hosts("b", "c")), machines, Kind.NOT_FOUND);
    refused("preferred twice", request().setPrefer(hosts("b", "b")), machines, Kind.INVALID);
    refused("HostId ''", request().setPrefer(hosts("b", "")), machines, Kind.INVALID);
    refused("group 'a b' is not", request().setApartFrom("a b"), machines, Kind.INVALID);
    refused("ha is auto, on or off", request().setHaValue(9), machines, Kind.INVALID);
    refused("VM other does not exist", request().setName("other").setPriority(1), machines, Kind.NOT_FOUND);
    assertThat(site.row("db").hasAvailability()).isFalse();
  }

  @Test
  void aHostThatIsDownMayBePreferred() throws Exception {
    site.timeOutAllBut("a");
    assertThat(machines.set(request().setPrefer(hosts("b")).build()).getPreferList()).containsExactly("b");
  }
}
