package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
    return new QemuPaths("host-a", binary, directory, List.of(directories));
  }

  @Test
  void aFileInADirectoryThatIsAllowedMayBeNamed() {
    assertThatCode(() -> paths("qemu", allowed).requireAllowed(allowed.resolve("vmlinuz"))).doesNotThrowAnyException();
  }

  @Test
  void aLinkCountsAsWhatItLeadsTo() throws IOException {
    Path link = Files.createSymbolicLink(allowed.resolve("link"), outside);
    assertThatThrownBy(() -> paths("qemu", allowed).requireAllowed(link))
        .hasMessageContaining("is not in a directory that this host's agent allows");
  }

  @Test
  void dotsDoNotLeadOut() {
    assertThatThrownBy(() -> paths("qemu", allowed).requireAllowed(allowed.resolve("../outside")))
        .hasMessageContaining("is not in a directory");
  }

  @Test
  void withoutAnAllowedDirectoryNoFileMayBeNamed() {
    assertThatThrownBy(() -> paths("qemu").requireAllowed(allowed.resolve("vmlinuz")))
        .hasMessageContaining("--allow-path: none");
  }

  @Test
  void aDirectoryIsNotAFile() {
    assertThatThrownBy(() -> paths("qemu", directory).requireAllowed(allowed))
        .hasMessageContaining("is not a regular file");
  }

  @Test
  void aHostWithoutQemuSaysHowToNameOne() {
    assertThatThrownBy(() -> paths("no-such-qemu").requireBinary())
        .hasMessageContaining("this host has no no-such-qemu").hasMessageContaining("--qemu");
  }
}
