package dev.pageferry.simulation;

import dev.pageferry.agent.disk.OpenDisk;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What is on a disk of the shared storage: records of 512 bytes. A write that was not flushed may be lost with the power of the
 * kernel that made it. Where kernels' locks may be taken from the living, a write comes to the storage at the moment of the call:
 * what the storage itself does against late ones (docs/STORAGE.md) is not what is tried here.
 */
final class SimulatedDisk {
  static final int RECORD_BYTES = 512;
  static final int BYTES = 1 << 16;

  private final SimulatedStorage storage;
  private final String name;
  private final Map<Long, byte[]> records = new TreeMap<>();
  private final List<Unsynced> unsynced = new ArrayList<>();
  /** Who may write: the last one that opened it. */
  private @Nullable Opened current;

  private record Unsynced(SimulatedScheduler by, long record, byte @Nullable [] before, byte[] after) {
  }

  SimulatedDisk(SimulatedStorage storage, String name) {
    this.storage = storage;
    this.name = name;
  }

  OpenDisk open(SimulatedScheduler host, String incarnation) {
    Opened opened = new Opened(host, leaseEpoch(incarnation));
    if (opened.epoch > 0) {
      if (current != null && current.epoch > opened.epoch) {
        storage.violated("disk %s is opened by %s under epoch %d, after epoch %d".formatted(name, host.name(),
            opened.epoch, current.epoch));
      }
      current = opened;
    }
    return opened;
  }

  /** Under which epoch this incarnation has the disk's lease; 0: not. */
  private long leaseEpoch(String incarnation) {
    byte[] lease = storage.files.get("disk-" + name + ".lease");
    if (lease == null) {
      return 0;
    }
    String text = new String(lease, StandardCharsets.US_ASCII);
    boolean isIts = text.contains("incarnation=" + incarnation + "\n") && text.contains("state=held\n");
    int at = text.indexOf("epoch=") + "epoch=".length();
    return isIts ? Long.parseLong(text, at, text.indexOf('\n', at), 10) : 0;
  }

  /** What a kernel had not written yet is lost, all of it or a part. */
  void losePower(SimulatedScheduler host) {
    for (Unsynced each : unsynced.reversed()) {
      if (each.by() == host && storage.random().nextBoolean() && records.get(each.record()) == each.after()) {
        if (each.before() == null) {
          records.remove(each.record());
        } else {
          records.put(each.record(), each.before());
        }
      }
    }
    unsynced.removeIf(each -> each.by() == host);
  }

  private final class Opened implements OpenDisk {
    private final SimulatedScheduler host;
    private final long epoch;

    Opened(SimulatedScheduler host, long epoch) {
      this.host = host;
      this.epoch = epoch;
    }

    @Override
    public long sizeBytes() {
      return BYTES;
    }

    @Override
    public void read(long offset, ByteBuffer target) throws SimulatedStorageException {
      storage.travel(host);
      while (target.hasRemaining()) {
        byte[] record = records.getOrDefault(offset / RECORD_BYTES, new byte[RECORD_BYTES]);
        int from = (int) (offset % RECORD_BYTES);
        int count = Math.min(target.remaining(), RECORD_BYTES - from);
        target.put(record, from, count);
        offset += count;
      }
      target.flip();
    }

    @Override
    public void write(long offset, ByteBuffer source) throws SimulatedStorageException {
      byte[] record = new byte[RECORD_BYTES];
      source.get(record);
      if (storage.kernels() == SimulatedStorage.Kernels.ONE) {
        storage.change(host, name, () -> put(offset / RECORD_BYTES, record));
      } else {
        put(offset / RECORD_BYTES, record);
        storage.travel(host);
      }
    }

    private void put(long number, byte[] record) {
      // A host that has it may look at it beside that.
      if (current == null || current.host != host || current.epoch != epoch) {
        storage.violated("%s writes disk %s, opened under epoch %d, which was opened %s since".formatted(host.name(),
            name, epoch, current == null ? "by nobody" : "under epoch " + current.epoch));
        return;
      }
      unsynced.add(new Unsynced(host, number, records.put(number, record), record));
    }

    @Override
    public void flush() throws SimulatedStorageException {
      List<Unsynced> flushed = unsynced.stream().filter(each -> each.by() == host).toList();
      storage.change(host, name, () -> unsynced.removeAll(flushed));
    }

    @Override
    public void close() {
      // What was not flushed is written by the kernel some time.
    }
  }
}
