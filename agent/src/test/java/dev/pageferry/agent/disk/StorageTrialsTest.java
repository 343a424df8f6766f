package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Trials of storage by two hosts, each with locks of its own. */
@Timeout(60)
class StorageTrialsTest {
  @TempDir
  Path root;

  private StorageTrials host() {
    return new StorageTrials(root.resolve("validation"), new ProcessLocks(), Scheduler.SYSTEM);
  }

  @Test
  void whatOneHostWritesAnotherReads() throws Exception {
    assertThat(host().read("trial", "host-a")).isEmpty();
    assertThat(host().write("trial", "host-a", "hello")).isNotNegative();
    assertThat(host().write("trial", "host-a", "hello again")).isNotNegative();
    assertThat(host().read("trial", "host-a")).contains("hello again");
    assertThat(host().read("trial", "host-b")).isEmpty();
    assertThat(host().read("other", "host-a")).isEmpty();
  }

  @Test
  void aLockKeepsOthersOutUntilItIsLetGoOf() throws Exception {
    StorageTrials a = host();
    assertThat(host().write("trial", "host-a", "")).isNotNegative();
    assertThat(a.tryLock("trial")).isTrue();
    assertThat(a.lock("trial")).isTrue();
    assertThat(host().tryLock("trial")).isFalse();
    assertThat(host().lock("trial")).isFalse();
    a.unlock("trial");
    assertThat(host().tryLock("trial")).isTrue();
    a.unlock("trial");
  }

  @Test
  void aTrialLeavesNothingAndTouchesNoOther() throws Exception {
    StorageTrials a = host();
    a.clean("trial");
    assertThat(root).isEmptyDirectory();
    assertThat(a.write("trial", "host-a", "x") + a.write("trial2", "host-a", "y")).isNotNegative();
    assertThat(a.lock("trial")).isTrue();
    a.clean("trial");
    assertThat(Files.list(root.resolve("validation"))).extracting(each -> each.getFileName().toString())
        .containsExactly("trial2.of.host-a");
    assertThat(a.lock("trial")).as("the lock went, too").isTrue();
    a.clean("trial");
  }

  @Test
  void whatATrialHasLeftThatWasCutShortIsRemovedLater() throws Exception {
    assertThat(host().write("old", "host-a", "x") + host().write("young", "host-a", "x")).isNotNegative();
    Files.setLastModifiedTime(root.resolve("validation/old.of.host-a"), FileTime.fromMillis(1));
    assertThat(host().write("new", "host-a", "x")).isNotNegative();
    assertThat(Files.list(root.resolve("validation"))).extracting(each -> each.getFileName().toString())
        .containsExactlyInAnyOrder("young.of.host-a", "new.of.host-a");
  }

  @Test
  void storageThatCannotBeWrittenSaysSo() throws Exception {
    Files.writeString(root.resolve("validation"), "a file where the directory should be");
    assertThatThrownBy(() -> host().write("trial", "host-a", "x")).isInstanceOf(IOException.class)
        .hasMessageContaining("validation/trial.of.host-a cannot be written");
    assertThatThrownBy(() -> host().lock("trial")).isInstanceOf(IOException.class).hasMessageContaining("locked");
  }

  @Test
  void namesThatLeadElsewhereAreRefused() {
    assertThatThrownBy(() -> host().write("../x", "host-a", "")).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> host().read("x", "../disks/data")).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> host().lock("")).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> host().clean("/")).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> host().write("x", "host-a", "y".repeat(513))).hasMessageContaining("513 bytes");
    assertThat(root).isEmptyDirectory();
  }
}
