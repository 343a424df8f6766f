package dev.pageferry.support;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.support.QemuProcesses.Qemu;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Sees whether two QEMUs execute one VM at the same time: both guests have had a processor in one interval, and again in the next.
 * (In one interval alone both have, when a VM goes from one to the other.)
 */
public final class OneCopyWatch implements AutoCloseable {
  private static final long INTERVAL_MILLIS = 150;
  /** A vCPU that is paused and asked something wakes for less. */
  private static final long EXECUTES_NANOS = 100_000;
  /** What a vCPU uses before it executes anything: it is set up, and given its state. One millisecond was measured. */
  private static final long SETUP_NANOS = 3_000_000;

  private final String vmId;
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(
      Thread.ofPlatform().daemon().name("one-copy-watch").factory());
  private Map<Long, Long> before = Map.of();
  private int intervalsOfTwo;
  private long intervals;
  private @Nullable String seen;

  public OneCopyWatch(String vmId) {
    this.vmId = vmId;
    var unused = timer.scheduleAtFixedRate(this::look, 0, INTERVAL_MILLIS, TimeUnit.MILLISECONDS);
  }

  private synchronized void look() {
    try {
      List<Qemu> now = QemuProcesses.of(vmId);
      List<Qemu> executed = now.stream()
          .filter(each -> each.vcpuNanos() > SETUP_NANOS
              && each.vcpuNanos() - before.getOrDefault(each.pid(), each.vcpuNanos()) > EXECUTES_NANOS)
          .toList();
      intervals += executed.isEmpty() ? 0 : 1;
      intervalsOfTwo = executed.size() > 1 ? intervalsOfTwo + 1 : 0;
      if (intervalsOfTwo > 1 && seen == null) {
        seen = executed.toString();
      }
      Map<Long, Long> nanos = new HashMap<>();
      now.forEach(each -> nanos.put(each.pid(), each.vcpuNanos()));
      before = nanos;
    } catch (IOException | RuntimeException e) {
      seen = "the watch ended: " + e;
    }
  }

  /** In how many intervals it was executed at all. */
  public synchronized long intervals() {
    return intervals;
  }

  /** The QEMUs that executed at the same time; empty: there was never more than one. */
  public synchronized Optional<String> seen() {
    return Optional.ofNullable(seen);
  }

  /** Never did two execute. */
  public synchronized void assertOneAtATime() {
    assertThat(seen).as("QEMUs that executed the VM at the same time").isNull();
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }
}
