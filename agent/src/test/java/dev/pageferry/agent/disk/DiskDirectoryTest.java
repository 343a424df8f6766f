package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
final class DiskDirectoryTest {
  private static final long MEBIBYTE = 1 << 20;

  @TempDir
  Path storage;
  private DiskDirectory disks;

  @BeforeEach
  void open() {
    disks = new DiskDirectory(storage, Clock.systemUTC());
  }

  @Test
  void thereAreNoDisksOnFreshStorage() throws IOException {
    assertThat(disks.list()).isEmpty();
    assertThatThrownBy(() -> disks.show("none")).isInstanceOf(NoSuchFileException.class);
    assertThatThrownBy(() -> disks.delete("none")).isInstanceOf(NoSuchFileException.class);
    assertThatThrownBy(() -> disks.open("none")).isInstanceOf(NoSuchFileException.class);
  }

  @ParameterizedTest
  @EnumSource(value = DiskFormat.class, names = {"RAW", "VHD"})
  void aNewDiskIsListedAndFullOfZeros(DiskFormat format) throws IOException {
    DiskDescription made = disks.create("data", format, 3 * MEBIBYTE);

    assertThat(made).extracting(DiskDescription::name, DiskDescription::format, DiskDescription::sizeBytes)
        .containsExactly("data", format, 3 * MEBIBYTE);
    assertThat(made.identity()).isNotEmpty();
    assertThat(disks.list()).containsExactly(made);
    assertThat(disks.show("data")).isEqualTo(made);
    try (OpenDisk disk = disks.open("data")) {
      ByteBuffer all = ByteBuffer.allocate((int) disk.sizeBytes());
      disk.read(0, all);
      assertThat(all.remaining()).isEqualTo(3 * MEBIBYTE);
      assertThat(all.mismatch(ByteBuffer.allocate((int) (3 * MEBIBYTE)))).isEqualTo(-1);
    }
    try (var files = Files.list(storage.resolve("disks"))) {
      assertThat(files).as("nothing is left of the making").hasSize(1);
    }
  }

  @ParameterizedTest
  @EnumSource(value = DiskFormat.class, names = {"RAW", "VHD"})
  void whatIsWrittenIsReadAfterReopening(DiskFormat format) throws IOException {
    disks.create("data", format, MEBIBYTE);
    ByteBuffer sector = ByteBuffer.wrap("x".repeat(512).getBytes(StandardCharsets.US_ASCII));
    try (OpenDisk disk = disks.open("data")) {
      disk.write(0, sector.duplicate());
      disk.write(MEBIBYTE - 512, sector.duplicate());
      disk.flush();
    }
    try (OpenDisk disk = disks.open("data")) {
      ByteBuffer read = ByteBuffer.allocate(512);
      disk.read(MEBIBYTE - 512, read);
      assertThat(read).isEqualTo(sector);
      assertThat(disks.show("data").format()).isEqualTo(format);
    }
    assertThat(disks.show("data").sizeBytes()).as("the footer was not written over").isEqualTo(MEBIBYTE);
  }

  @ParameterizedTest
  @EnumSource(value = DiskFormat.class, names = {"RAW", "VHD"})
  void nothingBeyondTheEndIsReached(DiskFormat format) throws IOException {
    disks.create("data", format, MEBIBYTE);
    try (OpenDisk disk = disks.open("data")) {
      for (long offset : new long[]{MEBIBYTE - 511, MEBIBYTE, MEBIBYTE + 1, Long.MAX_VALUE, -1, Long.MIN_VALUE}) {
        assertThatThrownBy(() -> disk.write(offset, ByteBuffer.allocate(512))).isInstanceOf(DiskException.class)
            .hasMessageContaining(Long.toString(offset));
        assertThatThrownBy(() -> disk.read(offset, ByteBuffer.allocate(512))).isInstanceOf(DiskException.class);
      }
    }
    assertThat(Files.size(storage.resolve("disks").resolve("data." + (format == DiskFormat.VHD ? "vhd" : "raw"))))
        .isEqualTo(MEBIBYTE + format.footerBytes());
  }

  @Test
  void disksOfTerabytesTakeNoRoomUntilTheyAreWritten() throws IOException {
    assertThat(disks.create("vhd", DiskFormat.VHD, 2040L << 30).sizeBytes()).isEqualTo(2040L << 30);
    assertThat(disks.create("raw", DiskFormat.RAW, 8L << 40).sizeBytes()).isEqualTo(8L << 40);
    try (OpenDisk disk = disks.open("raw")) {
      disk.write((8L << 40) - 512, ByteBuffer.wrap(new byte[512]));
    }
    disks.delete("vhd");
    disks.delete("raw");
    assertThat(disks.list()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"VHD, 0", "RAW, -512", "VHD, 513", "RAW, 1", "VHD, 2190433321472"})
  void sizesThatNoDiskCanHaveAreRefused(DiskFormat format, long sizeBytes) throws IOException {
    assertThatThrownBy(() -> disks.create("data", format, sizeBytes)).isInstanceOf(DiskException.class);
    assertThat(disks.list()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "../escape", "a/b", ".hidden", "a b"})
  void namesThatCouldLeaveTheDirectoryAreRefused(String name) {
    assertThatIllegalArgumentException().isThrownBy(() -> disks.create(name, DiskFormat.RAW, MEBIBYTE));
    assertThatIllegalArgumentException().isThrownBy(() -> disks.delete(name));
  }

  @Test
  void aNameIsTakenInWhateverFormat() throws IOException {
    disks.create("data", DiskFormat.RAW, MEBIBYTE);
    assertThatThrownBy(() -> disks.create("data", DiskFormat.RAW, MEBIBYTE)).isInstanceOf(DiskException.class)
        .hasMessageContaining("exists already");
    assertThatThrownBy(() -> disks.create("data", DiskFormat.VHD, MEBIBYTE)).isInstanceOf(DiskException.class);
  }

  @Test
  void ofManyWhoMakeADiskAtOnceOneSucceeds() throws Exception {
    try (ExecutorService hosts = Executors.newFixedThreadPool(8)) {
      Callable<DiskDescription> make = () -> disks.create("data", DiskFormat.VHD, MEBIBYTE);
      List<Future<DiskDescription>> made = hosts.invokeAll(List.of(make, make, make, make, make, make, make, make));
      int successes = 0;
      for (Future<DiskDescription> each : made) {
        try {
          each.get();
          successes++;
        } catch (ExecutionException e) {
          assertThat(e).hasCauseInstanceOf(DiskException.class);
        }
      }
      assertThat(successes).isEqualTo(1);
    }
    try (var files = Files.list(storage.resolve("disks"))) {
      assertThat(files).hasSize(1);
    }
  }

  @Test
  void filesThatAreNoDisksAreLeftAlone() throws IOException {
    disks.create("data", DiskFormat.RAW, MEBIBYTE);
    Files.writeString(storage.resolve("disks/notes.txt"), "not a disk");
    assertThat(disks.list()).extracting(DiskDescription::name).containsExactly("data");
    Files.writeString(storage.resolve("disks/short.vhd"), "no footer");
    assertThatThrownBy(() -> disks.open("short")).isInstanceOf(DiskException.class).hasMessageContaining("short.vhd");
    Files.write(storage.resolve("disks/plain.vhd"), new byte[1 << 20]);
    assertThatThrownBy(() -> disks.open("plain")).isInstanceOf(DiskException.class)
        .hasMessageContaining("no VHD footer");
    assertThat(disks.list()).extracting(DiskDescription::name).containsExactly("data");
  }

  @Test
  void qemuImgTakesOurVhdForWhatItIs() throws Exception {
    assumeQemuImg();
    for (long size : new long[]{MEBIBYTE, 3 * MEBIBYTE + 512, 200 * MEBIBYTE, 40L << 30, 2040L << 30}) {
      disks.create("ours", DiskFormat.VHD, size);
      String file = storage.resolve("disks/ours.vhd").toString();
      assertThat(qemuImg("info", "-f", "vpc", "--output=json", file)).contains("\"virtual-size\": " + size)
          .contains("\"format\": \"vpc\"");
      assertQemuImgFindsNoErrors(file);
      disks.delete("ours");
    }
  }

  @Test
  void qemuImgConvertsOurVhdByteForByte() throws Exception {
    assumeQemuImg();
    disks.create("ours", DiskFormat.VHD, 3 * MEBIBYTE);
    byte[] contents = new byte[(int) (3 * MEBIBYTE)];
    new Random(7).nextBytes(contents);
    try (OpenDisk disk = disks.open("ours")) {
      disk.write(0, ByteBuffer.wrap(contents));
    }
    Path raw = storage.resolve("converted");
    qemuImg("convert", "-f", "vpc", "-O", "raw", storage.resolve("disks/ours.vhd").toString(), raw.toString());
    assertThat(Files.readAllBytes(raw)).isEqualTo(contents);
  }

  @Test
  void aVhdThatQemuImgMadeIsADisk() throws Exception {
    assumeQemuImg();
    Files.createDirectories(storage.resolve("disks"));
    qemuImg("create", "-f", "vpc", "-o", "subformat=fixed,force_size=on",
        storage.resolve("disks/theirs.vhd").toString(), "10M");
    assertThat(disks.list()).singleElement().extracting(DiskDescription::name, DiskDescription::format,
        DiskDescription::sizeBytes).containsExactly("theirs", DiskFormat.VHD, 10 * MEBIBYTE);
    try (OpenDisk disk = disks.open("theirs")) {
      disk.write(10 * MEBIBYTE - 512, ByteBuffer.wrap(new byte[512]));
    }
    assertQemuImgFindsNoErrors(storage.resolve("disks/theirs.vhd").toString());
  }

  @Test
  void aDynamicVhdIsRefusedByName() throws Exception {
    assumeQemuImg();
    Files.createDirectories(storage.resolve("disks"));
    qemuImg("create", "-f", "vpc", "-o", "subformat=dynamic", storage.resolve("disks/dynamic.vhd").toString(), "10M");
    assertThatThrownBy(() -> disks.open("dynamic")).isInstanceOf(DiskException.class)
        .hasMessageContaining("type 3 is not fixed");
  }

  @Test
  void onlyRegularFilesOfWholeSectorsAreDisks() throws Exception {
    Path directory = Files.createDirectories(storage.resolve("disks"));
    Path outside = Files.write(storage.resolveSibling("outside"), new byte[4096]);
    Files.createSymbolicLink(directory.resolve("link.raw"), outside);
    Files.createDirectory(directory.resolve("directory.raw"));
    Files.write(directory.resolve("odd.raw"), new byte[1000]);
    assertThat(disks.list()).isEmpty();
    for (String each : List.of("link", "directory")) {
      assertThatThrownBy(() -> disks.show(each)).isInstanceOf(DiskException.class)
          .hasMessageContaining("not a regular file");
      assertThatThrownBy(() -> disks.delete(each)).isInstanceOf(DiskException.class);
      assertThatThrownBy(() -> disks.create(each, DiskFormat.RAW, 4096)).isInstanceOf(DiskExistsException.class);
    }
    assertThatThrownBy(() -> disks.show("odd")).hasMessageContaining("no whole sectors");
    assertThat(outside).hasSize(4096);
  }

  @Test
  void aPipeIsPassedByAndNotWaitedFor() throws Exception {
    Path directory = Files.createDirectories(storage.resolve("disks"));
    Process made = new ProcessBuilder("mkfifo", directory.resolve("pipe.raw").toString()).start();
    assertThat(made.waitFor()).isZero();
    assertThat(disks.list()).isEmpty();
    assertThatThrownBy(() -> disks.show("pipe")).hasMessageContaining("not a regular file");
  }

  @Test
  void aFileWithTwoNamesIsNotPassedThrough() throws Exception {
    Path file = Files.write(storage.resolveSibling("one-name"), new byte[4096]);
    Path second = storage.resolveSibling("another-name");
    Files.createLink(second, file);
    assertThatThrownBy(() -> disks.show(file.toString())).hasMessageContaining("hard links");
    Files.delete(second);
    assertThat(disks.show(file.toString()).sizeBytes()).isEqualTo(4096);
    Files.delete(file);
  }

  private static void assumeQemuImg() {
    assumeTrue(Stream.of(System.getenv("PATH").split(":")).map(Path::of)
        .anyMatch(each -> Files.isExecutable(each.resolve("qemu-img"))), "qemu-img is not installed");
  }

  /** Some versions have no check for a fixed VHD, not for their own either; then they say just that, with status 63. */
  private static void assertQemuImgFindsNoErrors(String file) throws IOException, InterruptedException {
    Process process = new ProcessBuilder("qemu-img", "check", "-f", "vpc", file).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() == 63) {
      assertThat(output).contains("does not support checks");
    } else {
      assertThat(process.exitValue()).as(output).isZero();
    }
  }

  private static String qemuImg(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("qemu-img"));
    command.addAll(List.of(arguments));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as("%s: %s", command, output).isZero();
    return output;
  }
}
