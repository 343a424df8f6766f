package dev.pageferry.benchmark;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * RAM of a QEMU guest as a file of shared memory, so that it can be filled and looked at from
 * outside.
 */
final class GuestMemoryFile implements AutoCloseable {
  private static final Path DIRECTORY = Path.of("/dev/shm");
  private static final String PREFIX = "pageferry-bench-";
  private static final Pattern NAME = Pattern.compile(PREFIX + "([0-9]{1,9})-.*");
  private static final int PAGE_BYTES = 4096;
  private static final int SAMPLES = 64;
  private static final int CHUNK_BYTES = 4 << 20;

  private final Path path;
  private final long bytes;
  private final FileChannel channel;
  private final CleanUp.Owned owned;

  /** A file of zeros, of which nothing is backed by memory yet. */
  GuestMemoryFile(String name, long bytes, CleanUp cleanUp) {
    this.path = DIRECTORY.resolve(PREFIX + ProcessHandle.current().pid() + "-" + name);
    this.bytes = bytes;
    try {
      channel = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ,
          StandardOpenOption.WRITE);
    } catch (IOException e) {
      throw new BenchmarkException(path + ": " + e.getMessage(), e);
    }
    owned = cleanUp.own(this::delete);
    try {
      channel.write(ByteBuffer.allocate(1), bytes - 1);
    } catch (IOException e) {
      owned.close();
      throw new BenchmarkException(path + ": " + e.getMessage(), e);
    }
  }

  /** Deletes the files of earlier benchmarks that were killed before they could. */
  static void deleteAbandoned() {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(DIRECTORY, PREFIX + "*")) {
      for (Path file : files) {
        Matcher name = NAME.matcher(file.getFileName().toString());
        if (name.matches() && ProcessHandle.of(Long.parseLong(name.group(1))).isEmpty()) {
          Files.deleteIfExists(file);
        }
      }
    } catch (IOException e) {
      throw new BenchmarkException(DIRECTORY + ": " + e.getMessage(), e);
    }
  }

  static long freeBytes() {
    try {
      return Files.getFileStore(DIRECTORY).getUsableSpace();
    } catch (IOException e) {
      throw new BenchmarkException(DIRECTORY + ": " + e.getMessage(), e);
    }
  }

  Path path() {
    return path;
  }

  /** Fills all pages with random bytes, no two pages alike. */
  void fillRandom(long seed) throws IOException {
    ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK_BYTES);
    SplitMix words = new SplitMix(seed);
    for (long position = 0; position < bytes; position += CHUNK_BYTES) {
      chunk.clear().limit((int) Math.min(CHUNK_BYTES, bytes - position));
      while (chunk.hasRemaining()) {
        chunk.putLong(words.next());
      }
      writeFully(chunk.flip(), position);
    }
  }

  /**
   * Wipes the pages that {@link #sameSamples} looks at, so that an earlier run cannot pass for this
   * one.
   */
  void wipeSamples() throws IOException {
    for (int i = 0; i < SAMPLES; i++) {
      writeFully(ByteBuffer.allocate(PAGE_BYTES), samplePosition(i));
    }
  }

  /**
   * Whether pages spread over the RAM, none of them in the first MiB which firmware writes, are alike
   * and not zero.
   */
  boolean sameSamples(GuestMemoryFile other) throws IOException {
    for (int i = 0; i < SAMPLES; i++) {
      byte[] mine = readPage(samplePosition(i));
      if (!Arrays.equals(mine, other.readPage(samplePosition(i))) || Arrays.equals(mine, new byte[PAGE_BYTES])) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void close() {
    owned.close();
  }

  private long samplePosition(int index) {
    return bytes / PAGE_BYTES * (index + 1) / (SAMPLES + 1) * PAGE_BYTES;
  }

  private byte[] readPage(long position) throws IOException {
    ByteBuffer page = ByteBuffer.allocate(PAGE_BYTES);
    while (page.hasRemaining()) {
      if (channel.read(page, position + page.position()) < 0) {
        throw new IOException(path + ": ends before " + (position + PAGE_BYTES));
      }
    }
    return page.array();
  }

  private void writeFully(ByteBuffer source, long position) throws IOException {
    long at = position;
    while (source.hasRemaining()) {
      at += channel.write(source, at);
    }
  }

  private void delete() {
    try {
      Files.deleteIfExists(path);
      channel.close();
    } catch (IOException e) {
      System.err.println("clean-up: " + e.getMessage());
    }
  }
}
