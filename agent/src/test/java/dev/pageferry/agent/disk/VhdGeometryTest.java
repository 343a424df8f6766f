package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class VhdGeometryTest {
  /** Each branch of the algorithm, worked out by hand; the first four are what qemu-img writes for those sizes. */
  @ParameterizedTest
  @CsvSource({
      // 3 MiB, 17 sectors and the least number of heads
      "6144, 90, 4, 17",
      // 64 MiB: 7710 tracks want 8 heads
      "131072, 963, 8, 17",
      // 1 GiB: more than 16 heads of 17 sectors, 63 sectors
      "2097152, 2080, 16, 63",
      // 200 MiB: 24094 tracks of 17 are too many heads, 31 sectors fit
      "409600, 825, 16, 31",
      // just beyond what 63 sectors can name
      "66059281, 16191, 16, 255",
      "66059280, 65535, 16, 63",
      // the largest that the geometry can name, and beyond
      "267382800, 65535, 16, 255",
      "4294967296, 65535, 16, 255"})
  void everyBranchOfTheAlgorithmIsFollowed(long sectors, int cylinders, int heads, int sectorsPerTrack) {
    assertThat(VhdGeometry.of(sectors)).isEqualTo(new VhdGeometry(cylinders, heads, sectorsPerTrack));
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 17, 68, 69, 1000, 69_631, 69_632, 278_527, 278_528, 507_903, 507_904, 1_000_000, 66_059_280,
      66_059_281, 267_382_801, Long.MAX_VALUE})
  void theGeometryNeverNamesMoreThanTheDiskHas(long sectors) {
    VhdGeometry geometry = VhdGeometry.of(sectors);
    long named = (long) geometry.cylinders() * geometry.heads() * geometry.sectorsPerTrack();
    assertThat(named).isLessThanOrEqualTo(sectors);
    assertThat(geometry.cylinders()).isBetween(0, 65_535);
    assertThat(geometry.heads()).isBetween(4, 16);
    assertThat(geometry.sectorsPerTrack()).isBetween(17, 255);
  }
}
