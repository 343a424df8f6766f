package dev.pageferry.coordinator.store;

import dev.pageferry.coordinator.store.RecordStore.Transaction;
import java.nio.file.Path;
import java.util.Random;

/** Commits numbered records one after the other and prints each number once its commit was answered. */
final class CommittingProcess {
  private CommittingProcess() {
  }

  public static void main(String[] arguments) throws Exception {
    try (SqliteRecordStore store = SqliteRecordStore.open(Path.of(arguments[0]))) {
      for (int number = Integer.parseInt(arguments[1]); true; number++) {
        if (!store.commit(new Transaction().ifAbsent(key(number)).put(key(number), value(number))
            .put("pairs/" + number % 7, value(number)).put("last", Integer.toString(number).getBytes("UTF-8")))) {
          throw new IllegalStateException("record %d was there already".formatted(number));
        }
        System.out.println(number);
        System.out.flush();
      }
    }
  }

  static String key(int number) {
    return "records/%08d".formatted(number);
  }

  /** Up to three database pages, all known from the number. */
  static byte[] value(int number) {
    Random random = new Random(number);
    byte[] value = new byte[random.nextInt(12_000)];
    random.nextBytes(value);
    return value;
  }
}
