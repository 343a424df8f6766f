package dev.pageferry.coordinator.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.coordinator.fakes.InterposedStore;
import dev.pageferry.coordinator.fakes.ManualTicker;
import java.io.IOException;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class WriteProbeTest {
  private final ManualTicker ticker = new ManualTicker();
  private final InterposedStore store = new InterposedStore(inMemory());
  private boolean hangs;
  private final WriteProbe probe = new WriteProbe(store, new TestScheduler());

  private static SqliteRecordStore inMemory() {
    try {
      return SqliteRecordStore.inMemory();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @AfterEach
  void close() {
    store.close();
  }

  @Test
  void recordsThatCannotBeWrittenAreSaidSoAndWrittenAgainAfterAWhile() {
    assertThat(probe.trouble()).isEmpty();
    long written = revision();
    store.failWrites(1);
    assertThat(probe.trouble()).as("what was found just now").isEmpty();
    assertThat(revision()).isEqualTo(written);
    ticker.advance(Duration.ofSeconds(6));
    assertThat(probe.trouble()).hasValueSatisfying(each -> assertThat(each).contains("the disk is full"));
    ticker.advance(Duration.ofSeconds(6));
    assertThat(probe.trouble()).isEmpty();
    assertThat(revision()).isGreaterThan(written);
  }

  @Test
  void aWriteThatHangsIsTroubleAndNobodyBeginsASecondOne() {
    hangs = true;
    assertThat(probe.trouble()).isPresent();
    ticker.advance(Duration.ofSeconds(60));
    hangs = false;
    assertThat(probe.trouble()).contains("records were not written for 60 s");
  }

  private long revision() {
    return store.get("probe").orElseThrow().revision();
  }

  /** Runs at once what is started, unless it is to hang; waits for nothing. */
  private final class TestScheduler implements Scheduler {
    @Override
    public long nanos() {
      return ticker.nanos();
    }

    @Override
    public long wallMillis() {
      return 0;
    }

    @Override
    public void sleep(Duration duration) {
      ticker.advance(duration);
    }

    @Override
    public Task start(String name, Runnable body) {
      throw new AssertionError("storage may hang: " + name);
    }

    @Override
    public Task startBlocking(String name, Runnable body) {
      if (!hangs) {
        body.run();
      }
      return current();
    }

    @Override
    public Task current() {
      return Scheduler.SYSTEM.current();
    }

    @Override
    public Signal newSignal() {
      return new Signal() {
        @Override
        public boolean await(BooleanSupplier condition, Duration atMost) {
          return condition.getAsBoolean();
        }

        @Override
        public void raise() {
        }
      };
    }
  }
}
