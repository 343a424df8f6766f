package dev.pageferry.chaos;

import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.Ha;
import dev.pageferry.proto.cluster.v1.QemuMachine;
import dev.pageferry.proto.cluster.v1.SetVmRequest;
import dev.pageferry.support.LabCluster;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The VMs of a run, small ones. Those with a journal fail over by themselves; of those without disks one does, and the
 * other waits for its host.
 *
 * @param machines of QEMU; empty where there is no QEMU here
 */
record Population(List<String> journals, List<String> plain, List<String> machines) {
  static final String TALKS = "web";
  private static final String MAC = "02:00:00:00:00:05";
  private static final long MIB = 1 << 20;

  static Population create(LabCluster cluster, List<Path> linux) {
    List<String> journals = List.of("db-1", "db-2", TALKS);
    List<String> plain = List.of("plain-1", "plain-2");
    for (int i = 0; i < journals.size(); i++) {
      String name = journals.get(i);
      disk(cluster, name, 4);
      CreateVmRequest.Builder request = builtIn(name, host(i), "journal", "400kB/s").setVcpus(2).addDisks(name);
      if (name.equals(TALKS)) {
        request.addNics("%s@%d,ip=%s".formatted(MAC, Talk.VNI, Talk.GUEST));
      }
      var _ = cluster.api().createVm(request.build());
    }
    for (int i = 0; i < plain.size(); i++) {
      var _ = cluster.api().createVm(builtIn(plain.get(i), host(i + 1), "hotset", "4MB/s").setVcpus(1).build());
    }
    var _ = cluster.api().setVm(SetVmRequest.newBuilder().setName(plain.getLast()).setHa(Ha.Name.ON).build());
    return new Population(journals, plain, linux.isEmpty() ? List.of() : List.of(machine(cluster, linux)));
  }

  private static String host(int number) {
    return LabMachines.HOSTS.get(number % LabMachines.HOSTS.size());
  }

  private static CreateVmRequest.Builder builtIn(String name, String host, String program, String rate) {
    return CreateVmRequest.newBuilder().setName(name).setHost(host).setMemoryBytes(64 * MIB).setProgram(program)
        .putAllProgramArgs(Map.of("rate", rate));
  }

  private static void disk(LabCluster cluster, String name, long mib) {
    var _ = cluster.api().createDisk(CreateDiskRequest.newBuilder().setName(name).setSizeBytes(mib * MIB)
        .setFormat(Disk.Format.VHD).setHost(LabMachines.HOSTS.getFirst()).build());
  }

  private static String machine(LabCluster cluster, List<Path> linux) {
    String name = "tux";
    disk(cluster, name, 64);
    var _ = cluster.api()
        .createVm(CreateVmRequest.newBuilder().setName(name).setHost(host(2)).setMemoryBytes(128 * MIB)
            .setVcpus(1).addDisks(name).setQemu(QemuMachine.newBuilder().setAccel("tcg")
                .setKernel(linux.get(0).toString()).setInitrd(linux.get(1).toString())
                .setAppend("console=ttyS0 ferry.record=1 ferry.hot=1"))
            .build());
    return name;
  }

  List<String> all() {
    List<String> all = new ArrayList<>();
    Stream.of(journals, plain, machines).forEach(all::addAll);
    return all;
  }

  List<String> builtIn() {
    return Stream.concat(journals.stream(), plain.stream()).toList();
  }

  /** The file of a VM's disk. */
  static Path disk(Path storage, String vm) {
    return storage.resolve("disks").resolve(vm + ".vhd");
  }
}
