package dev.pageferry.support;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.journal.JournalReader.Journal;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.awaitility.Awaitility;

/** What scenarios with disks ask again and again. */
public final class StorageChecks {
  private static final Map<String, String> FAST = Map.of("rate", "4MB/s");

  private final TestCluster cluster;

  public StorageChecks(TestCluster cluster) {
    this.cluster = cluster;
  }

  /**
   * Creates a small VM that writes a journal to a disk of its own.
   *
   * @return steps acknowledged so far
   */
  public long startJournal(String vm, String host) {
    cluster.createWithDisk(vm, host, 32, "journal", FAST, 16);
    return stepsBeyond(vm, 0);
  }

  /** Steps acknowledged so far, once they are a good many more than the given ones. */
  public long stepsBeyond(String vm, long steps) {
    return Awaitility.await("steps of " + vm).atMost(TestCluster.PATIENCE)
        .until(() -> cluster.vm(vm).getSteps(), now -> now > steps + 100);
  }

  /**
   * The VM runs on, every byte of its memory is what its program wrote, and its disk has every step that was acknowledged.
   *
   * @param steps that it had done
   * @return steps acknowledged so far
   */
  public long assertGoesOn(String vm, long steps) throws IOException {
    long now = stepsBeyond(vm, steps);
    assertThat(cluster.verify(vm).getIdentical()).isTrue();
    assertJournalHolds(vm, now);
    return now;
  }

  /** The journals on the VM's disk are whole, and hold every step that was acknowledged since the VM booted. */
  public void assertJournalHolds(String vm, long acknowledgedSteps) throws IOException {
    assertThat(wholeJournals(vm).stream().mapToLong(Journal::stepsSinceBoot).sum())
        .isGreaterThanOrEqualTo(acknowledgedSteps);
  }

  /** The journals of both vCPUs, which must be whole. */
  public List<Journal> wholeJournals(String vm) throws IOException {
    List<Journal> journals = cluster.journals(vm);
    assertThat(journals).hasSize(2);
    assertThat(journals).allSatisfy(each -> assertThat(each.problems()).isEmpty());
    return journals;
  }

  /** Names of the files of saved VMs. */
  public List<String> savedStates() throws IOException {
    try (Stream<Path> files = Files.list(cluster.storage().resolve("saved"))) {
      return files.map(each -> each.getFileName().toString()).toList();
    }
  }
}
