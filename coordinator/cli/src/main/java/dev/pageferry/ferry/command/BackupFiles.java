package dev.pageferry.ferry.command;

import dev.pageferry.common.backup.SealedFile;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.proto.cluster.v1.BackupHeader;
import dev.pageferry.proto.cluster.v1.BackupSummary;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Objects;

/** Backups as files: whole or not there, and for their owner alone. */
final class BackupFiles {
  private BackupFiles() {
  }

  /** Fills a file. */
  interface Source {
    void writeTo(OutputStream out) throws IOException;
  }

  /** Writes a backup under another name, checks it, and gives it its own once it is safe. */
  static BackupSummary write(Path file, Source source) throws IOException {
    Path directory = Objects.requireNonNull(file.toAbsolutePath().getParent());
    // Its name cannot be guessed, and it is for its owner alone.
    Path making = Files.createTempFile(directory, file.getFileName() + ".", ".part");
    try {
      try (FileChannel channel = FileChannel.open(making, StandardOpenOption.WRITE);
          OutputStream out = Channels.newOutputStream(channel)) {
        source.writeTo(out);
        channel.force(true);
      }
      BackupSummary whole = check(making).toBuilder().setFile(file.toString()).build();
      Files.move(making, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      try (FileChannel names = FileChannel.open(directory, StandardOpenOption.READ)) {
        names.force(true);
      }
      return whole;
    } finally {
      Files.deleteIfExists(making);
    }
  }

  /** @throws IOException if it is not a whole backup */
  static BackupSummary check(Path file) throws IOException {
    return SealedFile.read(file, in -> {
      BackupHeader header = BackupHeader.parseDelimitedFrom(in);
      if (header == null) {
        throw new EOFException("%s is empty".formatted(file));
      }
      return BackupSummary.newBuilder().setFile(file.toString()).setBytes(Files.size(file))
          .setCoordinatorVersion(header.getCoordinatorVersion()).setAt(header.getAt()).setRevision(header.getRevision())
          .setRecords(header.getRecords()).build();
    });
  }

  static Failure failure(Exception e) {
    return new Failure(ExitCode.FAILED, IoFailure.sentence(e), e);
  }
}
