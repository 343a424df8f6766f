package dev.pageferry.coordinator.placement;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What is moved so that hosts have as much free memory as each other. */
class RebalancingTest {
  private static final long GIB = 1L << 30;

  private static PlacementHost host(String name, long gib) {
    return new PlacementHost(name, "", "s", gib * GIB, Map.of());
  }

  private static PlacementVm vm(String name, long gib, String host) {
    return new PlacementVm(name, gib * GIB, host, "", 500, List.of(), "");
  }

  private static List<String> shifts(List<PlacementHost> hosts, PlacementVm... vms) {
    return Rebalancing.of(new World(hosts, List.of(vms))).stream()
        .map(each -> "%s %s>%s".formatted(each.vm().name(), each.vm().host(), each.to())).toList();
  }

  @Test
  void whatEvensOutMostIsMovedFirstAndThenNothingThatHelpsLittle() {
    assertThat(shifts(List.of(host("a", 1), host("b", 9)), vm("small", 1, "a"), vm("half", 4, "a"), vm("big", 8, "a")))
        .containsExactly("half a>b");
  }

  @Test
  void hostsThatAreEvenEnoughStayAsTheyAre() {
    assertThat(shifts(List.of(host("a", 8), host("b", 10)), vm("x", 1, "a"))).isEmpty();
    assertThat(shifts(List.of(host("a", 0), host("b", 4)), vm("as much as the difference", 4, "a"))).isEmpty();
    assertThat(shifts(List.of())).isEmpty();
  }

  @Test
  void whatMayNotBeAtTheOtherHostStays() {
    List<PlacementHost> hosts = List.of(host("a", 1), host("b", 9));
    assertThat(shifts(hosts, new PlacementVm("stored", 4 * GIB, "a", "other", 500, List.of(), ""))).isEmpty();
    assertThat(shifts(hosts, new PlacementVm("wanted", 4 * GIB, "a", "", 500, List.of("a"), ""))).isEmpty();
    assertThat(shifts(hosts, new PlacementVm("on its way", 4 * GIB, "a", "", 500, List.of(), "", "b"))).isEmpty();
    assertThat(shifts(hosts, new PlacementVm("one", 4 * GIB, "a", "", 500, List.of(), "web"),
        new PlacementVm("other", GIB, "b", "", 500, List.of(), "web"))).isEmpty();
    assertThat(shifts(List.of(host("a", 1), new PlacementHost("b", "down", "s", 9 * GIB, Map.of())), vm("x", 4, "a")))
        .isEmpty();
    assertThat(shifts(List.of(host("a", 1), new PlacementHost("b", "", "s", 9 * GIB, Map.of("x", "no"))),
        vm("x", 4, "a"))).isEmpty();
  }

  @Test
  void twoOfAGroupDoNotMeetOnTheirWay() {
    assertThat(shifts(List.of(host("a", 0), host("b", 0), host("c", 20)),
        new PlacementVm("one", 4 * GIB, "a", "", 500, List.of(), "web"),
        new PlacementVm("two", 4 * GIB, "b", "", 500, List.of(), "web"))).containsExactly("one a>c");
  }

  /** Over many worlds: it ends, moves each VM once at most, promises no host more than it has, and the gap never grows. */
  @Test
  void noWorldIsMadeWorse() {
    Random random = new Random(7);
    for (int i = 0; i < 2000; i++) {
      List<PlacementHost> hosts = new ArrayList<>();
      List<PlacementVm> vms = new ArrayList<>();
      for (int h = 0; h < 2 + random.nextInt(4); h++) {
        hosts.add(host("h" + h, random.nextInt(20)));
      }
      for (int v = 0; v < random.nextInt(12); v++) {
        vms.add(vm("v" + v, 1 + random.nextInt(6), "h" + random.nextInt(hosts.size())));
      }
      World world = new World(hosts, vms);
      List<Rebalancing.Shift> shifts = Rebalancing.of(world);
      Map<String, Long> free = new HashMap<>();
      hosts.forEach(each -> free.put(each.name(), each.memoryFreeBytes()));
      long before = gap(free);
      for (Rebalancing.Shift each : shifts) {
        free.merge(each.vm().host(), each.vm().memoryBytes(), Long::sum);
        free.merge(each.to(), -each.vm().memoryBytes(), Long::sum);
        assertThat(free.get(each.to())).isNotNegative();
      }
      assertThat(gap(free)).isLessThanOrEqualTo(before);
      assertThat(shifts).extracting(each -> each.vm().name()).doesNotHaveDuplicates();
      Collections.shuffle(hosts, random);
      Collections.shuffle(vms, random);
      assertThat(Rebalancing.of(new World(hosts, vms))).isEqualTo(shifts);
    }
  }

  private static long gap(Map<String, Long> free) {
    return Collections.max(free.values()) - Collections.min(free.values());
  }
}
