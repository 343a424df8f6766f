package dev.pageferry.coordinator.backup;

import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import dev.pageferry.common.backup.SealedFile;
import dev.pageferry.coordinator.store.RecordStore.Snapshot;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.proto.cluster.v1.BackupHeader;
import dev.pageferry.proto.cluster.v1.BackupRecord;
import java.io.IOException;
import java.io.OutputStream;

/** Writes records as a backup: a header, then each record behind its length, in a {@link SealedFile}. */
public final class BackupWriter {
  private BackupWriter() {
  }

  /**
   * @param version of this program
   * @param wallMillis now, since 1970-01-01 UTC
   */
  public static void write(Snapshot snapshot, String version, long wallMillis, OutputStream out) throws IOException {
    SealedFile.Writer file = SealedFile.Writer.to(out);
    BackupHeader.newBuilder().setCoordinatorVersion(version).setRevision(snapshot.revision())
        .setRecords(snapshot.records().size())
        .setAt(Timestamp.newBuilder().setSeconds(wallMillis / 1000).setNanos((int) (wallMillis % 1000) * 1_000_000))
        .build().writeDelimitedTo(file);
    for (Versioned each : snapshot.records()) {
      BackupRecord.newBuilder().setKey(each.key()).setValue(ByteString.copyFrom(each.value()))
          .setRevision(each.revision()).build().writeDelimitedTo(file);
    }
    file.seal();
  }
}
