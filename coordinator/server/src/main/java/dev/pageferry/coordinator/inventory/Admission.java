package dev.pageferry.coordinator.inventory;

import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.proto.records.v1.HostRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Whether an incarnation of a host is taken in, as a pure function of what is known of the one before.
 *
 * @param timeout a host that was not heard of for that long is down
 * @param lease how long what a heartbeat's answer permits can last
 */
record Admission(Duration timeout, Duration lease) {
  /** More incarnations of one host than can still be about. */
  private static final int MAX_SUPERSEDED = 64;
  /** Two heartbeats missed: whoever was heard since has not ended, as far as can be told. */
  private static final Duration JUST_NOW = Duration.ofMillis(2500);

  /** What is being written of a host. */
  enum Writing {
    /** The same incarnation, or the first. */
    ITSELF,
    /** The end of the incarnation that is known: it is not heard any more, unless the write fails. */
    ITS_END
  }

  /** What a registration would change: refused, or a record in place of another. */
  sealed interface Plan {
    record Refuse(Registration refusal) implements Plan {
    }

    /**
     * @param before none: the host's first
     * @param needsWord whether an operator has to have said that the one before is off, unless nothing of it can run on
     */
    record Write(@Nullable HostRecord before, HostRecord next, Writing kind, boolean needsWord) implements Plan {
    }
  }

  /**
   * @param entry the host as it is known; none: it never was
   * @param ended incarnations that ended on the boot of the kernel that the record names
   * @param silence of the incarnation that is known
   */
  Plan plan(@Nullable HostEntry entry, HostRecord record, Set<Incarnation> ended, Duration silence) {
    if (entry == null) {
      return new Plan.Write(null, record, Writing.ITSELF, false);
    }
    if (isOver(entry, record)) {
      return new Plan.Refuse(new Registration.Superseded());
    }
    HostRecord known = entry.record();
    if (entry.isIncarnation(record.getIncarnation())) {
      HostRecord again = record.toBuilder().addAllSuperseded(known.getSupersededList()).build();
      return new Plan.Write(known, again, Writing.ITSELF, false);
    }
    if (isProvenDead(entry, record, ended)) {
      return new Plan.Write(known, succeeding(known, record), Writing.ITS_END, false);
    }
    boolean isElsewhere = !known.getAddress().equals(record.getAddress());
    Duration needed = isElsewhere && lease.compareTo(timeout.multipliedBy(2)) < 0 ? timeout.multipliedBy(2) : lease;
    if (silence.compareTo(needed) < 0) {
      return new Plan.Refuse(silence.compareTo(JUST_NOW) < 0 && !entry.isConfirmedDead()
          ? new Registration.Taken()
          : new Registration.Wait(needed.minus(silence)));
    }
    return new Plan.Write(known, succeeding(known, record), Writing.ITS_END,
        isElsewhere && !entry.isConfirmedDead());
  }

  /** Whether that incarnation had its time: another took its place, or an operator said that it is off. */
  static boolean isOver(HostEntry entry, HostRecord record) {
    return entry.record().getSupersededList().contains(record.getIncarnation())
        || (entry.isConfirmedDead() && entry.isIncarnation(record.getIncarnation()));
  }

  /** It cannot have ended on a kernel that it never ran on. */
  static boolean isProvenDead(HostEntry entry, HostRecord record, Set<Incarnation> ended) {
    return !record.getBootId().isEmpty() && record.getBootId().equals(entry.record().getBootId())
        && ended.contains(entry.incarnation());
  }

  private static HostRecord succeeding(HostRecord before, HostRecord record) {
    List<String> superseded = new ArrayList<>(before.getSupersededList());
    superseded.add(before.getIncarnation());
    return record.toBuilder()
        .addAllSuperseded(superseded.subList(Math.max(0, superseded.size() - MAX_SUPERSEDED), superseded.size()))
        .build();
  }
}
