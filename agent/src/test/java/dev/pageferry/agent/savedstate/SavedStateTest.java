package dev.pageferry.agent.savedstate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.codec.BlockCodec;
import dev.pageferry.agent.codec.Codec;
import dev.pageferry.agent.memory.AtomicPageBitmap;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.savedstate.SavedStateWriter.Packing;
import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
final class SavedStateTest {
  private static final byte[] METADATA = "who this is".getBytes(StandardCharsets.UTF_8);

  @TempDir
  Path directory;

  private static PageStore ram(int pages) throws Exception {
    return PageStore.allocate(PageSize.bytesOf(pages));
  }

  private static void fill(PageStore ram, long page, long seed) {
    Random random = new Random(seed);
    for (long at = PageSize.bytesOf(page); at < PageSize.bytesOf(page + 1); at += 8) {
      ram.putLong(at, random.nextLong());
    }
  }

  /** Text-like: the same word again and again. */
  private static void fillCompressible(PageStore ram, long page) {
    for (long at = PageSize.bytesOf(page); at < PageSize.bytesOf(page + 1); at += 8) {
      ram.putLong(at, page * 31 + at % 64);
    }
  }

  private static PageBitmap all(PageStore ram) {
    PageBitmap pages = new PageBitmap(ram.pageCount());
    for (long page = 0; page < ram.pageCount(); page++) {
      pages.add(page);
    }
    return pages;
  }

  private SavedStateWriter.Result save(PageStore ram, Packing packing) throws Exception {
    return SavedStateWriter.write(file(), METADATA, ram, all(ram), packing, pages -> {
    });
  }

  private Path file() {
    return directory.resolve("vm.op.state");
  }

  private void assertRestoresTo(PageStore original) throws Exception {
    try (PageStore restored = ram((int) original.pageCount());
        SavedStateReader reader = SavedStateReader.open(file())) {
      AtomicPageBitmap written = new AtomicPageBitmap(original.pageCount());
      AtomicLong read = new AtomicLong();
      reader.restore(restored, written, read::addAndGet);
      assertThat(reader.metadata()).isEqualTo(METADATA);
      for (long page = 0; page < original.pageCount(); page++) {
        assertThat(restored.hash(page)).as("page %d", page).isEqualTo(original.hash(page));
        assertThat(written.contains(page)).isEqualTo(!original.isZero(page));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Packing.class)
  void whatWasSavedIsRestoredByteForByte(Packing packing) throws Exception {
    Random random = new Random(11);
    try (PageStore ram = ram(3000)) {
      for (int page = 0; page < 3000; page++) {
        switch (random.nextInt(4)) {
          case 0 -> fill(ram, page, page);
          case 1 -> fill(ram, page, 7);
          case 2 -> fillCompressible(ram, page);
          default -> {
            // Zero.
          }
        }
      }
      SavedStateWriter.Result result = save(ram, packing);
      assertThat(result.fileBytes()).isEqualTo(Files.size(file()));
      assertThat(result.copies()).isGreaterThan(600);
      assertRestoresTo(ram);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 255, 256, 257, 511, 5000})
  void anyNumberOfPagesIsWhole(int pages) throws Exception {
    try (PageStore ram = ram(pages)) {
      for (int page = 0; page < pages; page++) {
        fill(ram, page, page);
      }
      assertThat(save(ram, Packing.AUTO).pagesStored()).isEqualTo(pages);
      assertRestoresTo(ram);
    }
  }

  @Test
  void zeroPagesTakeNoRoomAndEqualPagesTakeItOnce() throws Exception {
    try (PageStore ram = ram(4096)) {
      SavedStateWriter.Result empty = save(ram, Packing.NONE);
      assertThat(empty.fileBytes()).isLessThan(200);
      assertRestoresTo(ram);
      for (int page = 0; page < 4096; page++) {
        fill(ram, page, 3);
      }
      SavedStateWriter.Result equal = save(ram, Packing.NONE);
      assertThat(equal.pagesStored()).isEqualTo(1);
      assertThat(equal.copies()).isEqualTo(4095);
      assertThat(equal.fileBytes()).isLessThan(100_000);
      assertRestoresTo(ram);
    }
  }

  @Test
  void whatIsCompressibleIsCompressed() throws Exception {
    try (PageStore ram = ram(2048)) {
      for (int page = 0; page < 2048; page++) {
        fillCompressible(ram, page);
      }
      long plain = save(ram, Packing.NONE).fileBytes();
      assertThat(save(ram, Packing.AUTO).fileBytes()).isLessThan(plain / 4);
      assertThat(save(ram, Packing.ZSTD).fileBytes()).isLessThan(plain / 4);
      assertRestoresTo(ram);
    }
  }

  /** The format is a promise: these bytes must be read for as long as version 1 is. */
  @Test
  void aFileOfVersionOneLooksLikeThis() throws Exception {
    try (PageStore ram = ram(3)) {
      for (int at = 0; at < PageSize.BYTES; at += 8) {
        ram.putLong(PageSize.BYTES + at, 0x0102030405060708L);
        ram.putLong(2 * PageSize.BYTES + at, 0x0102030405060708L);
      }
      save(ram, Packing.NONE);
      byte[] bytes = Files.readAllBytes(file());
      HexFormat hex = HexFormat.of();
      String head = hex.formatHex(bytes, 0, 32 + METADATA.length);
      assertThat(head).isEqualTo("5046535441544531" + "0100" + "0000" + "0b000000" + "0300000000000000" + "00100000"
          + "1e8c0c04" + hex.formatHex(METADATA));
      int block = 32 + METADATA.length;
      assertThat(hex.formatHex(bytes, block, block + 32)).isEqualTo("5046424b" + "01" + "00" + "0000" + "08000000"
          + "00100000" + "00100000" + "4819f1fa" + "0100000000000000");
      int copies = block + 32 + PageSize.BYTES;
      assertThat(hex.formatHex(bytes, copies, copies + 40)).isEqualTo("5046424b" + "02" + "00" + "0000" + "10000000"
          + "00000000" + "00000000" + "e9b6469f" + "0200000000000000" + "0100000000000000");
      int end = copies + 40;
      assertThat(hex.formatHex(bytes, end, bytes.length)).isEqualTo("5046424b" + "03" + "00" + "0000" + "28000000"
          + "00000000" + "00000000" + "33a870d2" + "2d7820fd9a7a510c" + "0100000000000000" + "0100000000000000"
          + "2b00000000000000" + "4b10000000000000" + "7310000000000000" + "5a684158" + "50465345");
    }
  }

  @Test
  void aFileThatIsCutOffAnywhereIsRefused() throws Exception {
    try (PageStore ram = ram(40)) {
      for (int page = 0; page < 40; page += 3) {
        fill(ram, page, page);
      }
      save(ram, Packing.NONE);
      byte[] whole = Files.readAllBytes(file());
      for (int length = 0; length < whole.length; length += 997) {
        Files.write(file(), Arrays.copyOf(whole, length));
        assertRefused(ram);
      }
    }
  }

  @Test
  void aFlippedBitAnywhereIsFound() throws Exception {
    try (PageStore ram = ram(8)) {
      fill(ram, 1, 1);
      fill(ram, 2, 1);
      fillCompressible(ram, 4);
      fillCompressible(ram, 5);
      for (Packing packing : new Packing[]{Packing.NONE, Packing.LZ4}) {
        save(ram, packing);
        byte[] whole = Files.readAllBytes(file());
        Random random = new Random(9);
        for (int at = 0; at < whole.length; at += at < 400 || at > whole.length - 400 ? 1 : 37) {
          byte[] damaged = whole.clone();
          damaged[at] ^= (byte) (1 << random.nextInt(8));
          // Two bytes of every header are reserved: they are covered by its checksum all the same.
          Files.write(file(), damaged);
          assertRefused(ram);
        }
      }
    }
  }

  private void assertRefused(PageStore like) throws Exception {
    assertThatThrownBy(() -> {
      try (PageStore target = ram((int) like.pageCount()); SavedStateReader reader = SavedStateReader.open(file())) {
        reader.restore(target, new AtomicPageBitmap(target.pageCount()), bytes -> {
        });
      }
    }).isInstanceOf(IOException.class).hasMessageNotContaining("\n");
  }

  @Test
  void whateverTheBytesAreNothingWorseThanARefusalComesOfIt() throws Exception {
    Random random = new Random(4);
    try (PageStore ram = ram(16)) {
      fill(ram, 3, 3);
      save(ram, Packing.NONE);
      byte[] whole = Files.readAllBytes(file());
      for (int i = 0; i < 500; i++) {
        byte[] hostile = whole.clone();
        for (int n = random.nextInt(12); n >= 0; n--) {
          hostile[random.nextInt(random.nextBoolean() ? hostile.length : 80)] = (byte) random.nextInt(256);
        }
        Files.write(file(), hostile);
        try (PageStore target = ram(16); SavedStateReader reader = SavedStateReader.open(file())) {
          reader.restore(target, new AtomicPageBitmap(16), bytes -> {
          });
        } catch (IOException e) {
          assertThat(e.getMessage()).isNotBlank();
        }
      }
    }
  }

  @Test
  void aFileOfAnotherSizeOrVersionIsRefusedByName() throws Exception {
    try (PageStore ram = ram(8); PageStore larger = ram(9)) {
      save(ram, Packing.NONE);
      assertThatThrownBy(() -> {
        try (SavedStateReader reader = SavedStateReader.open(file())) {
          reader.restore(larger, new AtomicPageBitmap(9), bytes -> {
          });
        }
      }).isInstanceOf(SavedStateException.class).hasMessageContaining("holds 8 pages, the VM has 9");
      byte[] bytes = Files.readAllBytes(file());
      bytes[8] = 2;
      Files.write(file(), bytes);
      assertThatThrownBy(() -> SavedStateReader.open(file())).isInstanceOf(SavedStateException.class)
          .hasMessageContaining("version 2");
    }
  }

  @Test
  void aFullDiskLeavesNothingBehindAndTheOldFileWhole() throws Exception {
    try (PageStore ram = ram(64)) {
      fill(ram, 1, 1);
      save(ram, Packing.NONE);
      fill(ram, 2, 2);
      // A directory in the way of the part is refused as a full disk is: by an IOException in the middle of it.
      Files.createDirectory(directory.resolve("vm.op.state.part"));
      assertThatThrownBy(() -> save(ram, Packing.NONE)).isInstanceOf(IOException.class);
      assertThat(Files.list(directory)).hasSize(1);
    }
    try (PageStore before = ram(64)) {
      fill(before, 1, 1);
      assertRestoresTo(before);
    }
  }

  @Test
  void blocksSurviveEveryCodecOfThisMachine() throws Exception {
    ByteBuffer raw = ByteBuffer.allocateDirect(PageSize.BYTES);
    ByteBuffer stored = ByteBuffer.allocateDirect(BlockCodec.maxStoredBytes(PageSize.BYTES));
    BlockCodec codec = new BlockCodec();
    for (Codec each : new Codec[]{Codec.LZ4, Codec.ZSTD}) {
      if (!BlockCodec.isAvailable(each)) {
        continue;
      }
      for (int seed = 0; seed < 50; seed++) {
        byte[] contents = new byte[PageSize.BYTES];
        Random random = new Random(seed);
        for (int i = 0; i < contents.length; i++) {
          contents[i] = (byte) random.nextInt(1 + seed * 5);
        }
        raw.clear().put(contents).flip();
        int bytes = codec.compress(each, raw, stored);
        raw.clear();
        codec.decompress(each, stored.clear().limit(bytes), raw);
        byte[] back = new byte[PageSize.BYTES];
        raw.get(back);
        assertThat(back).isEqualTo(contents);
      }
    }
  }
}
