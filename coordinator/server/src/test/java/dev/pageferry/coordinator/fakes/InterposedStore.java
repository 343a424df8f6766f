package dev.pageferry.coordinator.fakes;

import dev.pageferry.coordinator.store.RecordStore;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;

/** Records in whose accesses a test steps in: something else happens just after a read, or a write fails. */
public final class InterposedStore implements RecordStore {
  private record AfterGet(Predicate<String> key, Runnable action) {
  }

  private final RecordStore store;
  private final AtomicReference<Optional<AfterGet>> afterGet = new AtomicReference<>(Optional.empty());
  private final AtomicReference<Optional<AfterGet>> duringWrite = new AtomicReference<>(Optional.empty());
  private volatile int failures;

  public InterposedStore(RecordStore store) {
    this.store = store;
  }

  /** Happens once, after the first read of such a key and before its reader sees what was read. */
  public void afterGet(String prefix, Runnable action) {
    afterGet.set(Optional.of(new AfterGet(key -> key.startsWith(prefix), action)));
  }

  /** Happens once, while the next write is on its way to the disk. */
  public void duringWrite(Runnable action) {
    duringWrite.set(Optional.of(new AfterGet(key -> true, action)));
  }

  /** That many writes fail from now on. */
  public synchronized void failWrites(int count) {
    failures = count;
  }

  @Override
  public Optional<Versioned> get(String key) {
    Optional<Versioned> read = store.get(key);
    Optional<AfterGet> hook = afterGet.get();
    if (hook.isPresent() && hook.get().key().test(key) && afterGet.compareAndSet(hook, Optional.empty())) {
      hook.get().action().run();
    }
    return read;
  }

  @Override
  public List<Versioned> list(String prefix) {
    return store.list(prefix);
  }

  @Override
  public Snapshot snapshot() {
    return store.snapshot();
  }

  @Override
  public long revision() {
    return store.revision();
  }

  @Override
  public boolean commit(Transaction transaction) {
    duringWrite.getAndSet(Optional.empty()).ifPresent(each -> each.action().run());
    synchronized (this) {
      if (failures > 0) {
        failures--;
        throw new IllegalStateException("the disk is full");
      }
      return store.commit(transaction);
    }
  }

  @Override
  public void close() {
    store.close();
  }
}
