package dev.pageferry.coordinator.maintenance;

import dev.pageferry.common.units.ByteSize;
import dev.pageferry.proto.cluster.v1.Forecast;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * How long moves take, as far as those that have been tell: a VM's own moves, else how fast others were for their memory.
 * What has never been measured is a wide guess, and is said to be one.
 */
final class MoveForecast {
  /** Between the end of a move and the beginning of the next one of the same host: what is left to do when the VM runs, and the next look. */
  private static final Expected BETWEEN = new Expected(0.37, 0.2, 0.55);
  private static final Expected NOTHING = new Expected(0, 0, 0);
  /** How far a move of a VM is from those before, mostly. */
  private static final double SPREAD = 0.15;
  /** Of one VM; of all. */
  private static final int MOST_OWN = 5;
  private static final int MOST_RATES = 50;
  /** Bytes of memory per second where no move was ever measured: from a slow link to a fast one whose guests are nearly empty. */
  private static final Expected UNMEASURED_RATE = new Expected(500e6, 50e6, 5e9);

  private final Map<String, Expected> own = new HashMap<>();
  private final Map<Boolean, Expected> rates = new HashMap<>();

  /** The middle, and the bounds that it is mostly within. */
  private record Expected(double middle, double low, double high) {
    Expected plus(Expected other) {
      return new Expected(middle + other.middle, low + other.low, high + other.high);
    }

    Expected dividedBy(int parts) {
      return new Expected(middle / parts, low / parts, high / parts);
    }

    Expected max(Expected other) {
      return new Expected(Math.max(middle, other.middle), Math.max(low, other.low), Math.max(high, other.high));
    }

    Expected after(double seconds) {
      return new Expected(Math.max(0, middle - seconds), Math.max(0, low - seconds), Math.max(0, high - seconds));
    }
  }

  /**
   * @param history migrations, oldest first
   * @param memoryBytes of VMs, by name
   */
  MoveForecast(List<Migration> history, Map<String, Long> memoryBytes) {
    Map<Boolean, double[]> measured = new HashMap<>();
    Map<String, double[]> ofVms = new HashMap<>();
    for (Migration each : history) {
      if (each.getState() == Migration.State.COMPLETED && each.getTotalSeconds() > 0) {
        boolean quick = each.getKind() == Migration.Kind.QUICK;
        ofVms.merge(key(each.getVm(), quick), new double[]{each.getTotalSeconds()}, (a, b) -> joined(a, b, MOST_OWN));
        Long bytes = memoryBytes.get(each.getVm());
        if (bytes != null) {
          measured.merge(quick, new double[]{bytes / each.getTotalSeconds()},
              (a, b) -> joined(a, b, MOST_RATES));
        }
      }
    }
    measured.forEach((quick, known) -> rates.put(quick, quartiles(known)));
    ofVms.forEach((vm, known) -> {
      Expected seconds = quartiles(known);
      own.put(vm, new Expected(seconds.middle(), seconds.low() * (1 - SPREAD), seconds.high() * (1 + SPREAD)));
    });
  }

  /** The newest of both. */
  private static double[] joined(double[] known, double[] more, int most) {
    double[] all = Arrays.copyOf(known, known.length + 1);
    all[known.length] = more[0];
    return all.length > most ? Arrays.copyOfRange(all, 1, all.length) : all;
  }

  private static Expected quartiles(double[] known) {
    double[] sorted = known.clone();
    Arrays.sort(sorted);
    int last = sorted.length - 1;
    return new Expected(sorted[last / 2], sorted[last / 4], sorted[last - last / 4]);
  }

  private static String key(String vm, boolean quick) {
    return quick + "/" + vm;
  }

  /** How long that move takes. */
  double secondsOf(PlannedMove move) {
    return expected(move).middle();
  }

  private Expected expected(PlannedMove move) {
    Expected before = own.get(key(move.getVm(), move.getQuick()));
    if (before != null) {
      return before;
    }
    Expected rate = rates.getOrDefault(move.getQuick(), UNMEASURED_RATE);
    double bytes = move.getMemoryBytes();
    return new Expected(bytes / rate.middle(), bytes / rate.high(), bytes / rate.low());
  }

  /**
   * How long all of them take that have not ended. Moves that share a source or a destination follow each other.
   *
   * @param atOnce how many may leave a host, or come to one, at the same time
   * @param underWay how long moves have been under way, in seconds, by VM
   * @return empty: all have ended
   */
  Optional<Forecast> rest(List<PlannedMove> moves, int atOnce, Map<String, Double> underWay) {
    Map<String, Expected> busy = new HashMap<>();
    Expected single = NOTHING;
    int left = 0;
    int known = 0;
    for (PlannedMove each : moves) {
      if (each.getState() != PlannedMove.State.WAITING && each.getState() != PlannedMove.State.MOVING) {
        continue;
      }
      left++;
      known += own.containsKey(key(each.getVm(), each.getQuick())) ? 1 : 0;
      Expected takes = expected(each).after(underWay.getOrDefault(each.getVm(), 0.0)).plus(BETWEEN);
      single = single.max(takes);
      busy.merge("from " + each.getFrom(), takes, Expected::plus);
      busy.merge("to " + each.getTo(), takes, Expected::plus);
    }
    if (left == 0) {
      return Optional.empty();
    }
    Expected longest = busy.values().stream().map(each -> each.dividedBy(atOnce)).reduce(single, Expected::max);
    return Optional.of(Forecast.newBuilder().setSeconds(longest.middle()).setEarliestSeconds(longest.low())
        .setLatestSeconds(longest.high()).setBasis(basis(left, known, moves)).build());
  }

  private String basis(int left, int known, List<PlannedMove> moves) {
    String ofOthers = moves.stream().map(PlannedMove::getQuick).distinct().map(rates::get)
        .filter(each -> each != null).findFirst()
        .map(each -> "by how fast others were, %s of memory a second".formatted(ByteSize.format((long) each.middle())))
        .orElse("a guess, since no move was measured yet");
    if (known == left) {
      return "each as long as it took before";
    }
    return known == 0
        ? ofOthers
        : "%d of %d as long as they took before, the others %s".formatted(known, left, ofOthers);
  }
}
