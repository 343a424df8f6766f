package dev.pageferry.agent.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.disk.DiskFormat;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.wire.PageFrame;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.page.PageSize;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class PageSpaceTest {
  private static VmSpec spec(long ramPages, long... diskBytes) {
    List<DiskDescription> disks = new java.util.ArrayList<>();
    for (int i = 0; i < diskBytes.length; i++) {
      disks.add(new DiskDescription("disk-" + i, DiskFormat.RAW, diskBytes[i], "identity-" + i));
    }
    long bytes = PageSize.bytesOf(ramPages);
    return new VmSpec(new VmId("vm"), "vm", bytes, 1, new ProgramSpec("idle", Map.of(), bytes, 1), Optional.empty(),
        Optional.empty(), disks);
  }

  @Test
  void disksBeginAtBlocksBehindRamAndNothingReachesFromOneIntoTheNext() {
    PageSpace space = PageSpace.ofRamAndDisks(spec(10, 4096 + 512, 1 << 20, 512));
    long block = PageFrame.BLOCK_PAGES;
    assertThat(space.disks()).containsExactly(new PageSpace.DiskPages(0, block, block + 2),
        new PageSpace.DiskPages(1, 2 * block, 3 * block), new PageSpace.DiskPages(2, 3 * block, 3 * block + 1));
    assertThat(space.pageCount()).isEqualTo(3 * block + 1);
    assertThat(space.firstDiskPage()).isEqualTo(block);

    assertThat(space.contains(0, 10)).isTrue();
    assertThat(space.contains(9, 2)).isFalse();
    assertThat(space.contains(10, 1)).as("a number of nothing").isFalse();
    assertThat(space.contains(block, 2)).isTrue();
    assertThat(space.contains(block + 1, 2)).isFalse();
    assertThat(space.contains(2 * block, block)).isTrue();
    assertThat(space.contains(2 * block, block + 1)).isFalse();
    assertThat(space.contains(3 * block, Long.MAX_VALUE)).isFalse();
    assertThat(space.contains(-1, 1)).isFalse();
    assertThat(space.contains(0, 0)).isFalse();
    assertThat(space.diskOf(2 * block + 3).offsetOf(2 * block + 3)).isEqualTo(3 * 4096);
    assertThatThrownBy(() -> space.diskOf(10)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void withoutDisksThereIsOnlyRam() {
    PageSpace space = PageSpace.ofRam(spec(10, 1 << 20));
    assertThat(space.pageCount()).isEqualTo(10);
    assertThat(space.isRam(9)).isTrue();
    assertThat(space.contains(PageFrame.BLOCK_PAGES, 1)).isFalse();
  }

  @Test
  void moreThanAMigrationCanCountIsRefused() {
    assertThatThrownBy(() -> PageSpace.ofRamAndDisks(spec(10, 5L << 40, 5L << 40)))
        .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("can count");
  }
}
