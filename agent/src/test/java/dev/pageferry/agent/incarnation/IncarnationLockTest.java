package dev.pageferry.agent.incarnation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which incarnations an agent may call dead: those whose lock it has, and no others. */
class IncarnationLockTest {
  private static final HostId A = new HostId("host-a");
  private static final HostPort COORDINATOR = new HostPort("127.0.0.1", 7400);
  private static final Incarnation FIRST = new Incarnation("first");
  private static final Incarnation SECOND = new Incarnation("second");
  private static final Incarnation THIRD = new Incarnation("third");

  @TempDir
  Path directory;

  @Test
  void theFirstAgentKnowsOfNobodyWhoEnded() throws IOException {
    assertThat(lives(FIRST, "boot")).isEmpty();
  }

  @Test
  void anAgentThatGetsTheLockOfAnotherKnowsThatItEnded() throws IOException {
    assertThat(lives(FIRST, "boot")).isEmpty();
    assertThat(lives(SECOND, "boot")).containsExactly(FIRST);
    // The second may have ended before the coordinator heard of it.
    assertThat(lives(THIRD, "boot")).containsExactly(SECOND, FIRST);
  }

  @Test
  void aSecondAgentOfAHostThatRunsHereDoesNotStart() throws IOException {
    try (IncarnationLock held = take(A, COORDINATOR, FIRST, "boot")) {
      assertThat(held.bootId()).isEqualTo("boot");
      for (int i = 0; i < 2; i++) {
        assertThatThrownBy(() -> take(A, COORDINATOR, SECOND, "boot")).isInstanceOf(IOException.class)
            .hasMessageContaining("another agent of host-a runs here, pid " + ProcessHandle.current().pid());
      }
    }
    assertThat(lives(SECOND, "boot")).containsExactly(FIRST);
  }

  @Test
  void hostsOfTheSameNameInOtherClustersAreOthers() throws IOException {
    try (IncarnationLock here = take(A, COORDINATOR, FIRST, "boot");
        IncarnationLock there = take(A, new HostPort("127.0.0.1", 7500), SECOND, "boot");
        IncarnationLock another = take(new HostId("host-b"), COORDINATOR, THIRD, "boot")) {
      assertThat(List.of(here, there, another)).allSatisfy(each -> assertThat(each.ended()).isEmpty());
    }
  }

  @Test
  void anotherBootProvesNothing() throws IOException {
    lives(FIRST, "boot");
    assertThat(lives(SECOND, "another-boot")).isEmpty();
    assertThat(lives(THIRD, "another-boot")).containsExactly(SECOND);
  }

  @Test
  void aCopiedFileProvesNothing() throws IOException {
    lives(FIRST, "boot");
    Path file = file();
    Path copy = directory.resolve("copy");
    Files.copy(file, copy);
    Files.move(file, directory.resolve("kept"));
    Files.move(copy, file);
    assertThat(lives(SECOND, "boot")).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "pageferry-agent 1", "pageferry-agent 1\nincarnation=first\nboot=boot\n", "pageferry-agent 2\nend",
          "pageferry-agent 1\nincarnation=a/b\nboot=boot\npid=1\nend", "pageferry-agent 1\nnonsense\nend",
          "pageferry-agent 1\nincarnation=first\nboot=boot\npid=\nend"})
  void aDamagedFileProvesNothing(String text) throws IOException {
    lives(FIRST, "boot");
    Files.writeString(file(), text);
    assertThat(lives(SECOND, "boot")).isEmpty();
    assertThat(lives(THIRD, "boot")).containsExactly(SECOND);
  }

  @Test
  void aLinkIsNotFollowed() throws IOException {
    lives(FIRST, "boot");
    Path file = file();
    Path elsewhere = directory.resolve("elsewhere");
    Files.move(file, elsewhere);
    Files.createSymbolicLink(file, elsewhere);
    assertThatThrownBy(() -> take(A, COORDINATOR, SECOND, "boot")).hasMessageContaining("--run-dir");
  }

  @Test
  void noMoreEndedOnesAreRememberedThanACoordinatorKnows() throws IOException {
    for (int i = 0; i < 100; i++) {
      lives(new Incarnation("life-" + i), "boot");
    }
    assertThat(lives(FIRST, "boot")).hasSize(64).first().isEqualTo(new Incarnation("life-99"));
  }

  @Test
  void theRunDirectoryIsItsUsersAlone() throws IOException {
    Path made = RunDirectory.open(Optional.of(directory.resolve("a/run")), Map.of());
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(made, LinkOption.NOFOLLOW_LINKS)))
        .isEqualTo("rwx------");
    Path file = Files.createFile(directory.resolve("file"));
    assertThatThrownBy(() -> RunDirectory.open(Optional.of(file.resolve("run")), Map.of()))
        .isInstanceOf(IOException.class).hasMessageContaining("--run-dir");
  }

  private List<Incarnation> lives(Incarnation incarnation, String bootId) throws IOException {
    try (IncarnationLock lock = take(A, COORDINATOR, incarnation, bootId)) {
      return lock.ended();
    }
  }

  private IncarnationLock take(HostId host, HostPort coordinator, Incarnation incarnation, String bootId)
      throws IOException {
    return IncarnationLock.take(directory, host, coordinator, incarnation, bootId);
  }

  private Path file() {
    return directory.resolve("host-host-a@127.0.0.1_7400.lock");
  }
}
