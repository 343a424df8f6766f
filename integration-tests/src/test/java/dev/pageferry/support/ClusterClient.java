package dev.pageferry.support;

import com.google.protobuf.ByteString;
import dev.pageferry.proto.cluster.v1.ArmHaRequest;
import dev.pageferry.proto.cluster.v1.AvailabilityGrpc;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.cluster.v1.ClusterGrpc.ClusterBlockingStub;
import dev.pageferry.proto.cluster.v1.ConsoleOutput;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.DeleteDiskRequest;
import dev.pageferry.proto.cluster.v1.DeleteVmRequest;
import dev.pageferry.proto.cluster.v1.DigestVmRequest;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.GetHostRequest;
import dev.pageferry.proto.cluster.v1.GetMigrationRequest;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.HaStatus;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.ListDisksRequest;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.MigrateQuickRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.PauseVmRequest;
import dev.pageferry.proto.cluster.v1.QemuMachine;
import dev.pageferry.proto.cluster.v1.ResumeVmRequest;
import dev.pageferry.proto.cluster.v1.SaveVmRequest;
import dev.pageferry.proto.cluster.v1.SaveVmUpdate;
import dev.pageferry.proto.cluster.v1.StartVmRequest;
import dev.pageferry.proto.cluster.v1.UseConsoleRequest;
import dev.pageferry.proto.cluster.v1.VerifyVmRequest;
import dev.pageferry.proto.cluster.v1.VerifyVmUpdate;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmDigest;
import dev.pageferry.proto.cluster.v1.VmVerification;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import org.awaitility.Awaitility;

/** What scenarios ask of a cluster as its operators do, and what they wait for. */
public abstract sealed class ClusterClient permits TestCluster, LabCluster {
  static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final Set<Migration.State> FINAL = Set.of(Migration.State.COMPLETED, Migration.State.FAILED,
      Migration.State.CANCELLED);

  private final ManagedChannel channel;

  /** @param channel to the coordinator */
  ClusterClient(ManagedChannel channel) {
    this.channel = channel;
  }

  /** Has VMs restarted by themselves when their host stops, or not. */
  public HaStatus arm(boolean armed) {
    return AvailabilityGrpc.newBlockingStub(channel).armHa(ArmHaRequest.newBuilder().setArmed(armed).build());
  }

  public static Duration patience() {
    return PATIENCE;
  }

  /** The coordinator is back: not to be waited for by the channel's own back-off. */
  void reconnect() {
    channel.resetConnectBackoff();
  }

  void disconnect() {
    channel.shutdownNow();
  }

  public ClusterBlockingStub api() {
    return ClusterGrpc.newBlockingStub(channel);
  }

  /** Creates a VM that writes its memory. */
  public Vm createWriter(String name, String host, long memoryMib, int vcpus, Map<String, String> programArgs) {
    return api().createVm(
        CreateVmRequest.newBuilder().setName(name).setHost(host).setMemoryBytes(memoryMib << 20).setVcpus(vcpus)
            .setProgram("hotset").putAllProgramArgs(programArgs).build());
  }

  /** Creates a disk, and a VM whose program uses it. */
  public Vm createWithDisk(String name, String host, long memoryMib, String program, Map<String, String> programArgs,
      long diskMib) {
    api().createDisk(CreateDiskRequest.newBuilder().setName(name + "-disk").setSizeBytes(diskMib << 20)
        .setFormat(Disk.Format.VHD).setHost(host).build());
    return api().createVm(CreateVmRequest.newBuilder().setName(name).setHost(host).setMemoryBytes(memoryMib << 20)
        .setVcpus(2).setProgram(program).putAllProgramArgs(programArgs).addDisks(name + "-disk").build());
  }

  /** Creates a disk that all hosts share. */
  public void createDisk(String name, Disk.Format format, long mib) {
    var unused = api()
        .createDisk(CreateDiskRequest.newBuilder().setName(name).setFormat(format).setSizeBytes(mib << 20).build());
  }

  /** Creates a machine of QEMU's software emulation, which boots from a disk. Nothing waits for a process of the command. */
  public Vm createMachine(String name, String host, long memoryMib, String disk) {
    return api().createVm(CreateVmRequest.newBuilder().setName(name).setHost(host).setMemoryBytes(memoryMib << 20)
        .setVcpus(1).addDisks(disk).setQemu(QemuMachine.newBuilder().setAccel("tcg")).build());
  }

  public void pause(String name) {
    var unused = api().pauseVm(PauseVmRequest.newBuilder().setName(name).build());
  }

  public void resume(String name) {
    var unused = api().resumeVm(ResumeVmRequest.newBuilder().setName(name).build());
  }

  /** Starts a quick migration and returns at once. */
  public Migration migrateQuickly(String vm, String to) {
    return api().migrateQuick(MigrateQuickRequest.newBuilder().setName(vm).setTo(to).build());
  }

  /** Saves a VM and waits until that is done. */
  public Vm save(String name) {
    Iterator<SaveVmUpdate> updates = api().saveVm(SaveVmRequest.newBuilder().setName(name).build());
    SaveVmUpdate last = updates.next();
    while (updates.hasNext()) {
      last = updates.next();
    }
    return last.getVm();
  }

  /** Boots or restores a VM. */
  public Vm startVm(String name, String host) {
    return api().startVm(StartVmRequest.newBuilder().setName(name).setHost(host).build());
  }

  public VmDigest digest(String name) {
    return api().digestVm(DigestVmRequest.newBuilder().setName(name).build());
  }

  public Vm vm(String name) {
    return api().getVm(GetVmRequest.newBuilder().setName(name).build());
  }

  /** What is kept of a guest's console; nothing where it cannot be asked. */
  public String console(String name) {
    ByteString all = ByteString.EMPTY;
    UseConsoleRequest.Builder request = UseConsoleRequest.newBuilder().setName(name).setOffset(0);
    try {
      while (true) {
        ConsoleOutput output = api().useConsole(request.build());
        if (output.getData().isEmpty()) {
          return all.toString(StandardCharsets.ISO_8859_1);
        }
        all = all.concat(output.getData());
        request.setOffset(output.getOffset() + output.getData().size());
      }
    } catch (StatusRuntimeException e) {
      return "";
    }
  }

  public void delete(String name) {
    api().deleteVm(DeleteVmRequest.newBuilder().setName(name).setForce(true).build());
  }

  public Host host(String id) {
    return api().getHost(GetHostRequest.newBuilder().setId(id).build());
  }

  /** Starts a migration and returns at once. */
  public Migration migrate(String vm, String to) {
    return api().migrateLive(MigrateLiveRequest.newBuilder().setName(vm).setTo(to).build());
  }

  /** Starts a migration that copies the disks too, and returns at once. */
  public Migration migrateWithDisks(String vm, String to) {
    return api().migrateLive(MigrateLiveRequest.newBuilder().setName(vm).setTo(to).setSharedNothing(true).build());
  }

  /** Starts a migration and waits for its end. */
  public Migration migrateAndWait(String vm, String to) {
    return awaitEnd(migrate(vm, to).getId());
  }

  public Migration migration(String id) {
    return api().getMigration(GetMigrationRequest.newBuilder().setId(id).build());
  }

  public Migration awaitEnd(String id) {
    return Awaitility.await("end of migration " + id).atMost(PATIENCE).pollInterval(Duration.ofMillis(20))
        .ignoreException(StatusRuntimeException.class)
        .until(() -> migration(id), each -> FINAL.contains(each.getState()));
  }

  /** Waits until the migration's document names a failure, be that the end of it or not. */
  public Migration awaitFailure(String id) {
    return Awaitility.await("failure of migration " + id).atMost(PATIENCE).pollInterval(Duration.ofMillis(20))
        .ignoreException(StatusRuntimeException.class).until(() -> migration(id), Migration::hasFailure);
  }

  /** Replays a twin and compares. */
  public VmVerification verify(String name) {
    Iterator<VerifyVmUpdate> updates = api().verifyVm(VerifyVmRequest.newBuilder().setName(name).build());
    VerifyVmUpdate last = updates.next();
    while (updates.hasNext()) {
      last = updates.next();
    }
    return last.getResult();
  }

  /** Waits until a VM is in a state on a host. */
  public Vm awaitVm(String name, Vm.State state, String host) {
    return Awaitility.await("VM %s %s on %s".formatted(name, state, host)).atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(50))
        .ignoreException(StatusRuntimeException.class)
        .until(() -> vm(name), each -> each.getState() == state && each.getHost().equals(host));
  }

  /** Waits until all of a host's memory that no VM of record uses is free. */
  public void awaitFreeMemory(String host, long bytes) {
    Awaitility.await("memory of " + host).atMost(PATIENCE).until(() -> host(host).getMemoryFreeBytes() == bytes);
  }

  /** Deletes all VMs, and all disks. */
  public void deleteAll() {
    for (Vm each : api().listVms(ListVmsRequest.getDefaultInstance()).getVmsList()) {
      delete(each.getName());
    }
    deleteDisks();
  }

  /** Deletes all disks that no VM has. */
  public void deleteDisks() {
    for (Disk each : api().listDisks(ListDisksRequest.getDefaultInstance()).getDisksList()) {
      api().deleteDisk(DeleteDiskRequest.newBuilder().setName(each.getName()).setHost(each.getHosts(0)).build());
    }
  }
}
