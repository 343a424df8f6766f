package dev.pageferry.journal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * Looks at a disk from outside and says whether its journals are whole (docs/STORAGE.md, "The journal"): no record of
 * [last - slots + 2, last] is missing, each stands in its slot, and the ownership epoch never goes back from one record
 * to the next, as it would if a host that was no longer the VM's had written. The slot behind the last record may hold
 * anything: it may have been half written when the power went.
 */
public final class JournalReader {
  private static final int RECORD_BYTES = 512;
  private static final int CHUNK_RECORDS = 2048;
  private static final byte[] VHD_COOKIE = "conectix".getBytes(StandardCharsets.US_ASCII);
  private static final long MAGIC = 0x31304C4E524A4650L;

  /** One record as it stands on the disk. */
  private record Entry(long slot, long sequence, long base, long step, long epoch) {
  }

  /**
   * One vCPU's journal.
   *
   * @param last sequence number of its last record
   * @param stepsSinceBoot of the boot that wrote that
   * @param lastEpoch under which that was written
   * @param problems empty if it is whole
   */
  public record Journal(long firstSlot, long last, long stepsSinceBoot, long lastEpoch, List<String> problems) {
  }

  private JournalReader() {
  }

  /** Reads all journals of a raw or fixed VHD disk. */
  public static List<Journal> read(Path disk) throws IOException {
    Map<Long, TreeMap<Long, Entry>> bySlot = new TreeMap<>();
    Map<Long, Long> slotsOf = new TreeMap<>();
    List<Journal> journals = new ArrayList<>();
    try (FileChannel file = FileChannel.open(disk, StandardOpenOption.READ)) {
      long records = dataBytes(file) / RECORD_BYTES;
      ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK_RECORDS * RECORD_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      for (long first = 0; first < records; first += CHUNK_RECORDS) {
        int count = (int) Math.min(CHUNK_RECORDS, records - first);
        chunk.clear().limit(count * RECORD_BYTES);
        while (chunk.hasRemaining() && file.read(chunk, first * RECORD_BYTES + chunk.position()) >= 0) {
          // A read may be short.
        }
        for (int i = 0; i < count; i++) {
          ByteBuffer record = chunk.slice(i * RECORD_BYTES, RECORD_BYTES).order(ByteOrder.LITTLE_ENDIAN);
          if (isRecord(record)) {
            Entry entry = entry(first + i, record);
            bySlot.computeIfAbsent(record.getLong(40), key -> new TreeMap<>()).put(entry.sequence(), entry);
            slotsOf.put(record.getLong(40), record.getLong(48));
          }
        }
      }
      for (Map.Entry<Long, TreeMap<Long, Entry>> each : bySlot.entrySet()) {
        long slots = slotsOf.getOrDefault(each.getKey(), 0L);
        readAgain(file, each.getKey(), slots, each.getValue());
        journals.add(judge(each.getKey(), slots, each.getValue()));
      }
    }
    return journals;
  }

  private static Entry entry(long slot, ByteBuffer record) {
    return new Entry(slot, record.getLong(8), record.getLong(16), record.getLong(24), record.getLong(32));
  }

  /** A record that was being written while it was read looks torn: a second look tells. */
  private static void readAgain(FileChannel file, long firstSlot, long slots, TreeMap<Long, Entry> entries)
      throws IOException {
    long last = entries.lastKey();
    for (long sequence = Math.max(1, last - slots + 2); sequence <= last; sequence++) {
      if (!entries.containsKey(sequence)) {
        long slot = firstSlot + Math.floorMod(sequence, slots);
        ByteBuffer record = ByteBuffer.allocate(RECORD_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        file.read(record, slot * RECORD_BYTES);
        if (isRecord(record.clear()) && record.getLong(8) == sequence) {
          entries.put(sequence, entry(slot, record));
        }
      }
    }
  }

  private static long dataBytes(FileChannel file) throws IOException {
    if (file.size() < RECORD_BYTES) {
      return 0;
    }
    ByteBuffer end = ByteBuffer.allocate(VHD_COOKIE.length);
    file.read(end, file.size() - RECORD_BYTES);
    return ByteBuffer.wrap(VHD_COOKIE).equals(end.flip()) ? file.size() - RECORD_BYTES : file.size();
  }

  private static boolean isRecord(ByteBuffer record) {
    if (record.getLong(0) != MAGIC) {
      return false;
    }
    CRC32C crc = new CRC32C();
    crc.update(record.duplicate().position(0).limit(RECORD_BYTES - Integer.BYTES));
    return record.getInt(RECORD_BYTES - Integer.BYTES) == (int) crc.getValue();
  }

  private static Journal judge(long firstSlot, long slots, TreeMap<Long, Entry> entries) {
    List<String> problems = new ArrayList<>();
    Entry last = entries.lastEntry().getValue();
    Entry before = null;
    for (long sequence = Math.max(1, last.sequence() - slots + 2); sequence <= last.sequence(); sequence++) {
      Entry entry = entries.get(sequence);
      if (entry == null) {
        problems.add("record %d is missing".formatted(sequence));
        continue;
      }
      if (entry.slot() != firstSlot + Math.floorMod(sequence, slots)
          || entry.sequence() != entry.base() + entry.step()) {
        problems.add("record %d stands in slot %d with base %d and step %d".formatted(sequence, entry.slot(),
            entry.base(), entry.step()));
      }
      if (before != null && before.sequence() == sequence - 1
          && (entry.epoch() < before.epoch() || (entry.base() != before.base() && entry.step() != 1))) {
        problems.add("record %d of epoch %d, step %d follows one of epoch %d, step %d".formatted(sequence,
            entry.epoch(), entry.step(), before.epoch(), before.step()));
      }
      before = entry;
    }
    return new Journal(firstSlot, last.sequence(), last.step(), last.epoch(), List.copyOf(problems));
  }

  /** Prints a line for each journal of the disk; exits 1 if one is not whole. */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 1 || arguments[0].startsWith("-")) {
      System.err.println("usage: read-journal FILE   (a raw or fixed VHD disk that the journal program wrote)");
      System.exit(arguments.length == 1 && arguments[0].equals("--help") ? 0 : 2);
    }
    boolean whole = true;
    for (Journal each : read(Path.of(arguments[0]))) {
      System.out.printf("journal at slot %d: last record %d (step %d of its boot, epoch %d), %s%n", each.firstSlot(),
          each.last(), each.stepsSinceBoot(), each.lastEpoch(), each.problems().isEmpty() ? "whole" : "NOT WHOLE");
      each.problems().forEach(problem -> System.out.println("  " + problem));
      whole &= each.problems().isEmpty();
    }
    System.exit(whole ? 0 : 1);
  }
}
