package dev.pageferry.coordinator.availability;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.placement.Placed;
import dev.pageferry.coordinator.placement.Placement;
import dev.pageferry.coordinator.placement.PlacementHost;
import dev.pageferry.coordinator.placement.PlacementVm;
import dev.pageferry.coordinator.placement.World;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.cluster.v1.CheckHaResponse;
import dev.pageferry.proto.cluster.v1.HostDeath;
import dev.pageferry.proto.cluster.v1.HostVerdict;
import dev.pageferry.proto.cluster.v1.UnplacedVm;
import dev.pageferry.proto.cluster.v1.VmPlacement;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** What the death of a host would leave: which of its VMs would be restarted, and where. */
public final class HostDeaths {
  private final HostInventory inventory;
  private final OwnershipLedger ledger;
  private final ArrivalQuestions arrivals;

  public HostDeaths(HostInventory inventory, OwnershipLedger ledger, AgentClient agents, Scheduler scheduler) {
    this.inventory = inventory;
    this.ledger = ledger;
    this.arrivals = new ArrivalQuestions(agents, scheduler);
  }

  /** Where a VM would go if its host stopped now; one that is in no host's memory: if it were started now. */
  public VmPlacement place(String name) throws RequestException, InterruptedException {
    ClusterPicture picture = ClusterPicture.of(inventory, ledger);
    PlacementVm vm = picture.vm(name)
        .orElseThrow(() -> new RequestException(Kind.NOT_FOUND, "VM %s does not exist; see 'ferry vm list'", name));
    List<PlacementVm> together = new ArrayList<>();
    Optional<String> never;
    if (vm.host().isEmpty()) {
      together.add(vm);
      never = Optional.of("it is in no host's memory; 'ferry vm start %s --host HOST' starts it".formatted(name));
    } else {
      together.addAll(restartable(picture, vm.host()));
      never = picture.neverBecause(vm);
      if (never.isPresent()) {
        together.add(vm.afterAllOthers());
      }
    }
    World world = picture.world(arrivals.refusals(picture, together));
    Placed placed = Placement.of(vm.host().isEmpty() ? world : world.after(vm.host()), together).stream()
        .filter(each -> each.vm().name().equals(name)).findFirst().orElseThrow();
    VmPlacement.Builder message = VmPlacement.newBuilder().setName(name).setHost(vm.host()).setReason(placed.reason())
        .setRestartable(never.isEmpty()).setNotRestartableBecause(never.orElse(""));
    placed.host().ifPresent(message::setTo);
    placed.verdicts().forEach(each -> message.addHosts(HostVerdict.newBuilder().setHost(each.host())
        .setEligible(each.isEligible()).setReason(each.reason())));
    return message.build();
  }

  /** What the death of each host by itself would leave; of one that is down already, what it leaves now. */
  public CheckHaResponse check() throws InterruptedException {
    ClusterPicture picture = ClusterPicture.of(inventory, ledger);
    World world = picture.world(arrivals.refusals(picture, picture.world().vms().stream()
        .filter(each -> picture.neverBecause(each).isEmpty()).toList()));
    return CheckHaResponse.newBuilder()
        .addAllHosts(hosts(picture).stream().map(each -> death(picture, world, each)).toList()).build();
  }

  /** The most VMs that the death of one host would leave without a place. As far as is known without asking hosts. */
  public int mostWithoutPlace() {
    ClusterPicture picture = ClusterPicture.of(inventory, ledger);
    return hosts(picture).stream().mapToInt(each -> (int) placed(picture, picture.world(), each).stream()
        .filter(it -> it.host().isEmpty()).count()).max().orElse(0);
  }

  private static List<String> hosts(ClusterPicture picture) {
    return picture.world().hosts().stream().map(PlacementHost::name).sorted().toList();
  }

  private static List<PlacementVm> restartable(ClusterPicture picture, String host) {
    return picture.world().on(host).stream().filter(each -> picture.neverBecause(each).isEmpty()).toList();
  }

  private static List<Placed> placed(ClusterPicture picture, World world, String host) {
    return Placement.of(world.after(host), restartable(picture, host));
  }

  private static HostDeath death(ClusterPicture picture, World world, String host) {
    List<Placed> placed = placed(picture, world, host);
    HostDeath.Builder death = HostDeath.newBuilder().setHost(host).setRestartable(placed.size());
    placed.stream().filter(each -> each.host().isEmpty()).forEach(each -> death.addUnplaced(UnplacedVm.newBuilder()
        .setVm(each.vm().name()).setReason(each.reason()).setKind(UnplacedVm.Kind.NO_PLACE)));
    picture.world().on(host).stream().sorted(Comparator.comparing(PlacementVm::name))
        .forEach(each -> picture.neverBecause(each).ifPresent(reason -> death.addUnplaced(UnplacedVm.newBuilder()
            .setVm(each.name()).setReason(reason).setKind(UnplacedVm.Kind.NEVER))));
    return death.build();
  }
}
