package dev.pageferry.agent.hosting;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.builtin.Booted;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.hosting.BoundGuests.Binding;
import dev.pageferry.agent.hosting.BoundGuests.Told;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Ticker;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** VMs that are bound to the membership lease, on a clock that the test moves. */
@Timeout(60)
final class BoundGuestsTest {
  private static final Duration LEASE = Duration.ofSeconds(10);
  private static final OwnershipEpoch EPOCH = new OwnershipEpoch(3);
  private static final Binding BINDING = new Binding(EPOCH, 7);
  private static final VmId WEB = new VmId("web");

  private static final long MEMORY = 1 << 20;

  private final HostMemory memory = new HostMemory(MEMORY);
  private final AtomicLong nanos = new AtomicLong();
  private final HostedGuests guests = new HostedGuests();
  private final BoundGuests bound = new BoundGuests(guests, Scheduler.SYSTEM, nanos::get);
  private VirtualMachine vm;

  @BeforeEach
  void boot() throws Exception {
    ProgramSpec program = new ProgramSpec("uniform", Map.of(), MEMORY, 1);
    vm = Booted.vm(new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM),
        VmSpec.diskless(WEB, "web", MEMORY, 1, program), EPOCH.value());
    guests.adopt(vm, EPOCH);
    vm.resume(PauseReason.OPERATOR);
    bound.start();
  }

  @AfterEach
  void close() {
    bound.close();
    guests.close();
  }

  private void bind() {
    told(nanos.get(), Map.of(WEB, BINDING), List.of());
  }

  private void told(long sent, Map<VmId, Binding> binds, List<VmId> frees) {
    bound.told(sent, LEASE, binds, frees);
  }

  private void pass(Duration time) {
    nanos.addAndGet(time.toNanos());
  }

  private boolean isStopped() {
    return vm.isPausedFor(PauseReason.MEMBERSHIP_LEASE);
  }

  @Test
  void aBoundVmStopsWhenItsLeaseRunsOutAndGoesOnWhenItIsRenewed() {
    bind();
    assertThat(bound.bound()).isEqualTo(Map.of(WEB, new Told(BINDING, false)));
    pass(LEASE.minusMillis(501));
    assertThat(bound.mayWork(WEB, EPOCH)).isTrue();
    pass(Duration.ofMillis(2));
    Awaitility.await("its vCPUs stop ahead").until(this::isStopped);
    assertThat(bound.mayWork(WEB, EPOCH)).isTrue();
    pass(Duration.ofMillis(499));
    assertThat(bound.mayWork(WEB, EPOCH)).as("its cards stop in time").isFalse();
    assertThat(bound.bound()).as("it says so").isEqualTo(Map.of(WEB, new Told(BINDING, true)));
    bind();
    Awaitility.await().until(() -> !isStopped());
    assertThat(bound.mayWork(WEB, EPOCH)).isTrue();
  }

  @Test
  void aRenewalCountsFromWhenItWasAskedFor() {
    bind();
    long asked = nanos.get();
    // Frozen for an hour before the answer was read.
    pass(Duration.ofHours(1));
    told(asked, Map.of(WEB, BINDING), List.of());
    assertThat(bound.mayWork(WEB, EPOCH)).isFalse();
    Awaitility.await().until(this::isStopped);
  }

  @Test
  void aVmThatIsNotBoundWorksWhateverTheCoordinatorDoes() {
    told(nanos.get(), Map.of(), List.of());
    pass(Duration.ofDays(1));
    assertThat(bound.mayWork(WEB, EPOCH)).isTrue();
    assertThat(bound.bound()).isEmpty();
    assertThat(isStopped()).isFalse();
  }

  @Test
  void aBoundVmStaysSoUntilItIsFreedByName() {
    bind();
    pass(LEASE.dividedBy(2));
    told(nanos.get(), Map.of(), List.of());
    assertThat(bound.bound()).containsKey(WEB);
    pass(LEASE.dividedBy(2));
    assertThat(bound.mayWork(WEB, EPOCH)).as("an answer that does not name it renews nothing").isFalse();
    Awaitility.await().until(this::isStopped);
    told(nanos.get(), Map.of(), List.of(WEB));
    assertThat(bound.bound()).isEmpty();
    assertThat(bound.mayWork(WEB, EPOCH)).isTrue();
    Awaitility.await().until(() -> !isStopped());
  }

  @Test
  void aCopyUnderAnotherEpochIsAnotherMatter() {
    told(nanos.get(), Map.of(WEB, new Binding(new OwnershipEpoch(2), 7)), List.of());
    assertThat(bound.bound()).isEmpty();
    bind();
    assertThat(bound.mayWork(WEB, new OwnershipEpoch(4))).isTrue();
    pass(LEASE);
    assertThat(bound.mayWork(WEB, EPOCH)).isFalse();
  }
}
