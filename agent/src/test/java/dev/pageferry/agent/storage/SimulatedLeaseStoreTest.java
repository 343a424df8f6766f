package dev.pageferry.agent.storage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.disk.LeaseStore;
import dev.pageferry.agent.disk.StorageLease;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A host's lease on storage that is made in memory, from outside the package of disks, as a simulation has it. */
@Timeout(60)
final class SimulatedLeaseStoreTest {
  private static final Duration LEASE = Duration.ofSeconds(10);
  private static final Duration RENEWAL = Duration.ofMillis(5);

  private final MemoryStore store = new MemoryStore();
  private final AtomicLong nanos = new AtomicLong();

  private StorageLease lease(String incarnation, String boot, Runnable inspection) {
    StorageLease lease = new StorageLease(store, new StorageLease.Holder("a", incarnation, boot), LEASE, RENEWAL,
        nanos::get, Scheduler.SYSTEM, inspection);
    lease.start();
    return lease;
  }

  @Test
  void aLeaseIsLiveForItsDurationFromItsRenewalOnAndNoLonger() throws Exception {
    try (StorageLease lease = lease("first", "boot", () -> {
    })) {
      lease.awaitLive(LEASE);
      store.fails.set(true);
      Awaitility.await().until(() -> store.failed.get() > 2);
      nanos.addAndGet(LEASE.toNanos() - 1);
      assertThat(lease.isLive()).isTrue();
      nanos.incrementAndGet();
      assertThat(lease.isLive()).isFalse();
      store.fails.set(false);
      Awaitility.await().until(lease::isLive);
    }
  }

  @Test
  void aRenewalThatIsThereThoughItFailedHasANumberThatNoOtherOneHas() throws Exception {
    try (StorageLease lease = lease("first", "boot", () -> {
    })) {
      lease.awaitLive(LEASE);
      store.failsLate.set(true);
      Awaitility.await().until(() -> store.failed.get() > 2);
      store.failsLate.set(false);
      int before = store.written.size();
      Awaitility.await().until(() -> store.written.size() > before + 2);
      assertThat(store.written).doesNotHaveDuplicates();
    }
  }

  @Test
  void anInspectionThatBreaksDoesNotStopTheHost() throws Exception {
    try (StorageLease lease = lease("first", "boot", () -> {
      throw new IllegalStateException("this VM's disks are in a state that nobody foresaw");
    })) {
      lease.awaitLive(LEASE);
    }
  }

  @Test
  void anIncarnationThatAnotherOneFollowedNeverHoldsTheLeaseAgain() throws Exception {
    try (StorageLease first = lease("first", "boot-1", () -> {
    })) {
      first.awaitLive(LEASE);
      // Its machine is cut off from the storage, which then lets others have its lock.
      store.fails.set(true);
      Awaitility.await().until(() -> store.failed.get() > 2);
      store.locks.clear();
      MemoryStore reachable = store.withoutFailures();
      StorageLease next = new StorageLease(reachable, new StorageLease.Holder("a", "next", "boot-2"), LEASE, RENEWAL,
          nanos::get, Scheduler.SYSTEM, () -> {
          });
      next.start();
      try (next) {
        Awaitility.await().until(() -> {
          nanos.addAndGet(Duration.ofSeconds(1).toNanos());
          return next.isLive();
        });
        assertThat(first.isLive()).isFalse();
        store.fails.set(false);
        Awaitility.await().until(first::isLost);
        assertThat(first.isLive()).isFalse();
        first.close();
        assertThat(new String(reachable.read("host-a.lease").orElseThrow(), StandardCharsets.US_ASCII))
            .as("the former one says nothing in its name").contains("incarnation=next", "state=held");
      }
    }
  }

  /** Durable when it returns; its locks are given up by whoever has them, or taken away by the test. */
  private static final class MemoryStore implements LeaseStore {
    final Map<String, byte[]> files;
    final Map<String, Lock> locks;
    final AtomicBoolean fails = new AtomicBoolean();
    final AtomicBoolean failsLate = new AtomicBoolean();
    final AtomicLong failed = new AtomicLong();
    final List<String> written = new CopyOnWriteArrayList<>();

    MemoryStore() {
      this(new ConcurrentHashMap<>(), new ConcurrentHashMap<>());
    }

    private MemoryStore(Map<String, byte[]> files, Map<String, Lock> locks) {
      this.files = files;
      this.locks = locks;
    }

    /** The same storage, for another machine. */
    MemoryStore withoutFailures() {
      return new MemoryStore(files, locks);
    }

    private void call() throws IOException {
      if (fails.get()) {
        failed.incrementAndGet();
        throw new IOException("cut off");
      }
    }

    @Override
    public Optional<byte[]> read(String name) throws IOException {
      call();
      return Optional.ofNullable(files.get(name));
    }

    @Override
    public Holding holding(String name) throws IOException {
      call();
      return locks.containsKey(name) ? Holding.HELD : Holding.FREE;
    }

    @Override
    public List<String> names() throws IOException {
      call();
      return List.copyOf(files.keySet());
    }

    @Override
    public void write(String name, byte[] contents) throws IOException {
      call();
      files.put(name, contents.clone());
      written.add(new String(contents, StandardCharsets.US_ASCII));
      if (failsLate.get()) {
        failed.incrementAndGet();
        throw new IOException("written, and not known to be");
      }
    }

    @Override
    public void delete(String name) throws IOException {
      call();
      files.remove(name);
    }

    @Override
    public Optional<Lock> tryLock(String name) throws IOException {
      call();
      Lock lock = new Lock() {
        @Override
        public void close() {
          locks.remove(name, this);
        }
      };
      return locks.putIfAbsent(name, lock) == null ? Optional.of(lock) : Optional.empty();
    }
  }
}
