package dev.pageferry.coordinator.backup;

import dev.pageferry.common.backup.SealedFile;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.Release;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import dev.pageferry.proto.cluster.v1.BackupHeader;
import dev.pageferry.proto.cluster.v1.BackupRecord;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Puts a backup in place of the records, at the start of a coordinator, where {@code ferry restore} has left one in its directory. The
 * records of before are kept aside. Each step may be the last of a process: the next start begins anew, as long as the backup is there.
 */
public final class Restoration {
  static final String BACKUP = SealedFile.TO_BE_RESTORED;
  private static final String ASIDE = "before-restore-";
  private static final String MAKING = SqliteRecordStore.FILE + ".restoring";
  private static final int MOST_ASIDE = 10_000;
  private static final Logger log = LoggerFactory.getLogger(Restoration.class);

  private Restoration() {
  }

  private record Backup(BackupHeader header, List<Versioned> records) {
  }

  /**
   * @param version of this program
   * @throws IOException if there is a backup that cannot be used: then nothing is changed, and the coordinator does not start
   */
  public static void carryOut(Path directory, String version) throws IOException {
    Path file = directory.resolve(BACKUP);
    if (!Files.exists(file)) {
      return;
    }
    // Whoever comes second finds that it is done.
    try (FileChannel lock = FileChannel.open(directory.resolve("restore.lock"), StandardOpenOption.CREATE,
        StandardOpenOption.WRITE); var _ = lock.lock()) {
      if (Files.exists(file)) {
        Backup backup = read(file);
        if (Release.compare(version, backup.header().getCoordinatorVersion()) == Release.Fit.INCOMPATIBLE) {
          throw new IOException("the backup in %s is of version %s, too far from %s; restore it with its own version"
              .formatted(file, backup.header().getCoordinatorVersion(), version));
        }
        requireAlone(directory);
        for (String each : SqliteRecordStore.files(MAKING)) {
          Files.deleteIfExists(directory.resolve(each));
        }
        SqliteRecordStore.make(directory.resolve(MAKING), backup.records(), backup.header().getRevision());
        Optional<Path> aside = putAside(directory);
        Files.move(directory.resolve(MAKING), directory.resolve(SqliteRecordStore.FILE),
            StandardCopyOption.ATOMIC_MOVE);
        sync(directory);
        Files.delete(file);
        sync(directory);
        log.warn("records restored from a backup of {} (revision {}, {} records); {}",
            Instant.ofEpochSecond(backup.header().getAt().getSeconds()), backup.header().getRevision(),
            backup.records().size(), aside.map(it -> "those of before are in " + it).orElse("there were none before"));
      }
    }
  }

  private static Backup read(Path file) throws IOException {
    try {
      return SealedFile.read(file, Restoration::parse);
    } catch (IOException e) {
      throw new IOException("the backup that is to be restored cannot be used: %s; remove it, or restore another one"
          .formatted(IoFailure.sentence(e)), e);
    }
  }

  private static Backup parse(InputStream in) throws IOException {
    BackupHeader header = BackupHeader.parseDelimitedFrom(in);
    if (header == null) {
      throw new EOFException("it is empty");
    }
    List<Versioned> records = new ArrayList<>();
    for (long i = 0; i < header.getRecords(); i++) {
      BackupRecord each = BackupRecord.parseDelimitedFrom(in);
      if (each == null) {
        throw new EOFException("%d records of %d are there".formatted(i, header.getRecords()));
      }
      records.add(new Versioned(each.getKey(), each.getValue().toByteArray(), each.getRevision()));
    }
    return new Backup(header, records);
  }

  /** Records that another coordinator uses are not moved from under it. */
  private static void requireAlone(Path directory) throws IOException {
    if (Files.exists(directory.resolve(SqliteRecordStore.FILE))) {
      SqliteRecordStore.requireAlone(directory.resolve(SqliteRecordStore.FILE));
    }
  }

  /** Where they are now; empty: there were none. */
  private static Optional<Path> putAside(Path directory) throws IOException {
    if (SqliteRecordStore.files(SqliteRecordStore.FILE).stream()
        .noneMatch(each -> Files.exists(directory.resolve(each)))) {
      return Optional.empty();
    }
    Path aside = newDirectory(directory);
    for (String each : SqliteRecordStore.files(SqliteRecordStore.FILE).reversed()) {
      try {
        Files.move(directory.resolve(each), aside.resolve(each), StandardCopyOption.ATOMIC_MOVE);
      } catch (NoSuchFileException e) {
        // There were none, or the process that began this has moved it.
      }
    }
    return Optional.of(aside);
  }

  private static Path newDirectory(Path directory) throws IOException {
    for (int i = 1; i < MOST_ASIDE; i++) {
      try {
        return Files.createDirectory(directory.resolve(ASIDE + i));
      } catch (FileAlreadyExistsException e) {
        // Of an earlier one.
      }
    }
    throw new IOException("%s has %d directories of records before restores; remove some".formatted(directory,
        MOST_ASIDE));
  }

  private static void sync(Path directory) throws IOException {
    try (FileChannel names = FileChannel.open(directory, StandardOpenOption.READ)) {
      names.force(true);
    }
  }
}
