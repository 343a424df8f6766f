package dev.pageferry.coordinator.placement;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What holds for any hosts and VMs. A test's number is the seed of its world. */
class PlacementPropertiesTest {
  private static final int SEEDS = 400;

  private final Map<String, PlacementHost> byName = new HashMap<>();

  static LongStream seeds() {
    return LongStream.range(0, SEEDS);
  }

  /** Some VMs are on hosts, others are to be placed. */
  private record Case(World world, List<PlacementVm> lost) {
    List<Placed> placed() {
      return Placement.of(world, lost);
    }
  }

  private Case random(Random random) {
    List<PlacementHost> hosts = new ArrayList<>();
    List<PlacementVm> there = new ArrayList<>();
    List<PlacementVm> lost = new ArrayList<>();
    for (int i = 0; i < random.nextInt(7); i++) {
      Map<String, String> refusals = random.nextInt(4) == 0 ? Map.of("lost-" + random.nextInt(5), "no") : Map.of();
      hosts.add(new PlacementHost("host-" + i, random.nextInt(6) == 0 ? "down" : "", one(random, "", "s", "s", "t"),
          random.nextInt(64), refusals));
    }
    for (int i = 0; i < random.nextInt(12); i++) {
      there.add(vm(random, "there-" + i, "host-" + random.nextInt(7)));
    }
    for (int i = 0; i < random.nextInt(16); i++) {
      lost.add(vm(random, "lost-" + i, "dead"));
    }
    hosts.forEach(each -> byName.put(each.name(), each));
    return new Case(new World(hosts, there), lost);
  }

  private static PlacementVm vm(Random random, String name, String host) {
    List<String> prefer = random.nextInt(3) == 0
        ? Stream.of("host-" + random.nextInt(7), "host-" + random.nextInt(7)).distinct().toList()
        : List.of();
    return new PlacementVm(name, 1 + random.nextInt(24), host, one(random, "", "", "s", "t"), random.nextInt(3) * 500,
        prefer, one(random, "", "", "red", "blue"));
  }

  private static String one(Random random, String... of) {
    return of[random.nextInt(of.length)];
  }

  private PlacementHost hostOf(String name) {
    return byName.getOrDefault(name, new PlacementHost(name, "unknown", "", 0, Map.of()));
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void noHostGetsMoreThanItHasAndNoneThatCannotTakeItGetsAVm(long seed) {
    List<Placed> placed = random(new Random(seed)).placed();
    Map<String, Long> used = new HashMap<>();
    for (Placed each : placed) {
      if (each.host().isPresent()) {
        PlacementHost host = hostOf(each.host().get());
        used.merge(host.name(), each.vm().memoryBytes(), Long::sum);
        assertThat(host.trouble()).isEmpty();
        assertThat(host.refusals()).doesNotContainKey(each.vm().name());
        assertThat(each.vm().storage()).isIn("", host.storage());
      }
    }
    used.forEach((host, bytes) -> assertThat(bytes).as(host).isLessThanOrEqualTo(hostOf(host).memoryFreeBytes()));
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void noVmOfAGroupComesToAnotherOfTheGroup(long seed) {
    Case one = random(new Random(seed));
    Set<String> taken = new HashSet<>();
    one.world().vms().forEach(each -> taken.add(each.host() + " " + each.apartFrom()));
    for (Placed each : one.placed()) {
      if (each.host().isPresent() && !each.vm().apartFrom().isEmpty()) {
        assertThat(taken.add(each.host().get() + " " + each.vm().apartFrom())).as("%s", each).isTrue();
      }
    }
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void theOrderOfWhatIsListedChangesNothing(long seed) {
    Random random = new Random(seed);
    Case one = random(random);
    List<Placed> placed = one.placed();
    List<PlacementHost> hosts = new ArrayList<>(one.world().hosts());
    List<PlacementVm> there = new ArrayList<>(one.world().vms());
    List<PlacementVm> lost = new ArrayList<>(one.lost());
    Collections.shuffle(hosts, random);
    Collections.shuffle(there, random);
    Collections.shuffle(lost, random);
    assertThat(Placement.of(new World(hosts, there), lost)).isEqualTo(placed);
    assertThat(placed).extracting(Placed::vm).isSortedAccordingTo(PlacementVm.ORDER);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void aVmGoesNowhereOnlyIfEachHostHasAReasonAndSomewhereOnlyIfItsHostHasNone(long seed) {
    for (Placed each : random(new Random(seed)).placed()) {
      assertThat(each.verdicts().stream().anyMatch(Verdict::isEligible)).isEqualTo(each.host().isPresent());
      each.host().ifPresent(host -> assertThat(each.verdicts()).filteredOn(it -> it.host().equals(host))
          .allMatch(Verdict::isEligible).hasSize(1));
      assertThat(each.verdicts()).allSatisfy(it -> assertThat(it.reason()).isNotEmpty());
    }
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void aVmThatComesLaterChangesNothingForThoseBefore(long seed) {
    Case one = random(new Random(seed));
    List<Placed> placed = one.placed();
    for (int i = 0; i < placed.size(); i++) {
      List<PlacementVm> first = placed.subList(0, i).stream().map(Placed::vm).toList();
      // The others are not in the world: what is to be placed holds no place.
      assertThat(Placement.of(one.world(), first)).isEqualTo(placed.subList(0, i));
    }
  }

  /** Not so for all of them: see {@link PlacementTest#aFurtherHostMayLeaveALaterVmWithoutAPlace}. */
  @ParameterizedTest
  @MethodSource("seeds")
  void aFurtherHostTakesNoPlaceFromTheFirst(long seed) {
    Random random = new Random(seed);
    Case one = random(random);
    List<PlacementHost> more = new ArrayList<>(one.world().hosts());
    more.add(new PlacementHost("host-9", "", "s", random.nextInt(64), Map.of()));
    List<Placed> placed = one.placed();
    List<Placed> after = Placement.of(new World(more, one.world().vms()), one.lost());
    if (!placed.isEmpty() && placed.getFirst().host().isPresent()) {
      assertThat(after.getFirst().host()).isPresent();
    }
  }

  /** Without storage, groups and preferences, and with VMs of one size, nothing is ever wasted. */
  @ParameterizedTest
  @MethodSource("seeds")
  void ofVmsOfOneSizeAsManyArePlacedAsFit(long seed) {
    Random random = new Random(seed);
    long size = 1 + random.nextInt(9);
    List<PlacementHost> hosts = new ArrayList<>();
    List<PlacementVm> lost = new ArrayList<>();
    for (int i = 0; i < random.nextInt(6); i++) {
      hosts.add(new PlacementHost("host-" + i, "", "", random.nextInt(40), Map.of()));
    }
    for (int i = 0; i < random.nextInt(30); i++) {
      lost.add(new PlacementVm("vm-" + i, size, "dead", "", random.nextInt(3), List.of(), ""));
    }
    long fit = hosts.stream().mapToLong(each -> each.memoryFreeBytes() / size).sum();
    assertThat(Placement.of(new World(hosts, List.of()), lost).stream().filter(each -> each.host().isPresent()))
        .hasSize((int) Math.min(fit, lost.size()));
  }
}
