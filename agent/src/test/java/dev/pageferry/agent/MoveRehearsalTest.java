package dev.pageferry.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.transport.CongestionControl;
import dev.pageferry.agent.transport.MigrationTls;
import dev.pageferry.common.identity.HostId;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class MoveRehearsalTest {
  @Test
  void aRehearsalWalksTheWayToTheCoordinatorAsOftenAsItMoves() {
    AtomicInteger walks = new AtomicInteger();
    AtomicInteger looks = new AtomicInteger();
    // Asked before each move: the third time, two are over.
    MoveRehearsal.start(new HostId("host-a"), MigrationTls.NONE, walks::incrementAndGet,
        new CongestionControl(CongestionControl.DEFAULT),
        () -> looks.getAndIncrement() < 2);
    await().atMost(Duration.ofSeconds(40)).until(() -> looks.get() > 2);
    assertThat(walks).hasValue(2);
  }
}
