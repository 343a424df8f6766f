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
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

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
    Path making = file.resolveSibling(file.getFileName() + ".part");
    Files.deleteIfExists(making);
    try {
      try (FileChannel channel = FileChannel.open(making,
          Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
          OutputStream out = Channels.newOutputStream(channel)) {
        source.writeTo(out);
        channel.force(true);
      }
      BackupSummary whole = check(making).toBuilder().setFile(file.toString()).build();
      Files.move(making, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
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

  /** What an administrator puts there is still the server's. */
  static void giveToOwnerOf(Path directory, Path file) throws IOException {
    if (!Files.getOwner(file).equals(Files.getOwner(directory))) {
      Path unused = Files.setOwner(file, Files.getOwner(directory));
    }
  }

  static Failure failure(Exception e) {
    return new Failure(ExitCode.FAILED, IoFailure.sentence(e), e);
  }
}
