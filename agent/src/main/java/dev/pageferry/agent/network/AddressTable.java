package dev.pageferry.agent.network;

import dev.pageferry.common.time.Ticker;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * What the switch has learned: behind which remote end a station is. Bounded as a whole and for each end, so that no
 * sender of made-up addresses takes the room of others; what does not fit is not learned, and frames to it are flooded.
 * For one thread.
 */
final class AddressTable {
  /** As long as bridges of Linux and most switches remember (IEEE 802.1D's default). */
  static final Duration AGE = Duration.ofSeconds(300);
  static final int MAX_STATIONS = 8192;
  static final int MAX_STATIONS_OF_END = 2048;
  private static final long SWEEP_NANOS = TimeUnit.SECONDS.toNanos(10);

  private final Ticker ticker;
  private final Map<StationKey, Entry> stations = new HashMap<>();
  private final Map<RemoteEnd, Integer> countOfEnd = new HashMap<>();
  private long nextSweepNanos;

  private static final class Entry {
    private final RemoteEnd end;
    private long seenNanos;

    Entry(RemoteEnd end, long seenNanos) {
      this.end = end;
      this.seenNanos = seenNanos;
    }
  }

  AddressTable(Ticker ticker) {
    this.ticker = ticker;
    this.nextSweepNanos = ticker.nanos();
  }

  /** A frame of the station came from there. */
  void learn(StationKey station, RemoteEnd end) {
    long now = ticker.nanos();
    Entry known = stations.get(station);
    if (known == null) {
      if (hasRoom(end, now)) {
        stations.put(station, new Entry(end, now));
        countOfEnd.merge(end, 1, Integer::sum);
      }
      return;
    }
    if (!known.end.equals(end)) {
      forget(station);
      learn(station, end);
      return;
    }
    known.seenNanos = now;
  }

  private boolean hasRoom(RemoteEnd end, long now) {
    if (isFullFor(end) && now - nextSweepNanos >= 0) {
      // Seldom: a sweep looks at all stations, and whoever floods us with new ones must not make us do that each time.
      nextSweepNanos = now + SWEEP_NANOS;
      stations.entrySet().removeIf(each -> {
        boolean old = isOld(each.getValue(), now);
        if (old) {
          uncount(each.getValue().end);
        }
        return old;
      });
    }
    return !isFullFor(end);
  }

  private boolean isFullFor(RemoteEnd end) {
    return stations.size() >= MAX_STATIONS || countOfEnd.getOrDefault(end, 0) >= MAX_STATIONS_OF_END;
  }

  /** Where the station is, if that was seen lately. */
  Optional<RemoteEnd> find(StationKey station) {
    Entry entry = stations.get(station);
    return entry == null || isOld(entry, ticker.nanos()) ? Optional.empty() : Optional.of(entry.end);
  }

  void forget(StationKey station) {
    Entry entry = stations.remove(station);
    if (entry != null) {
      uncount(entry.end);
    }
  }

  /** Forgets everything behind ends that are not there any more. */
  void retain(Set<? extends RemoteEnd> ends) {
    stations.entrySet().removeIf(each -> {
      boolean gone = each.getValue().end instanceof TunnelEnd && !ends.contains(each.getValue().end);
      if (gone) {
        uncount(each.getValue().end);
      }
      return gone;
    });
  }

  int size() {
    return stations.size();
  }

  private void uncount(RemoteEnd end) {
    countOfEnd.computeIfPresent(end, (key, count) -> count > 1 ? count - 1 : null);
  }

  private static boolean isOld(Entry entry, long now) {
    return now - entry.seenNanos > AGE.toNanos();
  }
}
