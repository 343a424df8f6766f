package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Qcow2 files: made by us and read by {@code qemu-img}, and the other way round. */
class Qcow2HeaderTest {
  private static final long MIB = 1L << 20;

  @TempDir
  Path directory;

  private static boolean hasQemuImg() {
    return List.of(System.getenv().getOrDefault("PATH", "").split(":", -1)).stream()
        .anyMatch(each -> Files.isExecutable(Path.of(each, "qemu-img")));
  }

  private static String qemuImg(String... arguments) throws IOException, InterruptedException {
    assumeTrue(hasQemuImg(), "qemu-img is not installed: qcow2 files are not compared with its own");
    String[] command = new String[arguments.length + 1];
    command[0] = "qemu-img";
    System.arraycopy(arguments, 0, command, 1, arguments.length);
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(said).isZero();
    return said;
  }

  @ParameterizedTest
  @ValueSource(longs = {512, MIB, 600 * MIB, 10L << 30, 8L << 40})
  void anEmptyDiskIsOneForQemu(long bytes) throws Exception {
    Path file = directory.resolve("disk.qcow2");
    Files.write(file, Qcow2Header.empty(bytes).array());
    assertThat(qemuImg("check", file.toString())).contains("No errors were found");
    assertThat(qemuImg("info", "--output=json", file.toString())).contains("\"virtual-size\": " + bytes);
    assertThat(Qcow2Header.decode(ByteBuffer.wrap(Files.readAllBytes(file))).guestBytes()).isEqualTo(bytes);
  }

  @ParameterizedTest
  @CsvSource({"cluster_size=65536", "cluster_size=512", "cluster_size=2097152", "compat=0.10",
      "refcount_bits=64", "extended_l2=on"})
  void aFileThatQemuMakesNeverBecomesLargerThanIsTold(String option) throws Exception {
    Path file = directory.resolve("disk.qcow2");
    qemuImg("create", "-q", "-f", "qcow2", "-o", option + ",preallocation=falloc", file.toString(), "24M");
    Qcow2Header header = Qcow2Header.decode(ByteBuffer.wrap(Files.readAllBytes(file)));
    assertThat(header.guestBytes()).isEqualTo(24 * MIB);
    assertThat(header.mostFileBytes()).isGreaterThan(Files.size(file));
  }

  @Test
  void aDiskOfTheStorageIsKnownByItsNameAndReadsAsZerosBeyondItsFile() throws Exception {
    DiskDirectory disks = new DiskDirectory(directory, Clock.systemUTC());
    DiskDescription made = disks.create("grows", DiskFormat.QCOW2, 64 * MIB);
    assertThat(made.guestBytes()).isEqualTo(64 * MIB);
    assertThat(made.sizeBytes()).isGreaterThan(128 * MIB);
    assertThat(disks.show("grows")).isEqualTo(made);
    Path file = directory.resolve("disks/grows.qcow2");
    assertThat(Files.size(file)).isLessThan(MIB);
    ByteBuffer end = ByteBuffer.allocate(4096);
    try (DiskReader reader = disks.reader("grows")) {
      reader.read(made.sizeBytes() - 4096, end);
    }
    assertThat(end.array()).containsOnly(0);
    try (OpenDisk disk = disks.open("grows")) {
      assertThat(Files.size(file)).as("room for the hypervisor").isEqualTo(made.sizeBytes());
      disk.write(made.sizeBytes() - 512, ByteBuffer.wrap(new byte[512]));
    }
    assertThat(disks.show("grows")).as("the same disk when it has grown").isEqualTo(made);
  }

  @Test
  void whatIsNotInTheFileAloneIsRefusedByName() {
    assertRefused("backing file", 8, 8);
    assertRefused("encrypted", 35, 1);
    assertRefused("internal snapshots", 63, 1);
    assertRefused("marked corrupt", 79, 1 << 1);
    assertRefused("in another file", 79, 1 << 2);
    assertRefused("not known here: 0x20", 79, 1 << 5);
    assertRefused("version 2 or 3", 7, 4);
    assertRefused("2^40 bytes", 23, 40);
  }

  private static void assertRefused(String reason, int at, int value) {
    ByteBuffer head = Qcow2Header.empty(MIB).put(at, (byte) value);
    assertThatThrownBy(() -> Qcow2Header.decode(head)).isInstanceOf(DiskException.class).hasMessageContaining(reason);
  }
}
