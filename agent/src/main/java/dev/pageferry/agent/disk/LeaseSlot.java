package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * What is kept about a disk under one of its names: a lock that the kernel or the file server keeps, the lease itself, and
 * the mark by which another host fences the holder.
 *
 * <p>A disk on shared storage has one slot: its name is its own there. A block device that is passed through has two. The
 * first goes by what the device is (its wwid), so that it is one disk whatever it is called, here or on another host. The
 * second goes by its path, and is all that agents of the version before know of; it is taken for their sake and can go with
 * them. Everybody takes them in that order.
 */
final class LeaseSlot {
  private final LeaseStore store;
  private final String key;
  private final LeaseFile lease;
  private final LeaseFile mark;

  private LeaseSlot(LeaseStore store, String key) {
    this.store = store;
    this.key = key;
    this.lease = new LeaseFile(store, key + ".lease");
    this.mark = new LeaseFile(store, key + ".fence");
  }

  /** The slot of a disk that is named on shared storage. */
  static LeaseSlot ofNamed(LeaseStore store, String disk) {
    return new LeaseSlot(store, "disk-" + disk);
  }

  /**
   * All slots of a disk, in the order in which they are taken.
   *
   * @param device what the disk is, whatever it is called; empty where nothing but its name tells
   */
  static List<LeaseSlot> of(LeaseStore store, String disk, Optional<String> device) {
    if (!DiskDescription.isPath(disk)) {
      return List.of(ofNamed(store, disk));
    }
    List<LeaseSlot> slots = new ArrayList<>();
    device.ifPresent(known -> slots.add(new LeaseSlot(store, "device-" + hash(known))));
    slots.add(new LeaseSlot(store, "path-" + hash(disk)));
    return slots;
  }

  private static String hash(String text) {
    try {
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest, 0, 16);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  Optional<LeaseStore.Lock> tryLock() throws IOException {
    return store.tryLock(key + ".lock");
  }

  /** Whether it is of the same disk under the same name. */
  boolean isSame(LeaseSlot other) {
    return key.equals(other.key);
  }

  LeaseFile lease() {
    return lease;
  }

  LeaseFile mark() {
    return mark;
  }

  /** Forgets the disk; whoever calls has the lock. */
  void delete() throws IOException {
    lease.delete();
    mark.delete();
  }
}
