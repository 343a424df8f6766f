package dev.pageferry.agent.disk;

import dev.pageferry.agent.disk.LeaseRecord.State;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One VM's claim on one disk, in force while its host's {@link StorageLease} is live. It is on all {@linkplain LeaseSlot
 * slots} of the disk: a mark on any of them fences the holder, and so does another one's lease there.
 */
final class DiskLease {
  private static final Duration POLL = Duration.ofMillis(100);

  /**
   * A slot that is held.
   *
   * @param lock null where the claim forwent it
   * @param record what its lease says of this holder
   */
  private record Part(LeaseSlot slot, LeaseStore.@Nullable Lock lock, LeaseRecord record) {
    /** Whether the lease is still this holder's, be it held or released: nobody else was given it. */
    boolean isMine() throws IOException {
      return slot.lease().read().filter(now -> now.isOfLife(record.incarnation()) && now.vm().equals(record.vm())
          && now.epoch() == record.epoch()).isPresent();
    }
  }

  private final String disk;
  private final List<Part> parts;
  private final LeftLeases left;

  private DiskLease(String disk, List<Part> parts, LeftLeases left) {
    this.disk = disk;
    this.parts = parts;
    this.left = left;
  }

  /**
   * Takes a disk for a VM under an epoch.
   *
   * <p><i>Orderly</i>: it was released, or nobody ever had it. <i>Forced</i>: somebody has it and is silent; that one is
   * fenced, its lock must be seen released, and its host's lease is waited out, unless the lock is this very kernel's,
   * which knows whether anybody still has the disk open. The lock alone may be forgone, by the claim's word.
   *
   * @param slots of the disk, in the order in which everybody takes them
   * @throws DiskException if the disk stays another one's
   */
  static DiskLease take(List<LeaseSlot> slots, String disk, DiskClaim claim, StorageLease host, BootClock clock,
      Scheduler scheduler) throws IOException, InterruptedException {
    List<Part> parts = new ArrayList<>();
    boolean taken = false;
    try {
      for (LeaseSlot each : slots) {
        LeaseStore.Lock lock = lock(each, disk, claim, host, clock, scheduler);
        LeaseRecord held = record(State.HELD, claim, host);
        // Without a lock no kernel will see this holder go: whoever comes next has to wait its lease out.
        parts.add(new Part(each, lock, lock == null ? held.ofUnknownBoot() : held));
      }
      requireGone(parts, disk, claim, host);
      DiskLease lease = new DiskLease(disk, parts, host.leftLeases());
      lease.hold(claim);
      taken = true;
      return lease;
    } finally {
      if (!taken) {
        new DiskLease(disk, parts, host.leftLeases()).unlock();
      }
    }
  }

  /** Refuses a disk that a later epoch had, and sees to it that whoever had it last writes no more. */
  private static void requireGone(List<Part> parts, String disk, DiskClaim claim, StorageLease host)
      throws IOException, InterruptedException {
    List<Optional<LeaseRecord>> found = leases(parts);
    List<LeaseRecord> silent = new ArrayList<>();
    for (int i = 0; i < parts.size(); i++) {
      LeaseRecord before = found.get(i).orElse(null);
      if (before == null) {
        continue;
      }
      // Epochs are a VM's: one that had the disk before says nothing.
      if (before.vm().equals(claim.vm()) && before.epoch() > claim.epoch()) {
        throw new DiskException("disk %s was opened under epoch %d, which is later than %d".formatted(disk,
            before.epoch(), claim.epoch()));
      }
      if (before.state() == State.HELD && !before.isOfLife(host.holder().incarnation())
          && !isGone(before, parts.get(i).lock(), host) && !isSuperseded(before, found)) {
        silent.add(before);
      }
    }
    if (silent.isEmpty()) {
      return;
    }
    // The marks before the last look at the holder's host, which renews before it looks for marks: so either it is seen
    // alive here, or it sees the marks there, whoever is stopped in between for however long.
    for (Part each : parts) {
      each.slot().mark().write(record(State.FENCED, claim, host));
    }
    for (LeaseRecord each : silent) {
      host.awaitExpiry(each);
    }
    if (!leases(parts).equals(found)) {
      // By one who forwent the lock, or while this claim does: that one is not gone.
      throw new DiskException("disk %s was taken by another host meanwhile; try again".formatted(disk));
    }
  }

  private static List<Optional<LeaseRecord>> leases(List<Part> parts) throws IOException {
    List<Optional<LeaseRecord>> found = new ArrayList<>();
    for (Part each : parts) {
      found.add(each.slot().lease().read());
    }
    return found;
  }

  /** Whether a later epoch of the same VM had the disk since, which an agent of the version before writes to one slot only. */
  private static boolean isSuperseded(LeaseRecord lease, List<Optional<LeaseRecord>> all) {
    return all.stream().flatMap(Optional::stream)
        .anyMatch(other -> other.vm().equals(lease.vm()) && other.epoch() > lease.epoch());
  }

  /** Writes all leases, then takes the marks away that were meant for those before; a later epoch's mark is for this one. */
  private void hold(DiskClaim claim) throws IOException {
    List<Part> written = new ArrayList<>();
    try {
      for (Part each : parts) {
        written.add(each);
        each.slot().lease().write(each.record());
      }
      parts.forEach(each -> left.forget(each.slot()));
      for (Part each : parts) {
        Optional<LeaseRecord> mark = each.slot().mark().read();
        if (mark.isPresent() && (!mark.get().vm().equals(claim.vm()) || mark.get().epoch() <= claim.epoch())) {
          each.slot().mark().delete();
        }
      }
    } catch (IOException e) {
      // A host that lives, and holds a disk that it does not have open, would be in everybody's way.
      try {
        EachOf.all(written, part -> letGo(part, ""));
      } catch (IOException inTheWay) {
        e.addSuppressed(inTheWay);
      }
      throw e;
    }
  }

  /** A disk that a host has open for one VM is not taken from it for another one. */
  private static void checkVm(Optional<LeaseRecord> found, String disk, DiskClaim claim) throws DiskException {
    if (found.isPresent() && found.get().state() == State.HELD && !found.get().vm().equals(claim.vm())) {
      throw new DiskException("disk %s is in use by VM %s on host %s".formatted(disk, found.get().vm(),
          found.get().host()));
    }
  }

  /** @return null where the claim forgoes the lock */
  private static LeaseStore.@Nullable Lock lock(LeaseSlot slot, String disk, DiskClaim claim, StorageLease host,
      BootClock clock, Scheduler scheduler) throws IOException, InterruptedException {
    long start = clock.nanos();
    boolean marked = false;
    while (true) {
      Optional<LeaseStore.Lock> lock = slot.tryLock();
      if (lock.isPresent()) {
        return lock.get();
      }
      checkVm(slot.lease().read(), disk, claim);
      if (clock.nanos() - start >= claim.patience().toNanos()) {
        break;
      }
      if (!marked) {
        // A holder that lives sees it within a renewal, closes the disk and pauses its VM.
        slot.mark().write(record(State.FENCED, claim, host));
        marked = true;
      }
      scheduler.sleep(POLL);
    }
    if (claim.force()) {
      return null;
    }
    Optional<LeaseRecord> holder = slot.lease().read();
    throw new DiskException(
        "disk %s is still locked by host %s (incarnation %s), which has not let go; see that its agent ends, or use --force-disks"
            .formatted(disk, holder.map(LeaseRecord::host).orElse("?"),
                holder.map(LeaseRecord::incarnation).orElse("?")));
  }

  /** Whether the kernel that kept the holder's lock, this very one, has seen the holder close the disk. */
  private static boolean isGone(LeaseRecord holder, LeaseStore.@Nullable Lock lock, StorageLease host) {
    return lock != null && holder.boot().equals(host.holder().boot());
  }

  private static LeaseRecord record(State state, DiskClaim claim, StorageLease host) {
    StorageLease.Holder holder = host.holder();
    return new LeaseRecord(state, claim.vm(), holder.host(), holder.incarnation(), holder.boot(), claim.epoch(), "", 0,
        host.duration());
  }

  /** What is written of a disk that came from other storage, and that nobody has opened here yet. */
  static LeaseRecord released(IncomingDisks.Origin origin, StorageLease host) {
    DiskClaim claim = DiskClaim.orderly(origin.vm().value(), origin.epoch().value());
    return record(State.HELD, claim, host).released(origin.migration().value());
  }

  /**
   * Whether a later epoch wants the disk, or has it by now.
   *
   * @throws IOException if that is not known
   */
  boolean isFenced() throws IOException {
    IOException unknown = null;
    for (Part each : parts) {
      try {
        if (isFenced(each)) {
          return true;
        }
      } catch (IOException e) {
        // The other slot's may be known, and then it is.
        unknown = e;
      }
    }
    if (unknown != null) {
      throw unknown;
    }
    return false;
  }

  private static boolean isFenced(Part part) throws IOException {
    // The mark first: it is taken away only when the lease is another's.
    Optional<LeaseRecord> mark = part.slot().mark().read();
    return mark.filter(found -> concerns(found, part.record().vm(), part.record().epoch())).isPresent()
        || !part.isMine();
  }

  /** Whether a mark is meant for the one who has the disk for a VM under an epoch; epochs of another VM say nothing. */
  private static boolean concerns(LeaseRecord mark, String vm, long epoch) {
    return !mark.vm().equals(vm) || mark.epoch() > epoch;
  }

  /**
   * Says that the disk is nobody's, or meant for a migration; after its last write was flushed.
   *
   * @throws DiskException if it is another's already, who is not overwritten
   */
  void release(String migration) throws IOException {
    try {
      boolean[] all = {true};
      EachOf.all(parts, part -> all[0] &= letGo(part, migration));
      if (!all[0]) {
        throw new DiskException("disk %s is another host's by now".formatted(disk));
      }
    } finally {
      unlock();
    }
  }

  /** As {@link #release}, and well if it is another's already. */
  void yieldToOther() throws IOException {
    try {
      EachOf.all(parts, part -> letGo(part, ""));
    } finally {
      unlock();
    }
  }

  /** @return false if it is another's already */
  private boolean letGo(Part part, String migration) throws IOException {
    try {
      if (!part.isMine()) {
        return false;
      }
      part.slot().lease().write(part.record().released(migration));
      return true;
    } catch (IOException e) {
      // It is closed here all the same, and in everybody's way until that is said.
      left.add(part.slot(), part.record());
      throw e;
    }
  }

  /** Lets go without a word, as the death of this process would. */
  void unlock() throws IOException {
    EachOf.all(parts.reversed(), part -> {
      if (part.lock() != null) {
        part.lock().close();
      }
    });
  }
}
