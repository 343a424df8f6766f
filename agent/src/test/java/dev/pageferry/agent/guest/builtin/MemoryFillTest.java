package dev.pageferry.agent.guest.builtin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class MemoryFillTest {
  private static final int PAGES = 5000;

  @TempDir
  private Path directory;

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 4095, 4096, 4097, 4096 * 4096, 4096 * 4096 + 5, PAGES * 4096})
  void anImageFillsTheBeginningOfMemoryAndTheRestStaysZero(int bytes) throws Exception {
    byte[] contents = new byte[bytes];
    new Random(bytes).nextBytes(contents);
    Path image = Files.write(directory.resolve("image"), contents);
    try (VirtualMachine vm = Vms.boot(spec(image))) {
      byte[] expected = Arrays.copyOf(contents, PAGES * 4096);
      assertThat(vm.ram().window(0, PAGES)).isEqualTo(ByteBuffer.wrap(expected));
      assertThat(vm.spec().imageSha256())
          .hasValue(HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(contents)));
      assertThat(everWritten(vm).cardinality()).isEqualTo(PageSize.pagesFor(bytes));
      assertThat(everWritten(vm).next(PageSize.pagesFor(bytes), PAGES)).isEqualTo(-1);
    }
  }

  @Test
  void anImageLongerThanMemoryIsRefused() throws Exception {
    Path image = Files.write(directory.resolve("image"), new byte[PAGES * 4096 + 1]);

    assertRefused(image, "more than the VM's");
  }

  @Test
  void anImageThatIsNotThereIsRefused() {
    assertRefused(directory.resolve("nowhere"), "is not a readable file on this host");
  }

  @Test
  void aDirectoryIsNoImage() {
    assertRefused(directory, "is not a readable file on this host");
  }

  @Test
  void aRelativePathIsRefused() {
    assertRefused(Path.of("image"), "memory image image is not an absolute path");
  }

  @Test
  void randomPagesAreAllDifferentAndTheSameForTheSameSeed() throws Exception {
    VmSpec spec = Vms.spec("idle", 300, 2, "fill", "random", "seed", "9");
    VmSpec otherSeed = Vms.spec("idle", 300, 2, "fill", "random", "seed", "10");
    try (VirtualMachine one = Vms.boot(spec);
        VirtualMachine other = Vms.boot(spec);
        VirtualMachine different = Vms.boot(otherSeed)) {
      Set<Long> hashes = new HashSet<>();
      for (int page = 0; page < 300; page++) {
        hashes.add(one.ram().hash(page));
        assertThat(other.ram().hash(page)).isEqualTo(one.ram().hash(page));
        assertThat(different.ram().hash(page)).isNotEqualTo(one.ram().hash(page));
      }
      assertThat(hashes).hasSize(300);
      assertThat(everWritten(one).cardinality()).isEqualTo(300);
      assertThat(one.spec().imageSha256()).isEmpty();
    }
  }

  @Test
  void memoryThatStartsAsZerosCountsAsNeverWritten() throws Exception {
    try (VirtualMachine vm = Vms.boot(Vms.spec("idle", 10, 1))) {
      assertThat(everWritten(vm).cardinality()).isZero();
    }
  }

  private static void assertRefused(Path image, String reason) {
    long free = Vms.MEMORY.freeBytes();
    assertThatThrownBy(() -> Vms.boot(spec(image))).isInstanceOf(IOException.class).hasMessageContaining(reason);
    assertThat(Vms.MEMORY.freeBytes()).isEqualTo(free);
  }

  private static VmSpec spec(Path image) {
    return new VmSpec(new VmId("vm-1"), "test", PageSize.bytesOf(PAGES), 2, Vms.program("idle", PAGES, 2),
        Optional.of(image), Optional.empty(), List.of());
  }

  private static PageBitmap everWritten(VirtualMachine vm) {
    PageBitmap pages = new PageBitmap(vm.ram().pageCount());
    vm.dirtyLog().addEverWritten(pages);
    return pages;
  }
}
