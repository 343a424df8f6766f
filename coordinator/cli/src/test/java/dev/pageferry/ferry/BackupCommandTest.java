package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pageferry.common.backup.SealedFile;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.BackUpPart;
import dev.pageferry.proto.cluster.v1.BackupHeader;
import io.grpc.Status;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code ferry backup} and {@code ferry restore}. */
class BackupCommandTest extends CommandFixture {
  @TempDir
  Path directory;

  private static byte[] backup() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    SealedFile.Writer file = SealedFile.Writer.to(out);
    BackupHeader.newBuilder().setCoordinatorVersion("0.2.0").setRevision(7).setRecords(0).build()
        .writeDelimitedTo(file);
    file.seal();
    return out.toByteArray();
  }

  private static BackUpPart part(byte[] bytes, int from, int to) {
    return BackUpPart.newBuilder().setData(ByteString.copyFrom(bytes, from, to - from)).build();
  }

  private Path answered() throws IOException {
    byte[] bytes = backup();
    cluster.answer("BackUp", part(bytes, 0, 9), part(bytes, 9, bytes.length));
    return directory.resolve("file");
  }

  @Test
  void aBackupIsWrittenForItsOwnerAlone() throws Exception {
    Path file = answered();
    assertThat(ferry.run("backup", file.toString())).as(ferry.err()).isZero();
    assertThat(file).hasBinaryContent(backup());
    assertThat(Files.getPosixFilePermissions(file)).containsExactlyInAnyOrder(PosixFilePermission.OWNER_READ,
        PosixFilePermission.OWNER_WRITE);
    assertThat(ferry.out()).contains("revision:     7", "coordinator:  0.2.0");
    assertThat(Files.list(directory)).containsExactly(file);
  }

  @Test
  void aFileThatExistsIsKeptUnlessForced() throws Exception {
    Path file = answered();
    Files.writeString(file, "precious");
    assertThat(ferry.run("backup", file.toString())).isEqualTo(ExitCode.REFUSED);
    assertThat(file).hasContent("precious");
    assertThat(ferry.run("backup", file.toString(), "--force")).isZero();
    assertThat(file).hasBinaryContent(backup());
  }

  @Test
  void aBackupThatDoesNotComeWholeIsNotThere() throws Exception {
    Path file = answered();
    cluster.answer("BackUp", part(backup(), 0, 20));
    assertThat(ferry.run("backup", file.toString())).isEqualTo(ExitCode.FAILED);
    assertThat(ferry.err()).contains("is not a backup").hasLineCount(1);
    cluster.refuse("BackUp", Status.PERMISSION_DENIED.withDescription("viewer x may not call BackUp"));
    assertThat(ferry.run("backup", file.toString())).isNotZero();
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void aBackupIsLeftWhereTheCoordinatorTakesItAtItsNextStart() throws Exception {
    Path file = Files.write(directory.resolve("file"), backup());
    Path data = Files.createDirectory(directory.resolve("data"));
    assertThat(ferry.run("restore", file.toString(), "--data", data.toString())).as(ferry.err()).isZero();
    assertThat(data.resolve("restore.backup")).hasBinaryContent(backup());
    assertThat(ferry.err()).contains("at its next start");
    assertThat(cluster.requests()).isEmpty();
  }

  @Test
  void whatIsNoBackupIsNotRestored() throws Exception {
    Path data = Files.createDirectory(directory.resolve("data"));
    Path file = Files.writeString(directory.resolve("file"), "x".repeat(100));
    assertThat(ferry.run("restore", file.toString(), "--data", data.toString())).isEqualTo(ExitCode.FAILED);
    assertThat(ferry.err()).contains("is not a backup").hasLineCount(1);
    assertThat(ferry.run("restore", "/nowhere/at/all", "--data", data.toString())).isEqualTo(ExitCode.NOT_FOUND);
    assertThat(ferry.run("restore", file.toString(), "--data", "/nowhere")).isEqualTo(ExitCode.NOT_FOUND);
    assertThat(data).isEmptyDirectory();
  }
}
