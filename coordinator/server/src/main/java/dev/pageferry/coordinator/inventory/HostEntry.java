package dev.pageferry.coordinator.inventory;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.records.v1.HostRecord;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** One host as {@link HostInventory} keeps it, which guards it. */
final class HostEntry {
  private HostRecord record;
  /** Whether this process of the coordinator has heard of it. */
  private boolean isHeard;
  private long silentSinceNanos;
  private long memoryFreeBytes;
  private Map<VmId, VmStatus> vms = new HashMap<>();
  private final Map<VmId, Answer> answers = new HashMap<>();
  private long beats;
  private long lastBeatNanos;
  /** Steps a second, between the last two heartbeats. */
  private Map<VmId, Double> rates = Map.of();
  private List<InDoubt> doubts = List.of();
  private Set<VmId> coming = Set.of();
  /** Whether this incarnation has said what it has. */
  private boolean hasReported;
  /** The records' revision at the last two heartbeats of this incarnation; 0: there were none. */
  private long lastBeatRevision;
  private long beatBeforeRevision;

  /** @param beatsBefore how many heartbeats had come by then */
  private record Answer(VmStatus status, long beatsBefore) {
  }

  /** @param sinceNanos from when on it could have been heard */
  HostEntry(HostRecord record, long sinceNanos) {
    this.record = record;
    this.silentSinceNanos = sinceNanos;
  }

  /** As the records have it. */
  static HostEntry stored(Versioned stored, long sinceNanos) {
    try {
      return new HostEntry(HostRecord.parseFrom(stored.value()), sinceNanos);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(stored.key()), e);
    }
  }

  /** The record of an incarnation that is off for good. */
  static HostRecord dead(HostRecord record, String because) {
    return record.toBuilder().setConfirmedDead(record.getIncarnation()).setDeadBecause(because).build();
  }

  /** How it is known that it is off for good. */
  static String deathEvidence(HostRecord record) {
    return record.getDeadBecause().isEmpty()
        ? "host %s was confirmed dead by an operator".formatted(record.getId())
        : record.getDeadBecause();
  }

  HostRecord record() {
    return record;
  }

  boolean isIncarnation(String incarnation) {
    return record.getIncarnation().equals(incarnation);
  }

  boolean isConfirmedDead() {
    return !record.getConfirmedDead().isEmpty() && isIncarnation(record.getConfirmedDead());
  }

  /** The same agent, or what an operator said of it. */
  void become(HostRecord again) {
    record = again;
  }

  /** Another agent took its place: what ran on it is down. */
  void replace(HostRecord next) {
    record = next;
    vms = new HashMap<>();
    answers.clear();
    doubts = List.of();
    coming = Set.of();
    hasReported = false;
    lastBeatRevision = 0;
    beatBeforeRevision = 0;
  }

  void heard(long nowNanos, long freeBytes) {
    isHeard = true;
    silentSinceNanos = nowNanos;
    memoryFreeBytes = freeBytes;
  }

  void beats(HostContent content, long revision, long nowNanos) {
    Map<VmId, VmStatus> next = new HashMap<>();
    content.vms().forEach(each -> next.put(new VmId(each.getId()), each));
    rates = beats == 0 ? Map.of() : rates(next, nowNanos - lastBeatNanos);
    lastBeatNanos = nowNanos;
    vms = next;
    doubts = List.copyOf(content.doubts());
    coming = Set.copyOf(content.coming());
    hasReported = true;
    beats++;
    // The first heartbeat after an answer may have been made before it; the second was made after the first was answered.
    answers.values().removeIf(each -> beats - each.beatsBefore() >= 2);
    beatBeforeRevision = lastBeatRevision;
    lastBeatRevision = revision;
  }

  private Map<VmId, Double> rates(Map<VmId, VmStatus> next, long nanos) {
    Map<VmId, Double> stepsPerSecond = new HashMap<>();
    next.forEach((id, status) -> {
      VmStatus before = vms.get(id);
      if (before != null && nanos > 0) {
        stepsPerSecond.put(id, Math.max(0, status.getSteps() - before.getSteps()) * 1e9 / nanos);
      }
    });
    return stepsPerSecond;
  }

  double stepsPerSecond(VmId vm) {
    return rates.getOrDefault(vm, 0.0);
  }

  void answers(VmStatus status) {
    answers.put(new VmId(status.getId()), new Answer(status, beats));
  }

  Optional<VmStatus> lastTold(VmId vm) {
    return Optional.ofNullable(answers.get(vm)).map(Answer::status).or(() -> Optional.ofNullable(vms.get(vm)));
  }

  /** Those that the last heartbeat had in that state. */
  Stream<VmId> reported(VmStatus.State state) {
    return vms.entrySet().stream().filter(each -> each.getValue().getState() == state).map(Map.Entry::getKey);
  }

  /** The coordinator itself was deaf: its silence begins now, unless it was silent for too long before. */
  void excuse(long deafSinceNanos, long nowNanos, Duration timeout) {
    if (deafSinceNanos - silentSinceNanos < timeout.toNanos()) {
      silentSinceNanos = nowNanos;
    }
  }

  boolean isHeard() {
    return isHeard;
  }

  long silentSinceNanos() {
    return silentSinceNanos;
  }

  boolean isSilent(long nowNanos, Duration timeout) {
    return isConfirmedDead() || nowNanos - silentSinceNanos >= timeout.toNanos();
  }

  HostInventory.Host host(long nowNanos, Duration timeout) {
    return new HostInventory.Host(record, isHeard && !isSilent(nowNanos, timeout), memoryFreeBytes, Map.copyOf(vms),
        doubts, coming, hasReported, beatBeforeRevision);
  }

  Incarnation incarnation() {
    return new Incarnation(record.getIncarnation());
  }
}
