package dev.pageferry.ferry.view;

import dev.pageferry.common.units.ByteSize;
import dev.pageferry.proto.cluster.v1.BackupSummary;

/** A backup, for people. */
public final class BackupText {
  private BackupText() {
  }

  /** Each line ended. */
  public static String of(BackupSummary backup) {
    return new Details().add("file", backup.getFile()).add("size", ByteSize.format(backup.getBytes()))
        .add("made", Times.text(backup.getAt().getSeconds() * 1000)).add("coordinator", backup.getCoordinatorVersion())
        .add("revision", String.valueOf(backup.getRevision())).add("records", String.valueOf(backup.getRecords()))
        .text();
  }
}
