package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.guest.SpecMessages;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.agent.v1.QemuMachine;
import dev.pageferry.proto.agent.v1.UefiFirmware;
import dev.pageferry.proto.agent.v1.VmSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QemuSpecTest {
  private static final VmSpec VALID = VmSpec.newBuilder().setId("vm-1").setName("tux").setMemoryBytes(64 << 20)
      .setVcpus(1).setQemu(QemuMachine.newBuilder().setMachine("pc-i440fx-10.0").setCpu("qemu64")
          .setKernel("/boot/vmlinuz").setAppend("quiet"))
      .build();

  @TempDir
  Path directory;

  private static VmSpec with(QemuMachine.Builder machine) {
    return VALID.toBuilder().setQemu(machine).build();
  }

  private static QemuMachine.Builder machine() {
    return VALID.getQemu().toBuilder();
  }

  @Test
  void aMessageIsTheSameAfterItWasRead() {
    VmSpec full = VALID.toBuilder().setQemu(machine().setInitrd("/boot/initrd.img"))
        .addDisks(Disk.newBuilder().setName("data").setFormat(Disk.Format.VHD).setSizeBytes(1 << 20).setIdentity("x"))
        .addNics(SpecMessages.toProto(NetworkCard.parse("02:00:00:00:00:01@7,ip=10.1.2.3"))).build();
    assertThat(QemuSpec.of(full).toMessage()).isEqualTo(full);
    VmSpec chosen = full.toBuilder().setQemu(full.getQemu().toBuilder().setAccel("kvm").addCdroms("iso")
        .addArguments("rtc=base=localtime").addArguments("no-hpet"))
        .addDisks(Disk.newBuilder().setName("iso").setFormat(Disk.Format.RAW).setSizeBytes(1 << 20)).build();
    assertThat(QemuSpec.of(chosen).toMessage()).isEqualTo(chosen);
    VmSpec uefi = full.toBuilder().setQemu(machine().setUefi(
        UefiFirmware.newBuilder().setCodeBytes(3653632).setVariablesBytes(540672))).build();
    assertThat(QemuSpec.of(uefi).toMessage()).isEqualTo(uefi);
    VmSpec fromDisk = full.toBuilder().setQemu(machine().clearKernel().clearAppend()).build();
    assertThat(QemuSpec.of(fromDisk).toMessage()).isEqualTo(fromDisk);
  }

  @ParameterizedTest
  @ValueSource(strings = {"pc", "q35", "pc-i440fx", "none"})
  void aMachineTypeThatIsAnotherMachineInAnotherQemuIsRefused(String type) {
    assertThatThrownBy(() -> QemuSpec.of(with(machine().setMachine(type)))).hasMessageContaining(type)
        .hasMessageContaining("pc-q35-10.0");
  }

  @ParameterizedTest
  @ValueSource(strings = {"pc-10.0,accel=kvm", "pc 10.0", ""})
  void whatWouldEndAnOptionsValueIsRefused(String type) {
    assertThatThrownBy(() -> QemuSpec.of(with(machine().setMachine(type)))).hasMessageContaining("is not a valid");
  }

  @Test
  void aCpuThatIsTheHostsOwnRunsAndIsNotMoved() {
    assertThatCode(() -> QemuSpec.of(VALID).requireMovable()).doesNotThrowAnyException();
    QemuSpec asTheHost = QemuSpec.of(with(machine().setCpu("max")));
    assertThatThrownBy(asTheHost::requireMovable).isInstanceOf(IOException.class).hasMessageContaining("'max'");
  }

  @Test
  void emulationIsNotSaidInAMessageAsVersionsWithoutAcceleratorsDoThat() {
    VmSpec spec = with(machine().setAccel("tcg"));
    assertThat(QemuSpec.of(spec).toMessage()).isEqualTo(VALID);
    assertThatThrownBy(() -> QemuSpec.of(with(machine().setAccel("auto")))).hasMessageContaining("'auto'");
  }

  @Test
  void aCdromIsARawDiskOfTheVm() {
    Disk iso = Disk.newBuilder().setName("iso").setFormat(Disk.Format.RAW).setSizeBytes(1 << 20).build();
    VmSpec spec = with(machine().addCdroms("iso"));
    assertThatThrownBy(() -> QemuSpec.of(spec)).hasMessageContaining("iso is not one of the VM's disks");
    VmSpec vhd = spec.toBuilder().addDisks(iso.toBuilder().setFormat(Disk.Format.VHD)).build();
    assertThatThrownBy(() -> QemuSpec.of(vhd)).hasMessageContaining("a CD-ROM is a raw image");
    VmSpec three = spec.toBuilder().setQemu(machine().addCdroms("a").addCdroms("b").addCdroms("c")).build();
    assertThatThrownBy(() -> QemuSpec.of(three)).hasMessageContaining("3 CD-ROMs are more than 2");
  }

  @Test
  void theGuestCannotWriteItsCdromAndBootsFromItAfterItsDisks() throws IOException {
    VmSpec spec = with(machine().addCdroms("iso")).toBuilder()
        .addDisks(Disk.newBuilder().setName("data").setFormat(Disk.Format.RAW).setSizeBytes(1 << 20))
        .addDisks(Disk.newBuilder().setName("iso").setFormat(Disk.Format.RAW).setSizeBytes(1 << 20)).build();
    try (MachineFiles files = MachineFiles.create(directory.resolve("vm-1"))) {
      List<String> argv = QemuDevices.of(QemuSpec.of(spec), files);
      assertThat(argv).filteredOn(each -> each.contains("read-only")).singleElement().asString().contains("disk-1");
      assertThat(argv).filteredOn(each -> each.startsWith("ide-cd")).singleElement().asString()
          .contains("drive=disk-1", "bus=ide.0", "bootindex=2");
      assertThat(argv).filteredOn(each -> each.startsWith("virtio-blk-pci")).singleElement().asString()
          .contains("drive=disk-0", "bootindex=1");
    }
  }

  @Test
  void aMachineThatHasNothingToBootIsRefused() {
    assertThatThrownBy(() -> QemuSpec.of(with(machine().clearKernel().clearAppend())))
        .hasMessageContaining("nothing to boot");
    assertThatThrownBy(() -> QemuSpec.of(with(machine().clearKernel()))).hasMessageContaining("for a kernel");
  }

  @ParameterizedTest
  @ValueSource(strings = {"vmlinuz", "/boot/../etc/shadow", "./vmlinuz"})
  void aPathThatIsNotPlainIsRefused(String kernel) {
    assertThatThrownBy(() -> QemuSpec.of(with(machine().setKernel(kernel)))).hasMessageContaining("not absolute");
  }
}
