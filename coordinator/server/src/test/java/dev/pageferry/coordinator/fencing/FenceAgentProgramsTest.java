package dev.pageferry.coordinator.fencing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.coordinator.fencing.FenceAgent.Action;
import dev.pageferry.coordinator.fencing.FenceAgent.Ended;
import dev.pageferry.proto.cluster.v1.FenceDevice;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Fence agents as programs: small scripts that answer, hang, flood and tell secrets. */
@Timeout(60)
class FenceAgentProgramsTest {
  @TempDir
  Path directory;
  private FenceAgentPrograms programs;

  @BeforeEach
  void open() {
    programs = new FenceAgentPrograms(List.of(directory.resolve("none"), directory), Scheduler.SYSTEM);
  }

  private FenceDevice.Builder script(String... lines) throws Exception {
    Path script = directory.resolve("fence_test");
    Files.writeString(script, "#!/bin/bash\n" + String.join("\n", lines) + "\n");
    Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
    return FenceDevice.newBuilder().setAgent("fence_test");
  }

  private Path secret(String mode, String content) throws Exception {
    Path file = directory.resolve("secret");
    Files.writeString(file, content);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
    return file;
  }

  @Test
  void optionsComeToItsInputALineEachAndItHasNoEnvironmentOfOurs() throws Exception {
    FenceDevice device = script("cat > %s/in".formatted(directory), "env > %s/env".formatted(directory), "exit 2")
        .putOptions("ip", "10.0.9.1; rm -rf $HOME")
        .putOptionFiles("password", secret("rw-------", "s3cret\n").toString())
        .build();

    assertThat(programs.run(device, Action.STATUS)).isEqualTo(new Ended(2, ""));
    assertThat(Files.readAllLines(directory.resolve("in"))).containsExactly("action=status",
        "ip=10.0.9.1; rm -rf $HOME", "password=s3cret");
    assertThat(Files.readString(directory.resolve("env"))).contains("PATH=").doesNotContain("HOME=", "JAVA");
  }

  @Test
  void whatItSaysIsToldInOneLineWithoutTheSecret() throws Exception {
    FenceDevice device = script("echo first", "echo 'bad password s3cret' >&2", "exit 1")
        .putOptionFiles("password", secret("rw-------", "s3cret").toString()).build();

    assertThat(programs.run(device, Action.OFF)).isEqualTo(new Ended(1, "first; bad password ***"));
  }

  @Test
  void oneThatFloodsEndsAllTheSame() throws Exception {
    Ended ended = programs.run(script("yes flood | head -c 20000000", "exit 0").build(), Action.STATUS);
    assertThat(ended.exitCode()).isZero();
    assertThat(ended.said()).hasSizeLessThanOrEqualTo(300).contains("flood");
  }

  @Test
  void oneThatHangsIsKilledWithWhatItStarted() throws Exception {
    Path pid = directory.resolve("pid");
    FenceDevice device = script("sleep 600 & echo $! > %s; wait".formatted(pid)).build();

    assertThatThrownBy(() -> programs.run(device, Action.STATUS)).isInstanceOf(FenceException.class)
        .hasMessage("fence_test did not end within 10 s when it was asked for status, and was killed");
    long child = Long.parseLong(Files.readString(pid).strip());
    Awaitility.await().atMost(Duration.ofSeconds(10)).until(() -> {
      Optional<ProcessHandle> left = ProcessHandle.of(child);
      return left.isEmpty() || !left.get().isAlive();
    });
  }

  @Test
  void oneThatIsNotThereIsNotFoundElsewhere() {
    FenceDevice device = FenceDevice.newBuilder().setAgent("fence_nowhere").build();
    assertThatThrownBy(() -> programs.run(device, Action.STATUS)).isInstanceOf(FenceException.class)
        .hasMessageContaining("fence agent fence_nowhere is not in ").hasMessageContaining("--fence-agents");
  }

  @Test
  void aFileThatOthersMayReadIsNotTaken() throws Exception {
    for (String mode : List.of("rw-r-----", "rw----r--", "rw--w----")) {
      FenceDevice device = script("exit 0").putOptionFiles("password", secret(mode, "s3cret").toString()).build();
      assertThatThrownBy(() -> programs.run(device, Action.OFF)).isInstanceOf(FenceException.class)
          .hasMessageContaining("is open to others than its owner (%s); chmod 600 it".formatted(mode));
    }
  }

  @Test
  void aFileThatCouldBeAnotherOptionIsNotTaken() throws Exception {
    for (String content : List.of("a\naction=on", "", "\n", "a\rb", "x".repeat(2000))) {
      FenceDevice device = script("exit 0").putOptionFiles("password", secret("rw-------", content).toString()).build();
      assertThatThrownBy(() -> programs.run(device, Action.OFF)).as(content).isInstanceOf(FenceException.class)
          .hasMessageNotContaining("action");
    }
    FenceDevice gone = script("exit 0").putOptionFiles("password", directory + "/gone").build();
    assertThatThrownBy(() -> programs.run(gone, Action.OFF)).isInstanceOf(FenceException.class)
        .hasMessageContaining("is not a regular file of the coordinator's machine");
  }
}
