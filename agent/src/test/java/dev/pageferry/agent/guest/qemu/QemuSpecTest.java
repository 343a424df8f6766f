package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.guest.SpecMessages;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.agent.v1.QemuMachine;
import dev.pageferry.proto.agent.v1.VmSpec;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QemuSpecTest {
  private static final VmSpec VALID = VmSpec.newBuilder().setId("vm-1").setName("tux").setMemoryBytes(64 << 20)
      .setVcpus(1).setQemu(QemuMachine.newBuilder().setMachine("pc-i440fx-10.0").setCpu("qemu64")
          .setKernel("/boot/vmlinuz").setAppend("quiet"))
      .build();

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
