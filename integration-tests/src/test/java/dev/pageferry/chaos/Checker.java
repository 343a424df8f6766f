package dev.pageferry.chaos;

import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmVerification;
import dev.pageferry.support.LabCluster;
import dev.pageferry.support.QemuProcesses;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** Looks at a lab whose trouble is over, and at what was seen meanwhile: what was promised, and what was kept. */
final class Checker {
  static final Set<Migration.State> ENDED = Set.of(Migration.State.COMPLETED, Migration.State.FAILED,
      Migration.State.CANCELLED);
  private static final Path RAM = Path.of("/dev/shm");
  private static final int ATTEMPTS = 3;

  private final LabMachines machines;
  private final LabCluster cluster;
  private final Population vms;

  Checker(LabMachines machines, LabCluster cluster, Population vms) {
    this.machines = machines;
    this.cluster = cluster;
    this.vms = vms;
  }

  /** What is not yet as it is to be when all is calm; empty: it is. */
  List<String> unrest() {
    List<String> found = new ArrayList<>();
    try {
      for (String each : LabMachines.HOSTS) {
        Host host = cluster.host(each);
        if (host.getState() != Host.State.UP) {
          found.add("%s is %s".formatted(each, host.getState()));
        }
        host.getInDoubtList().forEach(doubt -> found.add("%s: %s".formatted(each, doubt)));
      }
      cluster.migrations().stream().filter(each -> !ENDED.contains(each.getState()))
          .forEach(
              each -> found.add("migration %s of %s is %s".formatted(each.getId(), each.getVm(), each.getState())));
      cluster.plans().stream().filter(each -> each.getState() == MovePlan.State.RUNNING)
          .forEach(each -> found.add("plan %s of %s is %s".formatted(each.getId(), each.getHost(), each.getState())));
      found.addAll(notRunning());
      found.addAll(leftOver());
    } catch (StatusRuntimeException | IOException e) {
      found.add("the cluster cannot be asked: " + e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      found.add("interrupted");
    }
    return found;
  }

  private List<String> notRunning() {
    return vms.all().stream().map(cluster::vm).filter(each -> each.getState() != Vm.State.RUNNING || each.hasReason())
        .map(each -> "%s is %s%s".formatted(each.getName(), each.getState(),
            each.hasReason() ? ": " + each.getReason() : ", and does not say why"))
        .toList();
  }

  /** QEMUs, memory and copies without an owner. */
  private List<String> leftOver() throws IOException, InterruptedException {
    List<String> found = new ArrayList<>();
    for (String name : vms.machines()) {
      Vm vm = cluster.vm(name);
      List<String> on = QemuProcesses.of(vm.getId()).stream().map(QemuProcesses.Qemu::host).toList();
      if (!on.equals(List.of(vm.getHost()))) {
        found.add("QEMUs of %s, which is on %s, are on %s".formatted(name, vm.getHost(), on));
      }
    }
    for (String host : LabMachines.HOSTS) {
      List<String> here = vms.machines().stream().map(cluster::vm).filter(each -> each.getHost().equals(host))
          .map(Vm::getId).toList();
      Path ram = RAM.resolve(machines.name() + "-" + host);
      try (DirectoryStream<Path> directories = Files.newDirectoryStream(ram, "pageferry-*")) {
        for (Path each : directories) {
          String directory = String.valueOf(each.getFileName());
          if (!directory.contains("-spare-") && here.stream().noneMatch(directory::endsWith)) {
            found.add("%s is left on %s".formatted(directory, host));
          }
        }
      }
      long agents = machines.processes(host).stream().map(LabMachines::commandOf)
          .filter(each -> each.contains("dev.pageferry.agent.AgentMain")).count();
      if (agents != 1) {
        found.add("%d agents run on %s".formatted(agents, host));
      }
    }
    return found;
  }

  List<String> unfinished() {
    List<String> found = new ArrayList<>();
    cluster.migrations().stream().filter(each -> !ENDED.contains(each.getState()))
        .forEach(each -> found.add("migration %s of %s is %s".formatted(each.getId(), each.getVm(), each.getState())));
    cluster.plans().stream().filter(each -> each.getState() == MovePlan.State.RUNNING)
        .forEach(each -> found.add("the plan for %s goes on".formatted(each.getHost())));
    return found;
  }

  List<String> withoutState() {
    return vms.all().stream().map(cluster::vm).filter(each -> each.getState() != Vm.State.RUNNING && !each.hasReason())
        .map(each -> "%s is %s, and does not say why".formatted(each.getName(), each.getState())).toList();
  }

  List<String> leftovers() throws IOException, InterruptedException {
    List<String> found = new ArrayList<>(leftOver());
    for (String each : LabMachines.HOSTS) {
      cluster.host(each).getInDoubtList().forEach(doubt -> found.add("%s: %s".formatted(each, doubt)));
    }
    return found;
  }

  /** Replays the twin of every built-in VM. @return what is not as its twin is; counted are those that were compared */
  List<String> notAsTheirTwins(Story story) {
    List<String> found = new ArrayList<>();
    for (String each : vms.builtIn()) {
      if (cluster.vm(each).getState() == Vm.State.RUNNING) {
        verify(each, story).ifPresent(found::add);
      }
    }
    return found;
  }

  private Optional<String> verify(String vm, Story story) {
    String refusal = "";
    for (int i = 0; i < ATTEMPTS; i++) {
      try {
        VmVerification verification = cluster.verify(vm);
        story.count("VMs compared with their twin");
        return verification.getIdentical()
            ? Optional.empty()
            : Optional.of("%s is not as its twin: %s".formatted(vm, verification));
      } catch (StatusRuntimeException e) {
        refusal = String.valueOf(e.getMessage());
      }
    }
    return Optional.of("%s was not compared: %s".formatted(vm, refusal));
  }

  List<String> deadServers() {
    return Stream.concat(Stream.of(Trouble.COORDINATOR), LabMachines.HOSTS.stream())
        .filter(each -> machines.server(each).isEmpty()).map(each -> each + " does not run").toList();
  }

  List<String> unforeseen() throws IOException {
    List<String> found = new ArrayList<>();
    for (String each : Stream.concat(Stream.of(Trouble.COORDINATOR), LabMachines.HOSTS.stream()).toList()) {
      found.addAll(ServerLogs.unforeseen(each,
          new String(Files.readAllBytes(machines.directory().resolve(each).resolve("log")), StandardCharsets.UTF_8)
              .lines().toList()));
    }
    return found;
  }
}
