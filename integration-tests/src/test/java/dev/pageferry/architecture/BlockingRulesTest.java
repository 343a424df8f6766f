package dev.pageferry.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.AccessTarget;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Exchanger;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Phaser;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/**
 * Code waits, starts threads, asks for the time and draws lots through the ports of {@code common.concurrent}, so that the
 * simulation can run it. Only the classes of {@code may-block.txt} ask the machine itself, each for the reason given there.
 */
class BlockingRulesTest {
  private static final String LIST = "may-block.txt";
  private static final List<Class<?>> WAITING = List.of(Condition.class, LockSupport.class, CountDownLatch.class,
      CyclicBarrier.class, Phaser.class, Semaphore.class, Exchanger.class, BlockingQueue.class, Executors.class);
  private static final List<Class<?>> CHANCE = List.of(Random.class, SplittableRandom.class);
  private static final Set<String> OF_THREADS = Set.of("sleep", "join", "start", "startVirtualThread", "ofVirtual",
      "ofPlatform", "<init>");
  private static final Set<String> OF_QUEUES = Set.of("put", "take", "poll", "offer", "drainTo");

  /** Without the operator's command: that is a program of its own, which nobody simulates. */
  private static JavaClasses production() {
    return new ClassFileImporter().withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
        .importPackages("dev.pageferry.common", "dev.pageferry.agent", "dev.pageferry.coordinator");
  }

  /** Each class that may, with the reason. */
  private static Map<String, String> allowed() {
    Map<String, String> list = new TreeMap<>();
    try (var in = Objects.requireNonNull(BlockingRulesTest.class.getResourceAsStream(LIST), LIST)) {
      new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().filter(line -> !line.isBlank())
          .filter(line -> !line.startsWith("#")).forEach(line -> {
            String[] parts = line.split("\\s+", 2);
            assertThat(parts).as("a class and a reason: %s", line).hasSize(2);
            list.put(parts[0], parts[1]);
          });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return list;
  }

  @Test
  void onlyListedClassesBlockOrAskTheMachineForTimeThreadsOrChance() {
    Set<String> found = new TreeSet<>();
    Set<String> unexpected = new TreeSet<>();
    Map<String, String> allowed = allowed();
    for (JavaAccess<?> each : worldly(production())) {
      String name = outermost(each.getOriginOwner());
      found.add(name);
      if (!allowed.containsKey(name)) {
        unexpected.add("%s (%s:%d): %s.%s".formatted(name, each.getOriginOwner().getSimpleName(), each.getLineNumber(),
            each.getTargetOwner().getSimpleName(), each.getTarget().getName()));
      }
    }
    assertThat(unexpected).as("take a Scheduler (or a source of chance) instead; see docs/TESTING.md").isEmpty();
    assertThat(found).as("every class of %s still needs its place there", LIST).containsAll(allowed.keySet());
  }

  @Test
  void theRuleSeesWhatIsPlanted() {
    Set<String> seen = new TreeSet<>();
    worldly(new ClassFileImporter().importClasses(Planted.class, Planted.Nested.class))
        .forEach(each -> seen.add(each.getTargetOwner().getSimpleName() + "." + each.getTarget().getName()));
    assertThat(seen).containsExactlyInAnyOrder("Thread.sleep", "Thread.join", "OfVirtual.start",
        "Thread.ofVirtual", "Object.wait", "CountDownLatch.<init>", "CountDownLatch.await", "LockSupport.parkNanos",
        "LinkedBlockingQueue.<init>", "LinkedBlockingQueue.take", "CompletableFuture.join", "CompletableFuture.get",
        "Executors.newCachedThreadPool", "System.nanoTime", "System.currentTimeMillis", "Instant.now",
        "SecureRandom.<init>", "UUID.randomUUID", "ThreadLocalRandom.current", "Math.random", "TimeUnit.sleep");
  }

  private static List<JavaAccess<?>> worldly(JavaClasses classes) {
    return classes.stream().<JavaAccess<?>>flatMap(each -> each.getAccessesFromSelf().stream())
        .filter(each -> isWorldly(each.getTargetOwner(), each.getTarget())).toList();
  }

  private static boolean isWorldly(JavaClass owner, AccessTarget target) {
    String name = target.getName();
    if (WAITING.stream().anyMatch(owner::isAssignableTo)) {
      return !owner.isAssignableTo(BlockingQueue.class) || OF_QUEUES.contains(name) || name.equals("<init>");
    }
    if (owner.isAssignableTo(Thread.class) || owner.isAssignableTo(Thread.Builder.class)) {
      return OF_THREADS.contains(name);
    }
    if (owner.isAssignableTo(Future.class)) {
      return name.equals("get") || (name.equals("join") && owner.isAssignableTo(CompletableFuture.class));
    }
    if (CHANCE.stream().anyMatch(owner::isAssignableTo)) {
      return name.equals("<init>") || name.equals("current");
    }
    return switch (name) {
      case "wait" -> owner.isEquivalentTo(Object.class);
      case "nanoTime", "currentTimeMillis" -> owner.isEquivalentTo(System.class);
      case "now" -> owner.isEquivalentTo(Instant.class);
      case "systemUTC", "systemDefaultZone" -> owner.isEquivalentTo(Clock.class);
      case "randomUUID" -> owner.isEquivalentTo(UUID.class);
      case "random" -> owner.isEquivalentTo(Math.class);
      case "current" -> owner.isEquivalentTo(ThreadLocalRandom.class);
      case "sleep", "timedWait", "timedJoin" -> owner.isEquivalentTo(TimeUnit.class);
      default -> false;
    };
  }

  private static String outermost(JavaClass type) {
    String name = type.getName();
    int nested = name.indexOf('$');
    return (nested < 0 ? name : name.substring(0, nested)).substring("dev.pageferry.".length());
  }

  /** What no class outside the list may do. It is never run. */
  @SuppressWarnings({"unused", "WaitNotInLoop"})
  private static final class Planted {
    private Object everything(CompletableFuture<String> future) throws Exception {
      Thread.sleep(1);
      Thread.currentThread().join();
      Thread.ofVirtual().start(() -> {
      });
      synchronized (this) {
        wait();
      }
      new CountDownLatch(1).await();
      LockSupport.parkNanos(1);
      Object taken = new java.util.concurrent.LinkedBlockingQueue<>().take();
      Object joined = future.join();
      Object got = future.get();
      Object pool = Executors.newCachedThreadPool();
      long nanos = System.nanoTime() + System.currentTimeMillis();
      return List.of(Instant.now(), new java.security.SecureRandom(), UUID.randomUUID(), taken, joined, got, pool,
          nanos);
    }

    private static final class Nested {
      double chance() throws Exception {
        TimeUnit.SECONDS.sleep(1);
        return ThreadLocalRandom.current().nextInt() + Math.random();
      }
    }
  }
}
