package dev.pageferry.simulation;

import dev.pageferry.agent.disk.BootClock;
import dev.pageferry.agent.disk.LeaseStore;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** A planted fault: as long as the storage took to answer the last renewal, the lease seems to last longer. */
final class CountedFromAnswer implements LeaseStore, BootClock {
  private final LeaseStore store;
  private final BootClock clock;
  private long answeredAfterNanos;

  CountedFromAnswer(LeaseStore store, BootClock clock) {
    this.store = store;
    this.clock = clock;
  }

  @Override
  public long nanos() {
    return clock.nanos() - answeredAfterNanos;
  }

  @Override
  public void write(String name, byte[] contents) throws IOException {
    long asked = clock.nanos();
    store.write(name, contents);
    if (name.startsWith("host-")) {
      answeredAfterNanos = clock.nanos() - asked;
    }
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
