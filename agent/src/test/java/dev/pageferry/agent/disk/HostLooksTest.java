package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.disk.HostSign.Verdict;
import java.nio.file.Files;
import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Whether another host lives, as seen from the storage: on the kernel that keeps its lock, and from another machine. */
final class HostLooksTest extends SharedStorageFixture {
  private SharedStorage neighbour;
  private SharedStorage distant;

  @BeforeEach
  void openHosts() throws Exception {
    neighbour = host("b", "m1");
    distant = host("c", "m2");
    neighbour.lease().awaitLive(Duration.ofSeconds(10));
    distant.lease().awaitLive(Duration.ofSeconds(10));
  }

  private Verdict seenBy(SharedStorage looker, String incarnation) throws Exception {
    return looker.looks().look("a", incarnation).verdict();
  }

  /** As the death of its process leaves it. */
  private void leaseOfADeadHost() throws Exception {
    Files.createFile(root.resolve("leases/host-a.lock"));
    leaseFile("host-a.lease").write(
        new LeaseRecord(LeaseRecord.State.HELD, "", "a", "life-of-a", "m1", 0, "", 7, LEASE));
  }

  private void pass(Duration time) {
    leapNanos.addAndGet(time.toNanos());
  }

  @Test
  void aHostThatKeepsItsLockLives() throws Exception {
    host("a", "m1").lease().awaitLive(Duration.ofSeconds(10));
    assertThat(seenBy(neighbour, "life-of-a")).isEqualTo(Verdict.LIVES);
    assertThat(seenBy(distant, "life-of-a")).isEqualTo(Verdict.LIVES);
    pass(LEASE.multipliedBy(3));
    assertThat(seenBy(distant, "life-of-a")).as("frozen, it keeps the lock, too").isEqualTo(Verdict.LIVES);
  }

  @Test
  void theKernelThatKeptItsLockKnowsAtOnceThatItsAgentHasEnded() throws Exception {
    leaseOfADeadHost();
    assertThat(seenBy(neighbour, "life-of-a")).isEqualTo(Verdict.GONE);
  }

  @Test
  void anotherMachineWaitsItsLeaseOutFromItsFirstLookOn() throws Exception {
    leaseOfADeadHost();
    assertThat(seenBy(distant, "life-of-a")).isEqualTo(Verdict.WAITING);
    pass(LEASE);
    HostSign nearly = distant.looks().look("a", "life-of-a");
    assertThat(nearly.reason()).contains("was not renewed for 0 s");
    assertThat(nearly.remaining()).isPositive().isLessThanOrEqualTo(LEASE.dividedBy(10));
    pass(LEASE.dividedBy(10));
    assertThat(seenBy(distant, "life-of-a")).isEqualTo(Verdict.GONE);
  }

  @Test
  void anotherMachineThatWatchesLeasesHasWaitedBeforeItIsAsked() throws Exception {
    leaseOfADeadHost();
    distant.looks().watch();
    Awaitility.await().until(() -> distant.lease().hasSeen("a"));
    pass(LEASE.plus(LEASE.dividedBy(10)));
    assertThat(seenBy(distant, "life-of-a")).isEqualTo(Verdict.GONE);
  }

  @Test
  void aRenewalInBetweenHasItWaitAnew() throws Exception {
    leaseOfADeadHost();
    assertThat(seenBy(distant, "life-of-a")).isEqualTo(Verdict.WAITING);
    pass(LEASE.multipliedBy(2));
    leaseFile("host-a.lease").write(
        new LeaseRecord(LeaseRecord.State.HELD, "", "a", "life-of-a", "m1", 0, "", 8, LEASE));
    assertThat(seenBy(distant, "life-of-a")).isEqualTo(Verdict.WAITING);
  }

  @Test
  void nothingIsSaidOfAHostThatWasNeverHereOrOfAnotherIncarnation() throws Exception {
    assertThat(seenBy(neighbour, "life-of-a")).isEqualTo(Verdict.UNKNOWN);
    leaseOfADeadHost();
    assertThat(seenBy(neighbour, "later-life-of-a")).isEqualTo(Verdict.UNKNOWN);
  }

  @Test
  void anIncarnationIsGoneOnceAnotherOneOfItsNameHadTheLeaseAndIsGoneToo() throws Exception {
    leaseOfADeadHost();
    assertThat(seenBy(neighbour, "life-before")).isEqualTo(Verdict.UNKNOWN);
    pass(LEASE);
    assertThat(seenBy(neighbour, "life-before")).as("its lease is not waited out yet").isEqualTo(Verdict.UNKNOWN);
    pass(LEASE.dividedBy(10));
    assertThat(seenBy(neighbour, "life-before")).isEqualTo(Verdict.GONE);
  }

  @Test
  void nothingIsSaidOfAnIncarnationWhileAnotherOneOfItsNameLives() throws Exception {
    host("a", "m1").lease().awaitLive(Duration.ofSeconds(10));
    assertThat(seenBy(distant, "life-before")).isEqualTo(Verdict.UNKNOWN);
    pass(LEASE.multipliedBy(3));
    assertThat(seenBy(distant, "life-before")).isEqualTo(Verdict.UNKNOWN);
  }

  @Test
  void aHostThatGaveItsLeaseUpIsGone() throws Exception {
    SharedStorage a = host("a", "m1");
    a.lease().awaitLive(Duration.ofSeconds(10));
    a.close();
    assertThat(seenBy(distant, "life-of-a")).isEqualTo(Verdict.GONE);
  }

  @Test
  void whoHasWaitedALeaseOutTakesADiskWithoutWaitingForItAgain() throws Exception {
    leaseOfADeadHost();
    leaseFile("disk-data.lease").write(
        new LeaseRecord(LeaseRecord.State.HELD, "vm-1", "a", "life-of-a", "m1", 1, "", 0, Duration.ofHours(1)));
    assertThat(seenBy(distant, "life-of-a")).isEqualTo(Verdict.WAITING);
    pass(Duration.ofHours(2));
    // Its own lease has run out by that clock, too, until it renews it.
    awaitRenewal(distant);
    DiskSet set = distant.open(disks.subList(0, 1), DiskClaim.orderly("vm-1", 2));
    assertThat(set.isFenced()).isFalse();
  }
}
