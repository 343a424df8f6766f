package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What the version before left on shared storage when its hosts were killed ({@code scripts/record-previous}). */
class PreviousVersionStorageTest {
  private static final Path VERSION = Path.of("src/test/resources/version-4200a9b");
  private static final Path LEASES = VERSION.resolve("leases");

  @TempDir
  private Path storage;

  /** @param footer the last 512 bytes of the file */
  private record Vhd(String name, long sizeBytes, byte[] footer) {
    @Override
    public String toString() {
      return name;
    }
  }

  static List<Path> leases() throws IOException {
    try (Stream<Path> files = Files.list(LEASES)) {
      return files.filter(each -> each.toString().matches(".*\\.(lease|fence)")).sorted().toList();
    }
  }

  static List<Vhd> disks() throws IOException {
    return Files.readAllLines(VERSION.resolve("footers.txt")).stream().map(line -> line.split("\t"))
        .map(parts -> new Vhd(parts[0], Long.parseLong(parts[1]), HexFormat.of().parseHex(parts[2]))).toList();
  }

  @ParameterizedTest
  @MethodSource("leases")
  void aLeaseIsReadAndWrittenAsTheVersionBeforeDid(Path file) throws Exception {
    byte[] bytes = Files.readAllBytes(file);
    LeaseRecord lease = LeaseRecord.decode(bytes);
    assertThat(lease.encode().array()).isEqualTo(bytes);
    Map<String, String> lines = new TreeMap<>();
    new String(bytes, StandardCharsets.US_ASCII).strip().lines().skip(1)
        .forEach(line -> lines.put(line.substring(0, line.indexOf('=')), line.substring(line.indexOf('=') + 1)));
    assertThat(Map.of("host", lease.host(), "vm", lease.vm(), "incarnation", lease.incarnation(), "boot", lease.boot(),
        "epoch", Long.toString(lease.epoch()), "migration", lease.migration(), "millis",
        Long.toString(lease.duration().toMillis()), "counter", Long.toString(lease.counter())))
        .allSatisfy((key, value) -> assertThat(lines).containsEntry(key, value));
  }

  @Test
  void whoHadWhichDiskIsKnown() throws Exception {
    Map<String, String> found = new TreeMap<>();
    for (Path each : leases()) {
      LeaseRecord lease = LeaseRecord.decode(Files.readAllBytes(each));
      found.put(each.getFileName().toString(), "%s %s %d".formatted(lease.state(), lease.host(), lease.epoch()));
    }
    assertThat(found).containsEntry("disk-held.lease", "HELD host-a 1")
        .containsEntry("disk-stopped-vhd.lease", "RELEASED host-a 1")
        .containsEntry("disk-given-back-disk.lease", "HELD host-a 3")
        .containsEntry("disk-noted-disk.lease", "RELEASED host-a 1")
        .containsEntry("disk-fenced-disk.lease", "HELD host-d 1")
        .containsEntry("disk-fenced-disk.fence", "FENCED host-a 3")
        .containsEntry("host-host-a.lease", "HELD host-a 0");
  }

  @Test
  void filesOfLeasesHaveTheirNamesOfBefore() throws Exception {
    LeaseStore store = new LeaseDirectory(LEASES, new ProcessLocks());
    for (Vhd each : disks()) {
      if (Files.exists(LEASES.resolve("disk-%s.lease".formatted(each.name())))) {
        assertThat(LeaseSlot.ofNamed(store, each.name()).lease()).asString()
            .endsWith("/disk-%s.lease".formatted(each.name()));
        // The lock excludes hosts of the version before, so that it must be the same file.
        assertThat(LEASES.resolve("disk-%s.lock".formatted(each.name()))).exists().isEmptyFile();
      }
    }
    assertThat(LEASES.resolve("host-host-a.lock")).exists().isEmptyFile();
    assertThat(StorageLease.hostFile(store, "host-a")).asString().endsWith("/host-host-a.lease");
  }

  @ParameterizedTest
  @MethodSource("disks")
  void aVhdIsReadAndWrittenAsTheVersionBeforeDid(Vhd disk) throws Exception {
    VhdFooter footer = VhdFooter.decode(ByteBuffer.wrap(disk.footer()), disk.sizeBytes());
    assertThat(footer.sizeBytes()).isEqualTo(disk.sizeBytes());
    assertThat(footer.encode().array()).isEqualTo(disk.footer());
  }

  @Test
  void disksOfTheVersionBeforeAreListedWithTheirIdentities() throws Exception {
    Path directory = Files.createDirectories(storage.resolve("disks"));
    for (Vhd each : disks()) {
      try (RandomAccessFile file = new RandomAccessFile(directory.resolve(each.name() + ".vhd").toFile(), "rw")) {
        file.seek(each.sizeBytes());
        file.write(each.footer());
      }
    }
    List<DiskDescription> listed = new DiskDirectory(storage, Clock.systemUTC()).list();
    assertThat(listed).hasSameSizeAs(disks());
    // The unique id, as the rows of VMs name it.
    for (Vhd each : disks()) {
      String id = HexFormat.of().formatHex(each.footer(), 68, 84);
      assertThat(listed).filteredOn(disk -> disk.name().equals(each.name())).singleElement().satisfies(disk -> {
        assertThat(disk.identity().replace("-", "")).isEqualTo(id);
        assertThat(disk.sizeBytes()).isEqualTo(each.sizeBytes());
      });
    }
  }
}
