package dev.pageferry.coordinator.availability;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.placement.PlacementVm;
import dev.pageferry.proto.agent.v1.VmSpec;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.UnaryOperator;

/**
 * What hosts say themselves against machines of QEMU: accelerators, machine types, CPU models, files. A built-in machine runs on any
 * host. Machines that are alike are asked for once.
 */
final class ArrivalQuestions {
  /** An operator waits for it. */
  private static final Duration PATIENCE = Duration.ofSeconds(10);
  /** A machine with one of these is not moved, but may boot on any host. */
  private static final Set<String> AS_THE_HOST = Set.of("host", "max");
  private static final String ANY_CPU = "qemu64";

  private final AgentClient agents;
  private final Scheduler scheduler;

  ArrivalQuestions(AgentClient agents, Scheduler scheduler) {
    this.agents = agents;
    this.scheduler = scheduler;
  }

  /** One that stands for all that are like it, and these. */
  private record Alike(VmSpec asked, List<String> vms) {
  }

  /** @return by host, by VM that boots: why not; a host that did not answer in time has not said yes */
  Map<String, Map<String, String>> refusals(ClusterPicture picture, Collection<PlacementVm> vms)
      throws InterruptedException {
    return refusals(picture, questions(picture, vms, ArrivalQuestions::bootable));
  }

  /** The same of VMs that run, and are moved as they are. */
  Map<String, Map<String, String>> refusalsOfMoves(ClusterPicture picture, Collection<PlacementVm> vms)
      throws InterruptedException {
    return refusals(picture, questions(picture, vms, UnaryOperator.identity()));
  }

  private Map<String, Map<String, String>> refusals(ClusterPicture picture, List<Alike> questions)
      throws InterruptedException {
    if (questions.isEmpty()) {
      return Map.of();
    }
    Map<String, Map<String, String>> refusals = new LinkedHashMap<>();
    Map<String, Task> tasks = new LinkedHashMap<>();
    picture.addresses().forEach((host, address) -> {
      Map<String, String> said = new ConcurrentHashMap<>();
      questions.forEach(each -> each.vms().forEach(vm -> said.put(vm, "its agent does not answer")));
      refusals.put(host, said);
      tasks.put(host, scheduler.start("arrivals-" + host, () -> questions.forEach(each -> ask(address, each, said))));
    });
    await(tasks.values());
    return refusals;
  }

  private static List<Alike> questions(ClusterPicture picture, Collection<PlacementVm> vms,
      UnaryOperator<VmSpec> asked) {
    Map<VmSpec, Alike> alike = new LinkedHashMap<>();
    for (PlacementVm each : vms) {
      VmSpec spec = picture.spec(each);
      if (spec.hasQemu()) {
        VmSpec kind = VmSpec.newBuilder().setQemu(spec.getQemu()).setVcpus(spec.getVcpus())
            .setMemoryBytes(spec.getMemoryBytes()).build();
        alike.computeIfAbsent(kind, _ -> new Alike(asked.apply(spec), new ArrayList<>())).vms().add(each.name());
      }
    }
    return List.copyOf(alike.values());
  }

  private static VmSpec bootable(VmSpec spec) {
    String model = spec.getQemu().getCpu().split(",", 2)[0];
    VmSpec.Builder asked = spec.toBuilder();
    if (AS_THE_HOST.contains(model)) {
      asked.getQemuBuilder().setCpu(ANY_CPU);
    }
    return asked.build();
  }

  private void ask(String address, Alike question, Map<String, String> said) {
    try {
      agents.checkArrival(address, question.asked());
      question.vms().forEach(said::remove);
    } catch (AgentException | RuntimeException e) {
      // Whatever goes wrong, it has not said yes.
      question.vms().forEach(vm -> said.put(vm, String.valueOf(e.getMessage())));
    }
  }

  private void await(Collection<Task> tasks) throws InterruptedException {
    Deadline end = Deadline.after(PATIENCE, scheduler);
    try {
      for (Task each : tasks) {
        boolean _ = each.join(Duration.ofNanos(end.remainingNanos()));
      }
    } finally {
      // Those that are late, or all that are left if the caller is interrupted.
      tasks.forEach(Task::interrupt);
    }
  }
}
