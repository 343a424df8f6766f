package dev.pageferry.agent.inspection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class BoundedCallTest {
  private static final Duration SOON = Duration.ofMillis(20);
  private static final Duration LONG = Duration.ofSeconds(30);

  private final BoundedCall calls = new BoundedCall(Scheduler.SYSTEM, 2);

  @Test
  void anAnswerComesBackAndSoDoesAFailure() throws Exception {
    assertThat(calls.call("it", LONG, () -> 42)).isEqualTo(42);
    assertThatThrownBy(() -> calls.call("it", LONG, () -> {
      throw new IOException("broken");
    })).isInstanceOf(IOException.class).hasMessage("broken");
    assertThatThrownBy(() -> calls.call("it", LONG, () -> {
      throw new IllegalStateException("odd");
    })).isInstanceOf(IOException.class).hasMessageContaining("odd");
  }

  @Test
  void whatHangsIsGivenUpAndNotBegunAgainWithoutEnd() throws Exception {
    CountDownLatch hangs = new CountDownLatch(1);
    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(() -> calls.call("the storage", SOON, () -> {
        hangs.await();
        return true;
      })).isInstanceOf(IOException.class).hasMessageStartingWith("the storage did not answer within");
    }
    assertThatThrownBy(() -> calls.call("the storage", LONG, () -> true))
        .hasMessage("the storage has not answered 2 earlier questions yet");
    hangs.countDown();
    await().ignoreException(IOException.class).until(() -> calls.call("the storage", LONG, () -> true));
  }

  @Test
  void theMemoryOfTheMachineIsReadAsTheKernelWritesIt() throws Exception {
    assertThat(MachineMemoryFile.bytes(List.of("MemFree: 1 kB", "MemTotal:       32759136 kB")))
        .isEqualTo(32759136L << 10);
    assertThatThrownBy(() -> MachineMemoryFile.bytes(List.of("MemFree: 1 kB"))).isInstanceOf(IOException.class)
        .hasMessageContaining("MemTotal");
    assertThat(MachineMemoryFile.bytes()).isPositive();
  }
}
