package dev.pageferry.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.concurrent.Mutex;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.concurrent.Task;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class BatonTest {
  private static final Duration LONG = Duration.ofHours(2);

  /** Something that may be interrupted; a test fails if it is and did not expect it. */
  private interface Body {
    void run() throws InterruptedException;
  }

  private static Runnable task(Body body) {
    return () -> {
      try {
        body.run();
      } catch (InterruptedException e) {
        throw new IllegalStateException("interrupted", e);
      }
    };
  }

  private static List<String> threeTasks(long seed) throws Exception {
    Baton baton = new Baton(seed);
    SimulatedScheduler host = baton.newHost("a", 1);
    List<String> order = new ArrayList<>();
    for (String name : List.of("one", "two", "three")) {
      host.start(name, task(() -> {
        for (int i = 0; i < 5; i++) {
          order.add(name + i);
          host.sleep(Duration.ofMillis(1));
        }
        if (order.size() == 15) {
          baton.stop();
        }
      }));
    }
    baton.run(LONG);
    order.add(Long.toHexString(baton.trace().hash()));
    return order;
  }

  @Test
  void aSeedDecidesTheOrderAndSeedsDiffer() throws Exception {
    Set<List<String>> orders = new HashSet<>();
    for (long seed = 0; seed < 50; seed++) {
      List<String> order = threeTasks(seed);
      assertThat(threeTasks(seed)).isEqualTo(order);
      orders.add(order);
    }
    assertThat(orders).hasSizeGreaterThan(40);
  }

  @Test
  void anHourPassesWithoutWaiting() throws Exception {
    Baton baton = new Baton(1);
    SimulatedScheduler right = baton.newHost("right", 1);
    SimulatedScheduler fast = baton.newHost("fast", 1.25);
    List<Long> minutes = new ArrayList<>();
    right.start("waits", task(() -> {
      long start = right.nanos();
      long fastStart = fast.nanos();
      right.sleep(Duration.ofHours(1));
      minutes.add(Duration.ofNanos(right.nanos() - start).toMinutes());
      minutes.add(Duration.ofNanos(fast.nanos() - fastStart).toMinutes());
      baton.stop();
    }));
    baton.run(LONG);
    assertThat(minutes).containsExactly(60L, 75L);
  }

  @Test
  void oneTaskAtATimeIsInsideAMutexAndPromisesAreKept() throws Exception {
    for (long seed = 0; seed < 20; seed++) {
      Baton baton = new Baton(seed);
      SimulatedScheduler host = baton.newHost("a", 1);
      Mutex mutex = host.newMutex();
      Promise<Integer> promise = host.newPromise();
      int[] inside = new int[1];
      int[] entered = new int[1];
      for (int i = 0; i < 3; i++) {
        host.start("worker-" + i, task(() -> {
          for (int j = 0; j < 10; j++) {
            int before = mutex.alone(() -> {
              int now = inside[0]++;
              host.sleep(Duration.ofMillis(1));
              inside[0]--;
              return now;
            });
            assertThat(before).isZero();
            if (++entered[0] == 30) {
              promise.complete(30);
            }
          }
        }));
      }
      host.start("waits", task(() -> {
        assertThat(promise.await(LONG)).contains(30);
        baton.stop();
      }));
      baton.run(LONG);
    }
  }

  @Test
  void aWaitEndsByItsTimeAndAnInterruptEndsIt() throws Exception {
    Baton baton = new Baton(3);
    SimulatedScheduler host = baton.newHost("a", 1);
    Signal signal = host.newSignal();
    List<String> seen = new ArrayList<>();
    Task waiting = host.start("waits", () -> {
      try {
        seen.add("in time: " + signal.await(() -> false, Duration.ofSeconds(5)));
        signal.await(() -> false);
      } catch (InterruptedException e) {
        seen.add("interrupted");
      }
    });
    host.start("interrupts", task(() -> {
      host.sleep(Duration.ofSeconds(6));
      waiting.interrupt();
      assertThat(waiting.join(LONG)).isTrue();
      baton.stop();
    }));
    baton.run(LONG);
    assertThat(seen).containsExactly("in time: false", "interrupted");
  }

  @Test
  void anInterruptThatATaskHasClearedEndsNoWait() throws Exception {
    Baton baton = new Baton(5);
    SimulatedScheduler host = baton.newHost("a", 1);
    List<Boolean> cleared = new ArrayList<>();
    host.start("clears", task(() -> {
      host.current().interrupt();
      cleared.add(host.current().clearInterrupt());
      host.sleep(Duration.ofSeconds(1));
      cleared.add(host.current().clearInterrupt());
      baton.stop();
    }));
    baton.run(LONG);
    assertThat(cleared).containsExactly(true, false);
  }

  @Test
  void theThreadsOfADeadHostUnwindWithoutEffects() throws Exception {
    Baton baton = new Baton(4);
    SimulatedScheduler dies = baton.newHost("dies", 1);
    SimulatedScheduler lives = baton.newHost("lives", 1);
    List<String> seen = new ArrayList<>();
    Task stubborn = dies.start("stubborn", () -> {
      while (true) {
        try {
          dies.sleep(Duration.ofSeconds(1));
        } catch (InterruptedException | RuntimeException | Error e) {
          seen.add(e.getClass().getSimpleName());
          dies.start("from beyond", () -> seen.add("effect"));
          try {
            dies.sleep(Duration.ofSeconds(1));
          } catch (InterruptedException again) {
            seen.add("interrupted");
          }
        }
      }
    });
    lives.start("kills", task(() -> {
      lives.sleep(Duration.ofMillis(2500));
      dies.kill();
      lives.sleep(Duration.ofSeconds(5));
      assertThat(stubborn.isAlive()).isFalse();
      baton.stop();
    }));
    baton.run(LONG);
    assertThat(seen).containsExactly("HostKilled");
  }

  @Test
  void aFrozenHostStandsAndItsClockRunsOn() throws Exception {
    Baton baton = new Baton(5);
    SimulatedScheduler frozen = baton.newHost("frozen", 1);
    SimulatedScheduler other = baton.newHost("other", 1);
    List<Long> beats = new ArrayList<>();
    frozen.start("beats", task(() -> {
      long start = frozen.nanos();
      while (true) {
        frozen.sleep(Duration.ofSeconds(1));
        beats.add(Duration.ofNanos(frozen.nanos() - start).toSeconds());
      }
    }));
    other.start("freezes", task(() -> {
      other.sleep(Duration.ofMillis(2500));
      frozen.freeze(true);
      other.sleep(Duration.ofSeconds(10));
      frozen.freeze(false);
      other.sleep(Duration.ofMillis(1500));
      baton.stop();
    }));
    baton.run(LONG);
    assertThat(beats).containsExactly(1L, 2L, 12L, 13L);
  }

  @Test
  void aWorldThatStandsOrNeverEndsIsAFailure() {
    Baton stands = new Baton(6);
    SimulatedScheduler host = stands.newHost("a", 1);
    Signal signal = host.newSignal();
    host.start("waits for ever", task(() -> signal.await(() -> false)));
    assertThatThrownBy(() -> stands.run(LONG)).hasMessageContaining("nothing can happen any more")
        .hasMessageContaining("a/waits for ever");

    Baton endless = new Baton(7);
    SimulatedScheduler busy = endless.newHost("a", 1);
    busy.start("never ends", task(() -> {
      while (true) {
        busy.sleep(Duration.ofMinutes(1));
      }
    }));
    assertThatThrownBy(() -> endless.run(LONG)).hasMessageContaining("did not come to its end");
  }

  @Test
  void theWatchdogNamesAThreadThatWaitsOutsideOfAPort() {
    Baton baton = new Baton(8);
    baton.watchdog(Duration.ofMillis(200));
    SimulatedScheduler host = baton.newHost("a", 1);
    CountDownLatch never = new CountDownLatch(1);
    host.start("forgetful", task(never::await));
    assertThatThrownBy(() -> baton.run(LONG)).hasMessageContaining("a/forgetful waits outside of a port")
        .satisfies(e -> assertThat(e.getStackTrace()).anyMatch(each -> each.getClassName().contains("CountDownLatch")));
    never.countDown();
  }

  @Test
  void whatFailsInATaskOrAnInvariantFailsTheWorld() {
    Baton broken = new Baton(9);
    broken.newHost("a", 1).start("breaks", () -> {
      throw new IllegalStateException("broken");
    });
    assertThatThrownBy(() -> broken.run(LONG)).hasMessageContaining("task a/breaks died of")
        .hasMessageContaining("broken");

    Baton violated = new Baton(10);
    SimulatedScheduler host = violated.newHost("a", 1);
    violated.check(() -> {
      if (violated.nanos() > Duration.ofSeconds(2).toNanos()) {
        throw new AssertionError("past two seconds");
      }
    });
    host.start("sleeps", task(() -> host.sleep(Duration.ofSeconds(3))));
    assertThatThrownBy(() -> violated.run(LONG)).hasMessageContaining("past two seconds");
  }
}
