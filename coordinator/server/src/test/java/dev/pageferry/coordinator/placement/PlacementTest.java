package dev.pageferry.coordinator.placement;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Where VMs would go, and the reasons. */
class PlacementTest {
  private static final long GIB = 1L << 30;

  private static PlacementHost host(String name, long gib) {
    return new PlacementHost(name, "", "s", gib * GIB, Map.of());
  }

  private static PlacementHost host(String name, String storage, long gib) {
    return new PlacementHost(name, "", storage, gib * GIB, Map.of());
  }

  private static PlacementVm vm(String name, long gib, int priority, String... prefer) {
    return new PlacementVm(name, gib * GIB, "dead", "", priority, List.of(prefer), "");
  }

  private static PlacementVm vm(String name, long gib) {
    return vm(name, gib, 500);
  }

  private static PlacementVm ofGroup(String name, String host, String group) {
    return new PlacementVm(name, GIB, host, "", 500, List.of(), group);
  }

  private static PlacementVm stored(String name, long gib, String storage) {
    return new PlacementVm(name, gib * GIB, "dead", storage, 500, List.of(), "");
  }

  private static List<Placed> place(List<PlacementHost> hosts, PlacementVm... vms) {
    return Placement.of(new World(hosts, List.of(vms)), List.of(vms));
  }

  /** VM and host, in the order in which they were placed. */
  private static List<String> places(List<Placed> placed) {
    return placed.stream().map(each -> each.vm().name() + ">" + each.host().orElse("-")).toList();
  }

  private static String why(List<Placed> placed, String vm, String host) {
    return placed.stream().filter(each -> each.vm().name().equals(vm)).flatMap(each -> each.verdicts().stream())
        .filter(each -> each.host().equals(host)).findFirst().orElseThrow().reason();
  }

  @Test
  void aVmGoesWhereMostMemoryIsLeftAndOfEqualsToTheFirstByName() {
    List<Placed> most = place(List.of(host("a", 2), host("b", 3)), vm("v", 1));
    assertThat(places(most)).containsExactly("v>b");
    assertThat(most.getFirst().reason()).isEqualTo("it has the most memory left: 3 GiB");
    assertThat(why(most, "v", "a")).isEqualTo("2 GiB free");
    List<Placed> equal = place(List.of(host("b", 3), host("a", 3)), vm("v", 1));
    assertThat(places(equal)).containsExactly("v>a");
    assertThat(equal.getFirst().reason()).contains("the first by name").contains("3 GiB");
    assertThat(place(List.of(host("a", 3)), vm("v", 1)).getFirst().reason()).isEqualTo("no other host can take it");
  }

  @Test
  void aPreferredHostComesBeforeMemoryAndTheNextOneWhereItCannotTakeIt() {
    List<PlacementHost> hosts = List.of(host("a", 9), host("b", 1), host("c", 3));
    List<Placed> placed = place(hosts, vm("v", 2, 500, "b", "c"));
    assertThat(places(placed)).containsExactly("v>c");
    assertThat(placed.getFirst().reason()).isEqualTo("it is number 2 of its preferred hosts");
    assertThat(places(place(hosts, vm("v", 4, 500, "b", "c")))).as("none of them can").containsExactly("v>a");
  }

  @Test
  void theOrderIsByPriorityThenSizeThenName() {
    assertThat(places(place(List.of(host("a", 9)), vm("small", 1), vm("b", 2), vm("a", 2), vm("first", 1, 501),
        vm("last", 3, 499)))).containsExactly("first>a", "a>a", "b>a", "small>a", "last>a");
  }

  @Test
  void whatWasPlacedBeforeIsPromised() {
    List<Placed> placed = place(List.of(host("a", 3)), vm("large", 2), vm("small", 1, 499), vm("more", 1, 498));
    assertThat(places(placed)).containsExactly("large>a", "small>a", "more>-");
    assertThat(why(placed, "more", "a"))
        .isEqualTo("it has 0 B free (3 GiB are promised to VMs that come before), and the VM needs 1 GiB");
    assertThat(placed.getLast().reason()).startsWith("no host can take it: a: it has 0 B free");
  }

  @Test
  void aHostThatIsDownTakesNothing() {
    List<Placed> placed = place(List.of(new PlacementHost("a", "it is DOWN", "s", 9 * GIB, Map.of())), vm("v", 1));
    assertThat(places(placed)).containsExactly("v>-");
    assertThat(why(placed, "v", "a")).isEqualTo("it is DOWN");
  }

  @Test
  void aVmStaysOnItsStorage() {
    List<Placed> placed = place(List.of(host("a", "", 9), host("b", "t", 9), host("c", "s", 1)), stored("v", 1, "s"));
    assertThat(places(placed)).containsExactly("v>c");
    assertThat(why(placed, "v", "a")).contains("no shared storage");
    assertThat(why(placed, "v", "b")).contains("other storage (t)", "(s)");
  }

  @Test
  void whatAHostSaidAgainstAVmCountsForThatVmAlone() {
    List<PlacementHost> hosts = List.of(
        new PlacementHost("a", "", "s", 9 * GIB, Map.of("tux", "this host has no KVM for guests")), host("b", 2));
    List<Placed> placed = place(hosts, vm("tux", 1), vm("web", 1));
    assertThat(places(placed)).containsExactly("tux>b", "web>a");
    assertThat(why(placed, "tux", "a")).isEqualTo("this host has no KVM for guests");
  }

  @Test
  void twoOfAGroupAreNeverPlacedOnOneHost() {
    List<PlacementHost> hosts = List.of(host("a", 9), host("b", 2), host("c", 1));
    PlacementVm there = ofGroup("web-1", "a", "web");
    List<PlacementVm> lost = List.of(ofGroup("web-2", "dead", "web"), ofGroup("web-3", "dead", "web"),
        ofGroup("web-4", "dead", "web"), ofGroup("db", "dead", "db"));
    List<Placed> placed = Placement.of(new World(hosts, List.of(there)), lost);
    assertThat(places(placed)).containsExactly("db>a", "web-2>b", "web-3>c", "web-4>-");
    assertThat(why(placed, "web-2", "a")).isEqualTo("VM web-1 of group web is there");
    assertThat(why(placed, "web-4", "b")).isEqualTo("VM web-2 of group web is there");
  }

  @Test
  void aVmHoldsNoPlaceWhereItIsMovedFrom() {
    PlacementVm leaving = ofGroup("web-1", "a", "web");
    assertThat(places(Placement.of(new World(List.of(host("a", 9)), List.of(leaving)), List.of(leaving))))
        .containsExactly("web-1>a");
  }

  @Test
  void aDeadHostIsLeftOutWithWhatItHas() {
    World world = new World(List.of(host("a", 9), host("b", 2)),
        List.of(ofGroup("web-1", "a", "web"), ofGroup("web-2", "b", "web")));
    World after = world.after("a");
    assertThat(after.vms()).extracting(PlacementVm::name).containsExactly("web-2");
    List<Placed> placed = Placement.of(after, world.on("a"));
    assertThat(places(placed)).containsExactly("web-1>-");
    assertThat(why(placed, "web-1", "a")).isEqualTo("it is the host that stops");
  }

  @Test
  void withoutHostsNothingIsPlaced() {
    assertThat(place(List.of(), vm("v", 1)).getFirst().reason()).isEqualTo("the cluster has no hosts");
    assertThat(place(List.of()).stream().map(Placed::host)).isEqualTo(List.<Optional<String>>of());
  }

  /** Nothing is planned ahead; this is what that costs. */
  @Test
  void aFurtherHostMayLeaveALaterVmWithoutAPlace() {
    List<PlacementHost> hosts = List.of(host("x", "t", 7), host("y", "s", 10));
    PlacementVm[] vms = {vm("first", 4, 503, "n"), vm("second", 5, 502), stored("third", 6, "s")};
    assertThat(places(place(hosts, vms))).containsExactly("first>y", "second>x", "third>y");
    List<PlacementHost> more = List.of(host("x", "t", 7), host("y", "s", 10), host("n", "", 4));
    assertThat(places(place(more, vms))).containsExactly("first>n", "second>y", "third>-");
  }

  private static PlacementVm onItsWay(String name, long gib, String from, String to, String group) {
    return new PlacementVm(name, gib * GIB, from, "", 500, List.of(), group, to);
  }

  @Test
  void aVmOfTheDeadHostThatWasOnItsWayNeedsNoMemoryWhereItWasToArrive() {
    PlacementVm moving = onItsWay("v", 3, "dead", "a", "");
    World world = new World(List.of(host("dead", 0), host("a", 1)), List.of(moving));
    assertThat(places(Placement.of(world.after("dead"), List.of(moving)))).containsExactly("v>a");
    World elsewhere = new World(List.of(host("other", 0), host("dead", 0), host("a", 1)),
        List.of(onItsWay("v", 3, "other", "a", ""), vm("w", 2)));
    assertThat(places(Placement.of(elsewhere.after("dead"), elsewhere.on("dead")))).as("its source lives")
        .containsExactly("w>-");
  }

  @Test
  void aVmThatIsOnItsWayIsToBeApartFromOnBothItsHosts() {
    World world = new World(List.of(host("dead", 0), host("a", 8), host("b", 8), host("c", 2)),
        List.of(onItsWay("v", 1, "a", "b", "g"), ofGroup("w", "dead", "g")));
    assertThat(places(Placement.of(world.after("dead"), world.on("dead")))).containsExactly("w>c");
  }
}
