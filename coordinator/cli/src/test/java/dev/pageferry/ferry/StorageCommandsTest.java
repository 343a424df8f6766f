package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.Codec;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.DeleteDiskRequest;
import dev.pageferry.proto.cluster.v1.DeleteDiskResponse;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.ListDisksResponse;
import dev.pageferry.proto.cluster.v1.MigrateQuickRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.RestoreVmRequest;
import dev.pageferry.proto.cluster.v1.RestoreVmUpdate;
import dev.pageferry.proto.cluster.v1.SaveVmRequest;
import dev.pageferry.proto.cluster.v1.SaveVmUpdate;
import dev.pageferry.proto.cluster.v1.StartVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import org.junit.jupiter.api.Test;

/** Disks, saved VMs and quick migrations on the command line. */
class StorageCommandsTest extends CommandFixture {
  private static final Disk DISK = Disk.newBuilder().setName("data").setFormat(Disk.Format.VHD).setSizeBytes(10L << 30)
      .setVm("web").addHosts("a").addHosts("b").build();

  @Test
  void aDiskIsAVhdUnlessToldOtherwise() {
    cluster.answer("CreateDisk", DISK);
    assertThat(ferry.run("disk", "create", "data", "--size", "10GiB")).isZero();
    assertThat(cluster.onlyRequest(CreateDiskRequest.class)).isEqualTo(CreateDiskRequest.newBuilder().setName("data")
        .setSizeBytes(10L << 30).setFormat(Disk.Format.VHD).build());
    assertThat(ferry.out()).isEqualTo("""
        NAME  FORMAT  SIZE    VM   HOSTS
        data  VHD     10 GiB  web  a,b
        """);
  }

  @Test
  void disksAreListedAsADocument() {
    cluster.answer("ListDisks", ListDisksResponse.newBuilder().addDisks(DISK).build());
    assertThat(ferry.run("disk", "list", "-o", "json")).isZero();
    assertThat(ferry.out()).contains("\"disks\": [{", "\"sizeBytes\": \"10737418240\"", "\"format\": \"VHD\"");
  }

  @Test
  void aDiskIsDeletedByItsName() {
    cluster.answer("DeleteDisk", DeleteDiskResponse.getDefaultInstance());
    assertThat(ferry.run("disk", "delete", "data")).isZero();
    assertThat(cluster.onlyRequest(DeleteDiskRequest.class).getName()).isEqualTo("data");
  }

  @Test
  void disksOfAVmKeepTheirOrder() {
    cluster.answer("CreateVm", Samples.VM);
    assertThat(ferry.run("vm", "create", "web", "--host", "host-a", "--disk", "data", "--disk", "/dev/sdb")).isZero();
    assertThat(cluster.onlyRequest(CreateVmRequest.class).getDisksList()).containsExactly("data", "/dev/sdb");
  }

  @Test
  void savingPrintsTheVmAndSaysHowLongItTook() {
    cluster.answer("SaveVm", SaveVmUpdate.newBuilder().setDoneBytes(5).setTotalBytes(10).build(),
        SaveVmUpdate.newBuilder().setVm(Samples.VM.toBuilder().setState(Vm.State.SAVED)).setFileBytes(1 << 20)
            .setSeconds(1.5).build());
    assertThat(ferry.run("vm", "save", "web", "--compress", "zstd")).isZero();
    assertThat(cluster.onlyRequest(SaveVmRequest.class).getCodec()).isEqualTo(Codec.Name.ZSTD);
    assertThat(ferry.out()).contains("SAVED");
    assertThat(ferry.err()).contains("web saved in 1.50 s: 1 MiB");
  }

  @Test
  void aSaveThatEndsWithoutAResultIsInDoubt() {
    cluster.answer("SaveVm", SaveVmUpdate.newBuilder().setDoneBytes(5).setTotalBytes(10).build());
    assertThat(ferry.run("vm", "save", "web")).isEqualTo(ExitCode.IN_DOUBT);
    assertThat(ferry.err()).contains("not known");
  }

  @Test
  void startingASavedVmRestoresIt() {
    cluster.answer("GetVm", Samples.VM.toBuilder().setState(Vm.State.SAVED).build());
    cluster.answer("RestoreVm", RestoreVmUpdate.newBuilder().setDoneBytes(5).setTotalBytes(10).build(),
        RestoreVmUpdate.newBuilder().setVm(Samples.VM).setSeconds(0.25).build());
    assertThat(ferry.run("vm", "start", "web", "--host", "host-b")).isZero();
    assertThat(cluster.onlyRequest(RestoreVmRequest.class).getHost()).isEqualTo("host-b");
    assertThat(ferry.err()).contains("web restored in 250.0 ms");
  }

  @Test
  void startingAStoppedVmBootsIt() {
    cluster.answer("GetVm", Samples.VM.toBuilder().setState(Vm.State.STOPPED).build());
    cluster.answer("StartVm", Samples.VM);
    assertThat(ferry.run("vm", "start", "web", "--force-disks")).isZero();
    assertThat(cluster.onlyRequest(StartVmRequest.class).getForceDisks()).isTrue();
  }

  @Test
  void aQuickMigrationTakesWhatItNeedsAndNothingElse() {
    cluster.answer("MigrateQuick", Migration.newBuilder().setId("m-1").build());
    assertThat(ferry.run("migrate", "quick", "web", "--to", "host-b", "--compress", "lz4", "--detach")).isZero();
    assertThat(ferry.out()).isEqualTo("m-1\n");
    assertThat(cluster.onlyRequest(MigrateQuickRequest.class)).isEqualTo(MigrateQuickRequest.newBuilder().setName("web")
        .setTo("host-b").setCodec(Codec.Name.LZ4).setRequestId("id-1").build());
    assertThat(ferry.run("migrate", "quick", "web", "--to", "host-b", "--streams", "4")).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.run("migrate", "quick", "web", "--to", "host-b", "--compress", "gzip")).isEqualTo(ExitCode.USAGE);
  }
}
