package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.memory.AtomicPageBitmap;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.service.ServiceMemory;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.units.ByteSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Optional;
import java.util.stream.LongStream;

/** What RAM holds before step 0: zeros, distinct random pages, or a file. */
final class MemoryFill {
  private static final int READ_PAGES = 4096;

  private MemoryFill() {
  }

  /**
   * Fills zero-filled RAM as the spec says. Where the VM has network cards, the end of it stays zero.
   *
   * @param written receives the pages that may no longer be zero
   * @return the SHA-256 of the image, where there is one
   * @throws IOException with a one-line reason if the image cannot be read, or is longer than RAM
   */
  static Optional<String> fill(VmSpec spec, PageStore ram, AtomicPageBitmap written) throws IOException {
    Optional<String> sha256 = fillAll(spec, ram, written);
    ServiceMemory services = spec.serviceMemory();
    ram.zero(services.firstPage(), services.pages());
    return sha256;
  }

  private static Optional<String> fillAll(VmSpec spec, PageStore ram, AtomicPageBitmap written) throws IOException {
    if (spec.image().isPresent()) {
      return Optional.of(load(spec.image().get(), ram, written));
    }
    if (spec.program().fill() == ProgramSpec.Fill.RANDOM) {
      randomize(spec.program().seed(), ram);
      written.addRange(0, ram.pageCount());
    }
    return Optional.empty();
  }

  /** Refuses an image that could not be loaded, before any memory is allocated. */
  static void checkImage(VmSpec spec) throws IOException {
    if (spec.image().isEmpty()) {
      return;
    }
    Path image = spec.image().get();
    if (!image.isAbsolute()) {
      throw new IOException("memory image %s is not an absolute path".formatted(image));
    }
    if (!Files.isRegularFile(image) || !Files.isReadable(image)) {
      throw new IOException("memory image %s is not a readable file on this host".formatted(image));
    }
    long room = PageSize.bytesOf(spec.serviceMemory().firstPage());
    if (Files.size(image) > room) {
      throw new IOException(
          "memory image %s has %s, more than the VM's %s".formatted(image, ByteSize.format(Files.size(image)),
              ByteSize.format(room)));
    }
  }

  private static void randomize(long seed, PageStore ram) {
    LongStream.range(0, ram.pageCount()).parallel().forEach(page -> {
      long state = SplitMix64.mix(seed ^ SplitMix64.mix(page + 1));
      long end = PageSize.bytesOf(page + 1);
      for (long address = PageSize.bytesOf(page); address < end; address += Long.BYTES) {
        state += SplitMix64.GAMMA;
        ram.putLong(address, SplitMix64.mix(state));
      }
    });
  }

  private static String load(Path image, PageStore ram, AtomicPageBitmap written) throws IOException {
    MessageDigest sha256 = MachineState.sha256();
    try (FileChannel file = FileChannel.open(image)) {
      long page = 0;
      long bytes = 0;
      while (page < ram.pageCount()) {
        int pages = (int) Math.min(READ_PAGES, ram.pageCount() - page);
        ByteBuffer window = ram.window(page, pages);
        while (window.hasRemaining() && file.read(window) >= 0) {
          // A read may be short anywhere before the end of the file.
        }
        bytes += window.position();
        boolean atEnd = window.hasRemaining();
        sha256.update(window.flip());
        if (atEnd) {
          break;
        }
        page += pages;
      }
      if (file.position() < file.size()) {
        throw new IOException("memory image %s grew while it was read".formatted(image));
      }
      written.addRange(0, PageSize.pagesFor(bytes));
    } catch (NoSuchFileException e) {
      throw new IOException("memory image %s is not there".formatted(image), e);
    }
    return HexFormat.of().formatHex(sha256.digest());
  }
}
