package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class EventLoopsTest {
  @Test
  void aLoopThatIsHeldRunsNothingAndTheOthersDo() throws Exception {
    CountDownLatch hold = new CountDownLatch(1);
    Set<String> turned = ConcurrentHashMap.newKeySet();
    try (EventLoops loops = new EventLoops(2)) {
      Map<String, Executor> each = loops.each();
      assertThat(each).containsOnlyKeys("migration-control", "migration-data-1", "migration-data-2");

      Objects.requireNonNull(each.get("migration-data-1")).execute(() -> {
        try {
          hold.await();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
      });
      each.forEach((name, loop) -> loop.execute(() -> turned.add(name)));

      await()
          .untilAsserted(() -> assertThat(turned).containsExactlyInAnyOrder("migration-control", "migration-data-2"));
      hold.countDown();
      await().until(() -> turned.size() == 3);
    }
  }
}
