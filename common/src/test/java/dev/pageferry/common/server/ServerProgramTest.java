package dev.pageferry.common.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ServerProgramTest {
  private final List<String> complaints = new CopyOnWriteArrayList<>();

  @Test
  void aServerIsGivenTheTimeToCloseThatItsProgramStates() {
    List<String> seen = new CopyOnWriteArrayList<>();
    ServerProgram.close(() -> seen.add("closed"), Duration.ofSeconds(50), complaints::add);

    assertThat(seen).containsExactly("closed");
    assertThat(complaints).isEmpty();
  }

  @Test
  void aServerThatHangsWhileItClosesIsLeftBehind() {
    CountDownLatch never = new CountDownLatch(1);
    ServerProgram.close(never::await, Duration.ofMillis(10), complaints::add);

    assertThat(complaints).singleElement().satisfies(said -> assertThat(said).contains("not closed within"));
    never.countDown();
  }

  @Test
  void aComplaintThatNobodyReadsDoesNotHoldTheEnd() throws Exception {
    CountDownLatch never = new CountDownLatch(1);
    CountDownLatch complains = new CountDownLatch(1);
    ServerProgram.close(never::await, Duration.ofMillis(10), complaint -> {
      complains.countDown();
      // As a write to a pipe that nobody reads.
      try {
        never.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });

    complains.await();
    never.countDown();
  }

  @Test
  void aServerThatCannotCloseSaysWhy() {
    ServerProgram.close(() -> {
      throw new IllegalStateException("by the test");
    }, Duration.ofSeconds(50), complaints::add);

    assertThat(complaints).singleElement().satisfies(said -> assertThat(said).contains("by the test"));
  }
}
