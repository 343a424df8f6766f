package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** Disks that were closed while the storage did not answer: the host lives, and is not to be in everybody's way. */
final class LeftLeasesTest extends SharedStorageFixture {
  private final AtomicBoolean away = new AtomicBoolean();

  private SharedStorage hostWhoseLeasesOfDisksFail() throws Exception {
    Files.createDirectories(root.resolve("leases"));
    SharedStorage host = new SharedStorage(root, new Failing(leases()),
        new StorageLease.Holder("a", "life-of-a", "m1"),
        new SharedStorage.Environment(locks, System::nanoTime, Scheduler.SYSTEM), devices, fenced::add);
    hosts.add(host);
    host.lease().awaitLive(Duration.ofSeconds(10));
    return host;
  }

  private DiskSet takenByAnother(SharedStorage other) throws Exception {
    return other.open(disks.subList(0, 1), DiskClaim.orderly("vm-1", 2));
  }

  @Test
  void aDiskThatCouldNotBeReleasedIsReleasedWhenTheStorageIsBack() throws Exception {
    DiskSet set = hostWhoseLeasesOfDisksFail().open(disks.subList(0, 1), FIRST);
    away.set(true);
    assertThatThrownBy(() -> set.release("")).isInstanceOf(IOException.class);
    SharedStorage other = host("b", "m2");
    assertThatThrownBy(() -> takenByAnother(other)).hasMessageContaining("is alive");
    away.set(false);
    Awaitility.await().atMost(Duration.ofSeconds(20)).pollInterval(Duration.ofSeconds(1))
        .ignoreException(DiskException.class)
        .until(() -> !takenByAnother(other).isFenced());
  }

  @Test
  void aDiskThatWasOpenedAnewInBetweenStaysThisHosts() throws Exception {
    SharedStorage host = hostWhoseLeasesOfDisksFail();
    DiskSet set = host.open(disks.subList(0, 1), FIRST);
    away.set(true);
    assertThatThrownBy(() -> set.release("")).isInstanceOf(IOException.class);
    away.set(false);
    DiskSet anew = host.open(disks.subList(0, 1), FIRST);
    long before = host.lease().renewals();
    Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> host.lease().renewals() > before + 2);
    anew.disk(0).write(0, sector());
    assertThat(leaseFile("disk-data.lease").read().orElseThrow().state()).isEqualTo(LeaseRecord.State.HELD);
  }

  /** Fails to write leases of disks while it is to. */
  private final class Failing implements LeaseStore {
    private final LeaseStore store;

    Failing(LeaseStore store) {
      this.store = store;
    }

    @Override
    public void write(String name, byte[] contents) throws IOException {
      if (away.get() && name.startsWith("disk-")) {
        throw new IOException("the storage does not answer");
      }
      store.write(name, contents);
    }

    @Override
    public Optional<byte[]> read(String name) throws IOException {
      return store.read(name);
    }

    @Override
    public List<String> names() throws IOException {
      return store.names();
    }

    @Override
    public void delete(String name) throws IOException {
      store.delete(name);
    }

    @Override
    public Optional<Lock> tryLock(String name) throws IOException {
      return store.tryLock(name);
    }

    @Override
    public Holding holding(String name) throws IOException {
      return store.holding(name);
    }
  }
}
