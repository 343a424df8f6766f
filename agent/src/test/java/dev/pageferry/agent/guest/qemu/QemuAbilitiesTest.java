package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.disk.AllowedPaths;
import dev.pageferry.agent.guest.ResolvedSpec;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.proto.agent.v1.QemuMachine;
import dev.pageferry.proto.agent.v1.UefiFirmware;
import dev.pageferry.proto.agent.v1.VmSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A QEMU that is a shell script says what it can do. */
class QemuAbilitiesTest {
  private static final String RUNS_GUESTS = "exit 85";

  @TempDir
  Path directory;
  private Path kvm;
  private Path log;

  @BeforeEach
  void makeDevice() throws IOException {
    kvm = Files.writeString(directory.resolve("kvm"), "");
    log = directory.resolve("log");
  }

  /** @param underKvm what becomes of a guest that it boots there */
  private QemuAbilities abilities(String underKvm) throws IOException {
    return abilities(underKvm, "");
  }

  /** @param poor the accelerator under which one model lacks features; empty: under each */
  private QemuAbilities abilities(String underKvm, String poor) throws IOException {
    Path qemu = directory.resolve("qemu");
    Files.writeString(qemu,
        """
            #!/bin/sh
            echo "$*" >> %s
            case "$*" in
              *isa-debug-exit*) %s ;;
            esac
            echo 'qemu: a warning'
            echo '{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}}, "capabilities": []}}'
            echo '{"return": {}}'
            echo '{"return": [{"name": "pc-q35-10.0", "alias": "q35"}, {"name": "pc-i440fx-10.0", "alias": "pc"}, {"name": "none"}]}'
            missing=
            case "$*" in
              *%s*) missing='"sse4a", "svm"' ;;
            esac
            echo '{"return": [{"name": "qemu64", "unavailable-features": []}, {"name": "EPYC", "unavailable-features": ['"$missing"']}]}'
            """
            .formatted(log, underKvm, poor));
    Files.setPosixFilePermissions(qemu, PosixFilePermissions.fromString("rwx------"));
    return new QemuAbilities(new QemuProbe(qemu.toString(), directory, kvm),
        paths(qemu.toString()),
        Scheduler.SYSTEM);
  }

  private QemuPaths paths(String binary) {
    return new QemuPaths("host-a", binary, directory, Optional.empty(), AllowedPaths.of(List.of()), Set.of(),
        List.of(directory.resolve("firmware")));
  }

  private static VmSpec asked(String type, String cpu, String accel) {
    return VmSpec.newBuilder().setId("vm-1").setName("tux").setMemoryBytes(64 << 20).setVcpus(1)
        .setQemu(QemuMachine.newBuilder().setMachine(type).setCpu(cpu).setKernel("/boot/vmlinuz").setAccel(accel))
        .build();
  }

  private static QemuSpec spec(String type, String cpu, String accel) {
    return QemuSpec.of(asked(type, cpu, accel));
  }

  @Test
  void anAliasBecomesTheTypeThatItStandsFor() throws Exception {
    QemuAbilities abilities = abilities(RUNS_GUESTS);
    assertThat(abilities.resolve(asked("q35", "qemu64", "tcg")).message().getQemu().getMachine())
        .isEqualTo("pc-q35-10.0");
    VmSpec versioned = asked("pc-i440fx-10.0", "qemu64", "");
    assertThat(abilities.resolve(versioned).message()).isEqualTo(versioned);
    assertThatThrownBy(() -> abilities.resolve(asked("none", "qemu64", "tcg"))).hasMessageContaining("'none'")
        .hasMessageContaining("not the same in every QEMU");
  }

  @Test
  void autoIsKvmWhereAGuestRunsUnderItAndThatIsTriedOnce() throws Exception {
    QemuAbilities abilities = abilities(RUNS_GUESTS);
    for (int i = 0; i < 3; i++) {
      ResolvedSpec resolved = abilities.resolve(asked("q35", "qemu64", "auto"));
      assertThat(resolved.message().getQemu().getAccel()).isEqualTo("kvm");
      assertThat(resolved.acceleratorReason()).isEmpty();
    }
    assertThat(Files.readAllLines(log)).filteredOn(line -> line.contains("isa-debug-exit")).hasSize(1);
    assertThat(Files.readAllLines(log)).filteredOn(line -> line.contains("-qmp")).hasSize(1);
  }

  @Test
  void autoIsEmulationWhereNoGuestRunsUnderKvmAndSaysWhy() throws Exception {
    QemuAbilities abilities = abilities("echo 'no VMX here' >&2; exit 1");
    ResolvedSpec resolved = abilities.resolve(asked("q35", "qemu64", "auto"));
    assertThat(resolved.message().getQemu().getAccel()).isEmpty();
    assertThat(resolved.acceleratorReason()).contains("a guest did not boot under it: no VMX here");
    assertThatThrownBy(() -> abilities.resolve(asked("q35", "qemu64", "kvm")))
        .hasMessageContaining("this host has no KVM for guests").hasMessageContaining("no VMX here");
    assertThatThrownBy(() -> abilities.check(spec("pc-q35-10.0", "qemu64", "kvm")))
        .hasMessageContaining("this host has no KVM for guests");
    assertThatCode(() -> abilities.check(spec("pc-q35-10.0", "qemu64", "tcg"))).doesNotThrowAnyException();
  }

  @Test
  void autoIsEmulationWhereKvmLacksWhatTheCpuModelNeeds() throws Exception {
    ResolvedSpec resolved = abilities(RUNS_GUESTS, "kvm").resolve(asked("q35", "EPYC", "auto"));
    assertThat(resolved.message().getQemu().getAccel()).isEmpty();
    assertThat(resolved.acceleratorReason())
        .isEqualTo("CPU model 'EPYC' needs sse4a, svm, which kvm does not have here");
    assertThatThrownBy(() -> abilities(RUNS_GUESTS, "kvm").resolve(asked("q35", "EPYC", "kvm")))
        .hasMessageContaining("which kvm does not have here");
  }

  @Test
  void aGuestThatDoesNotGetAnywhereIsNoProofOfKvm() throws Exception {
    QemuAbilities abilities = abilities("kill -KILL $$");
    assertThat(abilities.resolve(asked("q35", "qemu64", "auto")).acceleratorReason())
        .contains("did not boot under it within 3 s");
  }

  @Test
  void withoutItsDeviceKvmIsNotTried() throws Exception {
    QemuAbilities abilities = abilities(RUNS_GUESTS);
    Files.delete(kvm);
    assertThat(abilities.resolve(asked("q35", "qemu64", "auto")).acceleratorReason()).contains("there is no");
    assertThat(Files.readAllLines(log)).noneMatch(line -> line.contains("isa-debug-exit"));
  }

  @Test
  void whatQemuDoesNotHaveHereIsRefusedWithWhatItHas() throws Exception {
    QemuAbilities abilities = abilities(RUNS_GUESTS);
    assertThatThrownBy(() -> abilities.check(spec("pc-q35-11.0", "qemu64", "tcg")))
        .hasMessage(
            "QEMU 10.0.2 here has no machine type 'pc-q35-11.0'; the newest that it has are pc-i440fx-10.0 and pc-q35-10.0");
    assertThatThrownBy(() -> abilities.check(spec("pc-q35-10.0", "no-such-model", "tcg")))
        .hasMessageContaining("has no CPU model 'no-such-model'");
    assertThatThrownBy(() -> abilities.check(spec("pc-q35-10.0", "EPYC", "tcg")))
        .hasMessage("CPU model 'EPYC' needs sse4a, svm, which tcg does not have here");
  }

  @Test
  void aQemuThatSaysNothingIsNamed() throws Exception {
    QemuAbilities silent = new QemuAbilities(new QemuProbe("/bin/true", directory, directory), paths("/bin/true"),
        Scheduler.SYSTEM);
    assertThatThrownBy(() -> silent.check(spec("pc-q35-10.0", "qemu64", "tcg")))
        .hasMessageContaining("/bin/true does not tell what it can do: exit code 0");
  }

  @Test
  void aMachineWithUefiGetsFlashMemoryOfTheSizeThatThisHostHas() throws Exception {
    QemuAbilities abilities = abilities("exit 1");
    VmSpec uefi = asked("q35", "qemu64", "tcg").toBuilder().setQemu(asked("q35", "qemu64", "tcg").getQemu().toBuilder()
        .setUefi(UefiFirmware.getDefaultInstance())).build();
    assertThatThrownBy(() -> abilities.resolve(uefi)).isInstanceOf(IOException.class)
        .hasMessageContaining("no UEFI firmware for machine type 'pc-q35-10.0'").hasMessageContaining("install ovmf");

    FirmwareFilesTest.describe(directory, "60-plain.json", "pc-q35-*", "");

    assertThat(abilities.resolve(uefi).message().getQemu().getUefi())
        .isEqualTo(UefiFirmware.newBuilder().setCodeBytes(3).setVariablesBytes(2).build());
  }
}
