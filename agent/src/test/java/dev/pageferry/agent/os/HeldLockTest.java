package dev.pageferry.agent.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whether another process has a file locked by flock(2). */
class HeldLockTest {
  @TempDir
  Path directory;

  @Test
  void aLockIsSeenAsLongAsItsProcessLivesAndLooksDoNotSeeEachOther() throws Exception {
    Path file = directory.resolve("host-a.vm");
    assertThat(HeldLock.isHeld(file)).as("there is no file").isFalse();
    Path unused = Files.createFile(file);
    assertThat(HeldLock.isHeld(file)).as("nobody has it").isFalse();
    // As a keeper does: the shell has it, whoever took it.
    Process holder = new ProcessBuilder("sh", "-c", "exec 9>>\"$1\"; flock --exclusive 9; echo locked; read _", "sh",
        file.toString()).start();
    try {
      assertThat(holder.inputReader().readLine()).isEqualTo("locked");
      assertThat(HeldLock.isHeld(file)).isTrue();
      assertThat(HeldLock.isHeld(file)).as("a second look").isTrue();
    } finally {
      holder.destroyForcibly().waitFor();
    }
    assertThat(HeldLock.isHeld(file)).as("its process has ended").isFalse();
    assertThat(HeldLock.isHeld(file)).isFalse();
  }

  @Test
  void whatCannotBeOpenedIsAnErrorAndNotFree() throws IOException {
    Path file = Files.createFile(directory.resolve("too-long".repeat(10)));
    assertThat(HeldLock.isHeld(file)).isFalse();
    assertThatThrownBy(() -> HeldLock.isHeld(Path.of("/proc/1/mem"))).isInstanceOf(IOException.class);
  }
}
