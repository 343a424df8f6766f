package dev.pageferry.chaos;

import dev.pageferry.chaos.Schedule.Timed;
import dev.pageferry.proto.cluster.v1.Event;
import dev.pageferry.support.LabCluster;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;

/**
 * Chaos as a program, in the namespace of a lab's machine that is not a host; see scripts/chaos. Arguments: the directory of the lab,
 * with what its namespaces begin, minutes, seed, a process outside of them, and kernel and initrd of a Linux guest, or nothing.
 * Exit code 0: all was kept; 1: something was not.
 */
final class ChaosMain {
  private static final Duration CALM = Duration.ofSeconds(120);
  private static final Set<Event.Kind> TOLD = Set.of(Event.Kind.VM_RESTARTED, Event.Kind.VM_RESTART_FAILED,
      Event.Kind.VM_TAKEN_OVER, Event.Kind.HOST_RESTARTED, Event.Kind.PLAN_COMPLETED, Event.Kind.PLAN_FAILED,
      Event.Kind.PLAN_CANCELLED);
  private static final Duration BOOTS = Duration.ofSeconds(180);
  /** What this program ends with: a JVM that fails ends with 1. */
  private static final int BROKEN = 10;
  private static final int LOOK_MILLIS = 1_000;
  private static final int TEND_MILLIS = 2_000;

  private final LabMachines machines;
  private final LabCluster cluster;
  private final Story story;
  private final TroubleMaker troubleMaker;
  private final Operator operator;
  private final RowLedger rows = new RowLedger();
  private final Set<String> faults = ConcurrentHashMap.newKeySet();
  private volatile boolean over;

  private ChaosMain(LabMachines machines, LabCluster cluster, Story story) {
    this.machines = machines;
    this.cluster = cluster;
    this.story = story;
    this.troubleMaker = new TroubleMaker(machines, story);
    this.operator = new Operator(cluster, story);
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    LabMachines machines = new LabMachines(Path.of(arguments[0]), arguments[1], Long.parseLong(arguments[4]));
    List<Path> linux = Stream.of(arguments).skip(5).map(Path::of).toList();
    Story story = new Story(machines.directory().resolve("story"));
    boolean kept;
    try (LabCluster cluster = LabCluster.asOperatorOf(machines.directory())) {
      kept = new ChaosMain(machines, cluster, story).run(Integer.parseInt(arguments[2]), Long.parseLong(arguments[3]),
          linux);
    }
    System.exit(kept ? 0 : BROKEN);
  }

  private boolean run(int minutes, long seed, List<Path> linux) throws IOException, InterruptedException {
    Population vms = Population.create(cluster, linux);
    if (vms.machines().isEmpty()) {
      story.print("There is no QEMU or no Linux guest here: machines of QEMU are left out.");
    }
    try (Watch watch = new Watch(cluster, machines.storage(), vms, rows, story);
        Talk talk = new Talk(cluster, Population.TALKS, rows, story, seed)) {
      awaitFirstSigns(watch, talk);
      Duration length = Duration.ofMinutes(minutes);
      play(Schedule.draw(seed, length.toMillis(), LabMachines.HOSTS, vms.all()), length);
      story.tell("calm     all is healed, and what is down is started");
      troubleMaker.healAll();
      Checker checker = new Checker(machines, cluster, vms);
      List<String> unrest = awaitCalm(checker);
      over = true;
      talk.end(CALM);
      watch.end();
      return judge(checker, vms, watch, talk, unrest);
    }
  }

  /** Trouble begins when there is something to lose; where a guest does not boot at all, the checker says so. */
  private void awaitFirstSigns(Watch watch, Talk talk) throws InterruptedException {
    long end = System.nanoTime() + BOOTS.toNanos();
    while (System.nanoTime() - end < 0
        && (talk.changes() == 0 || watch.records().containsValue(0L) || watch.shown().containsValue(0L))) {
      Thread.sleep(LOOK_MILLIS);
    }
    story.tell("ready    all VMs have begun");
  }

  /** Each thing at its moment; what is begun before the end is carried out to its end. */
  private void play(Schedule schedule, Duration length) throws InterruptedException {
    long start = System.nanoTime();
    long end = start + length.toNanos();
    Thread _ = Thread.ofVirtual().start(this::tend);
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Thread> lanes = List.of(
          Thread.ofVirtual().start(() -> lane(start, schedule.troubles(), each -> {
            var _ = threads.submit(() -> attempt(() -> troubleMaker.bringAbout(each.what(), end)));
          })),
          Thread.ofVirtual().start(() -> lane(start, schedule.works(), each -> {
            var _ = threads.submit(() -> attempt(() -> operator.carryOut(each.what())));
          })));
      for (Thread each : lanes) {
        each.join();
      }
    }
  }

  private interface Deed {
    void carryOut() throws InterruptedException;
  }

  /** What fails in a way that is not foreseen is this program's fault, and is told. */
  private void attempt(Deed deed) {
    try {
      deed.carryOut();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      faults.add(e.toString());
    }
  }

  private interface Start<T> {
    void start(Timed<T> each);
  }

  private static <T> void lane(long startNanos, List<Timed<T>> all, Start<T> start) {
    try {
      for (Timed<T> each : all) {
        long wait = each.atMillis() - (System.nanoTime() - startNanos) / 1_000_000;
        if (wait > 0) {
          Thread.sleep(wait);
        }
        start.start(each);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void tend() {
    attempt(() -> {
      while (!over) {
        operator.tend(false);
        Thread.sleep(TEND_MILLIS);
      }
    });
  }

  /** @return what is not calm in the end */
  private List<String> awaitCalm(Checker checker) throws InterruptedException {
    long end = System.nanoTime() + CALM.toNanos();
    List<String> unrest = List.of();
    int calmLooks = 0;
    while (System.nanoTime() - end < 0) {
      operator.tend(true);
      unrest = checker.unrest();
      calmLooks = unrest.isEmpty() ? calmLooks + 1 : 0;
      if (calmLooks == 3) {
        return List.of();
      }
      Thread.sleep(LOOK_MILLIS);
    }
    unrest.forEach(each -> story.tell("unrest   " + each));
    return unrest;
  }

  private boolean judge(Checker checker, Population vms, Watch watch, Talk talk, List<String> unrest)
      throws IOException, InterruptedException {
    List<String> twins = checker.notAsTheirTwins(story);
    List<Promise> promises = new ArrayList<>();
    promises.add(Promise.of("epochs never went back", rows.looks(), "looks", rows.problems()));
    promises.add(Promise.of("journals are whole, and hold all that was acknowledged", lowest(watch.records()),
        "records at least in each of %d, read %d times".formatted(vms.journals().size(), watch.looksAtDisks()),
        watch.journalProblems()));
    if (!vms.machines().isEmpty()) {
      promises
          .add(Promise.of("no QEMU guest had two copies that ran", watch.looksAtMachines(), "looks at one that runs",
              watch.secondCopies()));
      promises.add(Promise.of("what a Linux guest showed is on its disk", lowest(watch.shown()), "counts",
          watch.recordProblems()));
    }
    promises.add(Promise.of("what the VM with a card acknowledged holds until it is booted anew", talk.changes(),
        "changes in %d conversations".formatted(talk.beginnings()), talk.problems()));
    promises.add(Promise.of("built-in VMs are as their twins", story.counts()
        .getOrDefault("VMs compared with their twin", 0L), "VMs", twins));
    promises.add(new Promise("each VM runs, or says why not", "%d VMs".formatted(vms.all().size()),
        checker.withoutState()));
    promises.add(Promise.of("each move and each plan has ended", cluster.migrations().size(), "moves",
        checker.unfinished()));
    promises.add(new Promise("servers live, and met nothing that was not foreseen", "4 servers",
        Stream.concat(checker.deadServers().stream(), checker.unforeseen().stream()).toList()));
    promises.add(new Promise("nothing is left over", "hosts and their memory", checker.leftovers()));
    promises.add(new Promise("all is calm within %d s".formatted(CALM.toSeconds()), "hosts, VMs, moves", unrest));
    promises.add(Promise.of("this run could look and strike", story.counts().keySet().stream()
        .filter(each -> each.startsWith("trouble ")).count(), "kinds of trouble",
        Stream.of(troubleMaker.broken(), watch.troubles(), faults).flatMap(Collection::stream).toList()));
    tellCounts();
    story.print("%n%-72s %-8s %s".formatted("promised", "", "by"));
    promises.forEach(each -> each.lines().forEach(story::print));
    return promises.stream().allMatch(Promise::isKept);
  }

  private static long lowest(Map<String, Long> counts) {
    return counts.values().stream().mapToLong(Long::longValue).min().orElse(0);
  }

  private void tellCounts() {
    cluster.migrations().forEach(each -> story.count("moves " + each.getState()));
    cluster.events().stream().filter(each -> TOLD.contains(each.getKind()))
        .forEach(each -> story.count("events " + each.getKind()));
    story.print("");
    story.counts().forEach((what, count) -> story.print("%6d  %s".formatted(count, what)));
    story.print("%6d  %s".formatted(rows.allBoots(), "boots of VMs"));
  }
}
