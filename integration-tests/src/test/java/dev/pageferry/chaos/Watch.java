package dev.pageferry.chaos;

import dev.pageferry.journal.JournalReader;
import dev.pageferry.journal.JournalReader.Journal;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.LabCluster;
import dev.pageferry.support.OneCopyWatch;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Looks at rows, disks, consoles and QEMUs all along, whatever is up. */
final class Watch implements AutoCloseable {
  private static final Duration GLANCE = Duration.ofSeconds(2);
  private static final Duration FRESH = Duration.ofSeconds(1);
  private static final int ROWS_MILLIS = 100;
  private static final int DISKS_MILLIS = 500;
  private static final int CONSOLES_MILLIS = 3_000;
  private static final int DOUBTS = 5;

  private final LabCluster cluster;
  private final Path storage;
  private final Story story;
  private final RowLedger rows;
  private final Map<String, JournalLedger> journals = new LinkedHashMap<>();
  private final Map<String, CountLedger> counts = new LinkedHashMap<>();
  private final Map<String, OneCopyWatch> copies = new LinkedHashMap<>();
  private final List<String> troubles = new ArrayList<>();
  private final List<Thread> threads = new ArrayList<>();
  private volatile long toldNanos = System.nanoTime();
  private volatile boolean over;

  Watch(LabCluster cluster, Path storage, Population vms, RowLedger rows, Story story) {
    this.cluster = cluster;
    this.storage = storage;
    this.rows = rows;
    this.story = story;
    vms.journals().forEach(each -> journals.put(each, new JournalLedger(each)));
    for (String each : vms.machines()) {
      counts.put(each, new CountLedger(each));
      copies.put(each, new OneCopyWatch(cluster.vm(each).getId()));
    }
    every("rows", ROWS_MILLIS, this::lookAtRows);
    every("disks", DISKS_MILLIS, this::lookAtDisks);
    every("consoles", CONSOLES_MILLIS, this::lookAtConsoles);
  }

  private interface Look {
    void look() throws IOException, InterruptedException;
  }

  private void every(String name, int millis, Look look) {
    threads.add(Thread.ofPlatform().daemon().name("watch-" + name).start(() -> {
      try {
        while (!over) {
          look.look();
          Thread.sleep(millis);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } catch (IOException | RuntimeException e) {
        synchronized (troubles) {
          troubles.add("the watch of %s ended: %s".formatted(name, e));
        }
      }
    }));
  }

  private void lookAtRows() {
    try {
      long asked = System.nanoTime();
      List<Vm> vms = cluster.vms(GLANCE);
      int before = rows.problems().size();
      rows.told(vms);
      toldNanos = asked;
      rows.problems().stream().skip(before).forEach(each -> story.tell("BROKEN   " + each));
    } catch (StatusRuntimeException e) {
      // The coordinator is in trouble.
    }
  }

  private void lookAtDisks() throws IOException, InterruptedException {
    for (Map.Entry<String, JournalLedger> each : journals.entrySet()) {
      lookAtDisk(each.getKey(), each.getValue());
    }
  }

  /** What is doubtful may have been written while it was read, or told before a boot: it counts when it stays so. */
  private void lookAtDisk(String vm, JournalLedger ledger) throws IOException, InterruptedException {
    int doubts = 0;
    while (true) {
      // What was told before the coordinator fell silent may be of the boot before.
      long acknowledged = System.nanoTime() - toldNanos < FRESH.toNanos() ? rows.steps(vm) : 0;
      List<Journal> read = JournalReader.read(Population.disk(storage, vm));
      if (!ledger.isDoubtful(read, acknowledged) || doubts == DOUBTS) {
        synchronized (ledger) {
          int before = ledger.problems().size();
          ledger.read(read, acknowledged);
          ledger.problems().stream().skip(before).forEach(each -> story.tell("BROKEN   " + each));
        }
        return;
      }
      doubts++;
      Thread.sleep(DISKS_MILLIS);
    }
  }

  private void lookAtConsoles() {
    counts.forEach((vm, ledger) -> {
      synchronized (ledger) {
        ledger.console(cluster.console(vm));
      }
    });
  }

  /** How often a machine was seen to be executed. */
  long looksAtMachines() {
    return copies.values().stream().mapToLong(OneCopyWatch::intervals).sum();
  }

  /** Two QEMUs that executed one VM. */
  List<String> secondCopies() {
    return copies.entrySet().stream().flatMap(each -> each.getValue().seen().stream()
        .map(seen -> "%s was executed by %s".formatted(each.getKey(), seen))).toList();
  }

  List<String> journalProblems() {
    return journals.values().stream().flatMap(each -> {
      synchronized (each) {
        return each.problems().stream();
      }
    }).distinct().toList();
  }

  List<String> recordProblems() throws IOException {
    List<String> found = new ArrayList<>();
    for (Map.Entry<String, CountLedger> each : counts.entrySet()) {
      synchronized (each.getValue()) {
        found.addAll(each.getValue().problems(Files.readAllBytes(Population.disk(storage, each.getKey()))));
      }
    }
    return found;
  }

  /** By VM with a journal, its records at the last look. */
  Map<String, Long> records() {
    Map<String, Long> records = new LinkedHashMap<>();
    journals.forEach((vm, ledger) -> {
      synchronized (ledger) {
        records.put(vm, ledger.records());
      }
    });
    return records;
  }

  /** By machine of QEMU, how many counts it has shown. */
  Map<String, Long> shown() {
    Map<String, Long> shown = new LinkedHashMap<>();
    counts.forEach((vm, ledger) -> {
      synchronized (ledger) {
        shown.put(vm, ledger.shown());
      }
    });
    return shown;
  }

  long looksAtDisks() {
    return journals.values().stream().mapToLong(JournalLedger::looks).sum();
  }

  List<String> troubles() {
    synchronized (troubles) {
      return List.copyOf(troubles);
    }
  }

  /** Looks once more, and no more. */
  void end() throws IOException, InterruptedException {
    over = true;
    for (Thread each : threads) {
      boolean _ = each.join(Duration.ofSeconds(30));
    }
    lookAtRows();
    lookAtDisks();
    lookAtConsoles();
  }

  @Override
  public void close() {
    over = true;
    copies.values().forEach(OneCopyWatch::close);
  }
}
