package dev.pageferry.coordinator.inventory;

import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.records.v1.HostRecord;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** One host as {@link HostInventory} keeps it, which guards it. */
final class HostEntry {
  private HostRecord record;
  /** Whether this process of the coordinator has heard of it. */
  private boolean isHeard;
  private long silentSinceNanos;
  private long memoryFreeBytes;
  private Map<VmId, VmStatus> vms = new HashMap<>();
  private List<InDoubt> doubts = List.of();
  /** The records' revision at the last two heartbeats of this incarnation; 0: there were none. */
  private long lastBeatRevision;
  private long beatBeforeRevision;

  /** @param sinceNanos from when on it could have been heard */
  HostEntry(HostRecord record, long sinceNanos) {
    this.record = record;
    this.silentSinceNanos = sinceNanos;
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
    doubts = List.of();
    lastBeatRevision = 0;
    beatBeforeRevision = 0;
  }

  void heard(long nowNanos, long freeBytes) {
    isHeard = true;
    silentSinceNanos = nowNanos;
    memoryFreeBytes = freeBytes;
  }

  void doubts(List<InDoubt> told) {
    doubts = List.copyOf(told);
  }

  void beats(Collection<VmStatus> reported, long revision) {
    Map<VmId, VmStatus> next = new HashMap<>();
    reported.forEach(each -> next.put(new VmId(each.getId()), each));
    vms = next;
    beatBeforeRevision = lastBeatRevision;
    lastBeatRevision = revision;
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
        doubts, beatBeforeRevision);
  }

  Incarnation incarnation() {
    return new Incarnation(record.getIncarnation());
  }
}
