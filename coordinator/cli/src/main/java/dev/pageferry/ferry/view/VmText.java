package dev.pageferry.ferry.view;

import dev.pageferry.common.units.ByteSize;
import dev.pageferry.proto.cluster.v1.QemuMachine;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmDestination;
import dev.pageferry.proto.cluster.v1.VmDigest;
import dev.pageferry.proto.cluster.v1.VmVerification;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** VMs for people to read. */
public final class VmText {
  private VmText() {
  }

  public static Table table(List<Vm> vms) {
    boolean hasReasons = vms.stream().anyMatch(Vm::hasReason);
    List<String> headers = new ArrayList<>(List.of("NAME", "STATE", "HOST", "MEMORY", "VCPUS", "PROGRAM", "STEPS"));
    if (hasReasons) {
      headers.add("REASON");
    }
    Table table = new Table(headers, List.of("ID", "EPOCH", "DISKS", "NICS", "CREATED"));
    for (Vm vm : vms) {
      List<Object> cells = new ArrayList<>(List.of(vm.getName(), vm.getState(), vm.getHost(),
          ByteSize.format(vm.getMemoryBytes()), vm.getVcpus(), vm.getProgram(), vm.getSteps()));
      if (hasReasons) {
        cells.add(Output.oneLine(vm.getReason()));
      }
      cells.addAll(List.of(vm.getId(), vm.getEpoch(), String.join(",", vm.getDisksList()),
          String.join(",", vm.getNicsList()), created(vm)));
      table.row(cells.toArray());
    }
    return table;
  }

  public static Details details(Vm vm, Palette palette) {
    Details details = new Details().add("name", vm.getName()).add("id", vm.getId()).add("host", vm.getHost())
        .add("state", palette.paint(vm.getState().toString())).add("reason", Output.oneLine(vm.getReason()))
        .add("epoch", vm.getEpoch()).add("created", created(vm))
        .add("memory", ByteSize.format(vm.getMemoryBytes())).add("vcpus", vm.getVcpus()).add("program", vm.getProgram())
        .add("program args", pairs(vm.getProgramArgsMap())).add("memory image", vm.getMemoryImage())
        .add("memory image sha256", vm.getMemoryImageSha256()).add("steps", vm.getSteps())
        .add("disks", String.join(", ", vm.getDisksList())).add("nics", nics(vm));
    if (vm.hasQemu()) {
      addQemu(details, vm.getQemu());
    }
    addWishes(details, vm);
    addDestinations(details, vm.getDestinationsList());
    return details;
  }

  private static void addQemu(Details details, QemuMachine machine) {
    details.add("machine", machine.getMachine()).add("cpu", machine.getCpu()).add("accelerator",
        machine.hasAccelReason()
            ? "%s (%s)".formatted(machine.getAccel(), Output.oneLine(machine.getAccelReason()))
            : machine.getAccel())
        .add("firmware", machine.getFirmware()).add("kernel", machine.getKernel()).add("initrd", machine.getInitrd())
        .add("append", machine.getAppend())
        .add("cdroms", String.join(", ", machine.getCdromsList()))
        .add("qemu args", String.join(" ", machine.getArgumentsList()));
  }

  /** A coordinator of the version before knows none. */
  private static void addWishes(Details details, Vm vm) {
    if (vm.hasHa()) {
      details.add("ha", vm.getHa().toString().toLowerCase(Locale.ROOT)).add("priority", vm.getPriority())
          .add("prefer", String.join(", ", vm.getPreferList())).add("apart from", vm.getApartFrom());
    }
  }

  private static void addDestinations(Details details, List<VmDestination> destinations) {
    details.add("can move to", destinations.stream().filter(VmDestination::getEligible).map(VmDestination::getHost)
        .collect(Collectors.joining(", ")));
    destinations.stream().filter(each -> !each.getEligible())
        .forEach(each -> details.add("not to " + each.getHost(), Output.oneLine(each.getReason())));
  }

  /** Empty: not known. */
  private static String created(Vm vm) {
    return Times.text(vm.getCreatedAt().getSeconds() * 1000);
  }

  private static String nics(Vm vm) {
    return IntStream.range(0, vm.getNicsCount())
        .mapToObj(i -> i < vm.getAddressesCount() ? vm.getNics(i) + " " + vm.getAddresses(i) : vm.getNics(i))
        .collect(Collectors.joining(", "));
  }

  public static Details details(VmDigest digest) {
    return new Details().add("name", digest.getName()).add("host", digest.getHost()).add("steps", digest.getSteps())
        .add("memory digest", digest.getMemoryDigest()).add("registers digest", digest.getRegistersDigest());
  }

  public static Details details(VmVerification result) {
    Details details = new Details().add("name", result.getName()).add("host", result.getHost())
        .add("steps", result.getSteps()).add("identical", result.getIdentical() ? "yes" : "no");
    if (result.hasNetworkPages()) {
      details.add("without a twin", "%d pages that the network fed; their own checker looked at them".formatted(
          result.getNetworkPages()));
    }
    if (result.getIdentical()) {
      return details;
    }
    return result.hasFirstDifference()
        ? details.add("first difference", "page " + result.getFirstDifference())
        : details.add("first difference", "no page: registers differ");
  }

  private static String pairs(Map<String, String> map) {
    return new TreeMap<>(map).entrySet().stream().map(pair -> pair.getKey() + "=" + pair.getValue())
        .collect(Collectors.joining(", "));
  }
}
