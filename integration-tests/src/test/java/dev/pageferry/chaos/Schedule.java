package dev.pageferry.chaos;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/** All that happens in a run, and when: drawn beforehand, from the seed alone. Moments are real time, so what is hit differs. */
record Schedule(List<Timed<Trouble>> troubles, List<Timed<Work>> works) {
  static final int MOST_AT_ONCE = 2;
  private static final int QUIET_MILLIS = 3_000;
  private static final int LONGEST_PAUSE_MILLIS = 5_000;
  private static final List<String> CARDS = List.of("management", "migration");
  /** The more often it is named, the more often it is drawn. */
  private static final List<Work.Kind> WORKS = List.of(Work.Kind.LIVE, Work.Kind.LIVE, Work.Kind.LIVE, Work.Kind.QUICK,
      Work.Kind.QUICK, Work.Kind.CANCELLED, Work.Kind.SAVE_AND_START, Work.Kind.STOP_AND_START,
      Work.Kind.DRAIN_AND_ACTIVATE);

  /** What happens so many milliseconds after the start. */
  record Timed<T>(long atMillis, T what) {
  }

  static Schedule draw(long seed, long millis, List<String> hosts, List<String> vms) {
    Random random = new Random(seed);
    return new Schedule(troubles(random, millis, hosts), works(random, millis, hosts, vms));
  }

  private static List<Timed<Trouble>> troubles(Random random, long millis, List<String> hosts) {
    List<Timed<Trouble>> drawn = new ArrayList<>();
    List<Trouble.Kind> ahead = new ArrayList<>();
    long at = QUIET_MILLIS;
    while (at < millis) {
      if (ahead.isEmpty()) {
        // Each kind once, before any comes again: a short run has all of them, too.
        ahead.addAll(Arrays.asList(Trouble.Kind.values()));
        Collections.shuffle(ahead, random);
      }
      Trouble trouble = draw(random, ahead.removeLast(), hosts);
      at = Math.max(at, firstPossible(drawn, trouble));
      if (at < millis) {
        drawn.add(new Timed<>(at, trouble));
      }
      at += 200 + random.nextInt(LONGEST_PAUSE_MILLIS);
    }
    return drawn;
  }

  private static Trouble draw(Random random, Trouble.Kind kind, List<String> hosts) {
    String host = hosts.get(random.nextInt(hosts.size()));
    String card = CARDS.get(random.nextInt(CARDS.size()));
    // Half of them are short: leases last some seconds, and both sides of that are to be hit.
    double length = random.nextBoolean() ? random.nextDouble() : random.nextDouble() / 5;
    String target = kind.isOfCoordinator() ? Trouble.COORDINATOR : kind.isOfStorage() ? Trouble.STORAGE : host;
    return new Trouble(kind, target, kind.isOfCard() ? card : "",
        kind.leastMillis + (int) (length * (kind.mostMillis - kind.leastMillis)));
  }

  /** When no more than one other is there, and none of the same target. */
  private static long firstPossible(List<Timed<Trouble>> drawn, Trouble trouble) {
    List<Long> ends = drawn.stream().map(Schedule::endOf).sorted(Collections.reverseOrder()).toList();
    long first = ends.size() < MOST_AT_ONCE ? 0 : ends.get(MOST_AT_ONCE - 1);
    return Math.max(first, drawn.stream().filter(each -> each.what().target().equals(trouble.target()))
        .mapToLong(Schedule::endOf).max().orElse(0));
  }

  static long endOf(Timed<Trouble> each) {
    return each.atMillis() + each.what().millis();
  }

  private static List<Timed<Work>> works(Random random, long millis, List<String> hosts, List<String> vms) {
    List<Timed<Work>> drawn = new ArrayList<>();
    for (long at = 1_000; at < millis; at += 500 + random.nextInt(3_500)) {
      Work.Kind kind = WORKS.get(random.nextInt(WORKS.size()));
      String vm = vms.get(random.nextInt(vms.size()));
      String host = hosts.get(random.nextInt(hosts.size()));
      int later = kind.mostMillis == 0 ? 0 : 20 + random.nextInt(kind.mostMillis);
      drawn.add(new Timed<>(at, new Work(kind, kind == Work.Kind.DRAIN_AND_ACTIVATE ? "" : vm, host, later)));
    }
    return drawn;
  }
}
