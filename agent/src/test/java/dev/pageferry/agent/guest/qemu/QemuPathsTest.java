package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.disk.AllowedPaths;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.proto.agent.v1.QemuMachine;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.qemu.v1.KeptMachine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class QemuPathsTest {
  @TempDir
  Path directory;
  private Path allowed;
  private Path outside;

  @BeforeEach
  void makeFiles() throws IOException {
    allowed = Files.createDirectory(directory.resolve("allowed"));
    Files.createFile(allowed.resolve("vmlinuz"));
    outside = Files.createFile(directory.resolve("outside"));
  }

  private QemuPaths paths(String binary, Path... directories) {
    return new QemuPaths("host-a", binary, directory, Optional.empty(), AllowedPaths.of(List.of(directories)),
        Set.of("rtc"), List.of());
  }

  @Test
  void aFileInADirectoryThatIsAllowedMayBeNamed() {
    assertThatCode(() -> paths("qemu", allowed).allowed().requireFile(allowed.resolve("vmlinuz")))
        .doesNotThrowAnyException();
  }

  @Test
  void aLinkCountsAsWhatItLeadsTo() throws IOException {
    Path link = Files.createSymbolicLink(allowed.resolve("link"), outside);
    assertThatThrownBy(() -> paths("qemu", allowed).allowed().requireFile(link))
        .hasMessageContaining("is not in a directory that this host's agent allows");
  }

  @Test
  void dotsDoNotLeadOut() {
    assertThatThrownBy(() -> paths("qemu", allowed).allowed().requireFile(allowed.resolve("../outside")))
        .hasMessageContaining("is not in a directory");
  }

  @Test
  void withoutAnAllowedDirectoryNoFileMayBeNamed() {
    assertThatThrownBy(() -> paths("qemu").allowed().requireFile(allowed.resolve("vmlinuz")))
        .hasMessageContaining("--allow-path: none");
  }

  @Test
  void aDirectoryIsNotAFile() {
    assertThatThrownBy(() -> paths("qemu", directory).allowed().requireFile(allowed))
        .hasMessageContaining("is not a regular file");
  }

  @Test
  void anOptionOfQemuIsAddedOnlyWhereTheHostAllowsIt() throws IOException {
    QemuPaths paths = paths("/bin/true", allowed);
    assertThatCode(() -> paths.check(spec("rtc=base=localtime"))).doesNotThrowAnyException();
    assertThatThrownBy(() -> paths.check(spec("device=VGA")))
        .hasMessage("QEMU's option 'device' is not one that this host's agent allows (--allow-qemu-arg: rtc)");
  }

  private QemuSpec spec(String argument) {
    return QemuSpec.of(VmSpec.newBuilder().setId("vm-1").setName("tux").setMemoryBytes(64 << 20).setVcpus(1)
        .setQemu(QemuMachine.newBuilder().setMachine("pc-i440fx-10.0").setCpu("qemu64")
            .setKernel(allowed.resolve("vmlinuz").toString()).addArguments(argument))
        .build());
  }

  @Test
  void onlyMachinesOfAgentsThatAreKnownToHaveEndedAreLookedAt() throws IOException {
    Path file = Files.createFile(directory.resolve("pageferry-host-a-bench.console"));
    Path nobodys = Files.createDirectory(directory.resolve("pageferry-host-a-vm-1"));
    Path own = machineOf("pageferry-host-a-vm-2", "agent-1");
    Path ofAnotherCluster = machineOf("pageferry-host-a-vm-3", "agent-of-another");
    assertThat(paths("qemu").directories(List.of(new Incarnation("agent-0"), new Incarnation("agent-1"))))
        .containsExactlyInAnyOrder(nobodys, own);
    assertThat(file).exists();
    assertThat(ofAnotherCluster).exists();
  }

  private Path machineOf(String name, String agent) throws IOException {
    Path machine = Files.createDirectory(directory.resolve(name));
    Files.write(MachineFiles.recordOf(machine), KeptMachine.newBuilder()
        .setSpec(spec("rtc=base=localtime").toMessage()).addIncarnations(agent).build().toByteArray());
    return machine;
  }

  @Test
  void aHostWithoutQemuSaysHowToNameOne() {
    assertThatThrownBy(() -> paths("no-such-qemu").requireBinary())
        .hasMessageContaining("this host has no no-such-qemu").hasMessageContaining("--qemu");
  }
}
