package dev.pageferry.coordinator.validation;

import dev.pageferry.common.concurrent.RandomIds;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.agents.HostInspector;
import dev.pageferry.coordinator.validation.ClusterLook.StorageLook;
import dev.pageferry.coordinator.validation.ClusterLook.StorageTrouble;
import dev.pageferry.proto.agent.v1.StorageTrial;
import dev.pageferry.proto.agent.v1.StorageTrial.Step;
import dev.pageferry.proto.agent.v1.StorageTried;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/** Tries one storage: each host writes, all read what the others wrote, and one keeps the others out by a lock. */
final class StorageTrialRun {
  /** Clients of file servers may keep for a moment what they knew of a directory. */
  private static final Duration SEEN_WITHIN = Duration.ofSeconds(3);
  private static final Duration AGAIN = Duration.ofMillis(100);

  private final HostInspector inspector;
  private final Scheduler scheduler;
  private final RandomGenerator random;
  private final Map<String, String> addresses;
  private final String trial;
  private final Map<String, String> written = new TreeMap<>();
  private final Map<String, Double> flushSeconds = new TreeMap<>();
  private final List<StorageTrouble> troubles = new ArrayList<>();

  /** @param addresses of the agents that have the storage, by their hosts */
  StorageTrialRun(HostInspector inspector, Scheduler scheduler, RandomGenerator random, Map<String, String> addresses) {
    this.inspector = inspector;
    this.scheduler = scheduler;
    this.random = random;
    this.addresses = new TreeMap<>(addresses);
    this.trial = RandomIds.uuid(random);
  }

  StorageLook run(String storageId) throws InterruptedException {
    try {
      addresses.keySet().forEach(this::write);
      List<String> writers = List.copyOf(written.keySet());
      for (String reader : addresses.keySet()) {
        for (String writer : writersFor(reader, writers)) {
          if (!reader.equals(writer)) {
            read(reader, writer);
          }
        }
      }
      written.keySet().stream().findFirst().ifPresent(this::lock);
    } finally {
      // On tasks of their own: also where whoever wanted to know has gone, and this one with it.
      addresses.keySet().forEach(host -> {
        Task _ = scheduler.start("clean-trial-" + host, () -> clean(host));
      });
    }
    return new StorageLook(storageId, List.copyOf(addresses.keySet()), Map.copyOf(flushSeconds), List.copyOf(troubles));
  }

  /** Whose files a host reads: all, or of many those that follow in a ring: what a file server does for one it does for the next. */
  private static List<String> writersFor(String reader, List<String> writers) {
    if (writers.size() <= Pair.ALL_UP_TO) {
      return writers;
    }
    int own = Math.max(0, writers.indexOf(reader));
    return IntStream.rangeClosed(1, Pair.NEIGHBOURS).mapToObj(i -> writers.get((own + i) % writers.size())).toList();
  }

  private void write(String host) {
    String content = "%s by %s".formatted(RandomIds.uuid(random), host);
    try {
      StorageTried tried = ask(host, StorageTrial.newBuilder().setStep(Step.WRITE).setHost(host).setContent(content));
      flushSeconds.put(host, tried.getFlushSeconds());
      written.put(host, content);
    } catch (AgentException e) {
      trouble(StorageChecks.WRITABLE, List.of(host), e.getMessage());
    }
  }

  private void read(String reader, String writer) throws InterruptedException {
    String content = written.get(writer);
    Deadline deadline = Deadline.after(SEEN_WITHIN, scheduler);
    try {
      while (true) {
        String read = ask(reader, StorageTrial.newBuilder().setStep(Step.READ).setHost(writer)).getContent();
        if (read.equals(content)) {
          return;
        }
        if (deadline.hasPassed()) {
          trouble(StorageChecks.SAME, List.of(reader, writer), "%s %s a file that %s wrote".formatted(reader,
              read.isEmpty() ? "does not see" : "reads something else in", writer));
          return;
        }
        scheduler.sleep(AGAIN);
      }
    } catch (AgentException e) {
      trouble(StorageChecks.SAME, List.of(reader, writer), e.getMessage());
    }
  }

  private void lock(String holder) {
    List<String> others = addresses.keySet().stream().filter(each -> !each.equals(holder)).toList();
    try {
      if (!ask(holder, StorageTrial.newBuilder().setStep(Step.LOCK)).getLocked()) {
        trouble(StorageChecks.LOCKS, List.of(holder), "an unlocked file cannot be locked");
        return;
      }
      others.forEach(each -> expect(holder, each, false));
      ask(holder, StorageTrial.newBuilder().setStep(Step.UNLOCK));
      others.forEach(each -> expect(holder, each, true));
    } catch (AgentException e) {
      trouble(StorageChecks.LOCKS, List.of(holder), e.getMessage());
    }
  }

  private void expect(String holder, String other, boolean isFree) {
    try {
      if (ask(other, StorageTrial.newBuilder().setStep(Step.TRY_LOCK)).getLocked() != isFree) {
        trouble(StorageChecks.LOCKS, List.of(holder, other), isFree
            ? "%s is kept out by a lock that %s has released".formatted(other, holder)
            : "%s gets a lock that %s has".formatted(other, holder));
      }
    } catch (AgentException e) {
      // A host that cannot write was found out before; it cannot lock either.
      if (written.containsKey(other)) {
        trouble(StorageChecks.LOCKS, List.of(other), e.getMessage());
      }
    }
  }

  private void clean(String host) {
    try {
      ask(host, StorageTrial.newBuilder().setStep(Step.CLEAN));
    } catch (AgentException e) {
      // Small files stay in the directory of trials.
    }
  }

  private void trouble(String check, List<String> hosts, String reason) {
    troubles.add(new StorageTrouble(check, hosts, reason));
  }

  private StorageTried ask(String host, StorageTrial.Builder step) throws AgentException {
    return inspector.tryStorage(addresses.getOrDefault(host, ""), step.setTrialId(trial).build());
  }
}
