package dev.pageferry.coordinator.machines;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.fakes.InterposedSiteFixture;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.cluster.v1.Vm;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Two operators at once. */
@Timeout(60)
class MachinesRaceTest extends InterposedSiteFixture {
  @Test
  void aStartThatReadTheVmBeforeAnotherOneStartedItDoesNotBootItAgain() throws RequestException {
    site.createVm("db", "a");
    site.machines().stop("db");
    store.afterGet("vms/", () -> {
      try {
        site.machines().start("db", "", false);
      } catch (RequestException e) {
        throw new AssertionError(e);
      }
    });

    assertThatThrownBy(() -> site.machines().start("db", "", false)).isInstanceOf(RequestException.class);

    assertThat(site.row("db").getEpoch()).as("the first start's epoch").isEqualTo(2);
    assertThat(site.agent("a").count("createVm")).as("one creation, one start").isEqualTo(2);
    assertThat(site.machines().show("db").getState()).isEqualTo(Vm.State.RUNNING);
  }

  @Test
  void aVmThatIsBeingBuiltIsNeitherStartedNorStoppedNorMigrated() throws Exception {
    CountDownLatch building = new CountDownLatch(1);
    CountDownLatch built = new CountDownLatch(1);
    site.agent("a").when("createVm", () -> {
      building.countDown();
      awaitQuietly(built);
    });
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<Vm> creation = executor.submit(() -> site.machines().create(FakeSite.request("db", "a")));
      assertThat(building.await(10, TimeUnit.SECONDS)).isTrue();

      assertThatThrownBy(() -> site.machines().start("db", "", false)).hasMessageContaining("try again");
      assertThatThrownBy(() -> site.machines().stop("db")).hasMessageContaining("try again");
      assertThatThrownBy(() -> site.machines().delete("db", true)).hasMessageContaining("try again");
      assertThatThrownBy(() -> site.migrate("db", "b")).isInstanceOf(RequestException.class);
      assertThatThrownBy(() -> site.machines().create(FakeSite.request("db", "b"))).hasMessageContaining("exists");

      built.countDown();
      assertThat(creation.get(10, TimeUnit.SECONDS).getState()).isEqualTo(Vm.State.RUNNING);
    }
    assertThat(site.owner("db")).containsExactly("a", 1L);
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      assertThat(latch.await(10, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
