package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * An open disk: its sectors, wherever the file has them. Reads and writes name byte offsets on the disk and reach nothing
 * beyond its end, least of all the footer of a VHD. Safe for use by several threads.
 */
public final class DiskFile implements OpenDisk {
  private final Path file;
  private final DiskFormat format;
  private final FileChannel channel;
  private final long sizeBytes;

  private DiskFile(Path file, DiskFormat format, FileChannel channel, long sizeBytes) {
    this.file = file;
    this.format = format;
    this.channel = channel;
    this.sizeBytes = sizeBytes;
  }

  /**
   * Opens a disk for reading and writing.
   *
   * @throws DiskException if the file is not a disk of that format
   */
  public static DiskFile open(Path file, DiskFormat format) throws IOException {
    return open(file, format, StandardOpenOption.READ, StandardOpenOption.WRITE);
  }

  /** Opens a disk for reading only. */
  static DiskFile openToRead(Path file, DiskFormat format) throws IOException {
    return open(file, format, StandardOpenOption.READ);
  }

  private static DiskFile open(Path file, DiskFormat format, OpenOption... options) throws IOException {
    FileChannel channel;
    try {
      channel = FileChannel.open(file, options);
    } catch (FileSystemException e) {
      throw StorageFiles.failure(file, "opened", e);
    }
    try {
      return new DiskFile(file, format, channel, sizeOf(file, format, channel));
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /** Bytes that a guest sees of the disk in this file. */
  private static long sizeOf(Path file, DiskFormat format, FileChannel channel) throws IOException {
    return switch (format) {
      case RAW -> dataBytes(file, format, channel);
      case VHD -> footerOf(file, channel).sizeBytes();
    };
  }

  /** A raw file or block device that is passed through. */
  static DiskDescription describePassedThrough(Path file, String identity) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      return new DiskDescription(file.toString(), DiskFormat.RAW, dataBytes(file, DiskFormat.RAW, channel), identity);
    } catch (FileSystemException e) {
      throw StorageFiles.failure(file, "opened", e);
    }
  }

  /** The disk in a file on shared storage. */
  static DiskDescription describe(String name, Path file, DiskFormat format) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      return switch (format) {
        case RAW -> new DiskDescription(name, format, dataBytes(file, format, channel), RawIdentity.ofDisk(file));
        case VHD -> {
          VhdFooter footer = footerOf(file, channel);
          yield new DiskDescription(name, format, footer.sizeBytes(), footer.id().toString());
        }
      };
    } catch (FileSystemException e) {
      throw StorageFiles.failure(file, "opened", e);
    }
  }

  private static VhdFooter footerOf(Path file, FileChannel channel) throws IOException {
    long dataBytes = dataBytes(file, DiskFormat.VHD, channel);
    ByteBuffer footer = ByteBuffer.allocate(VhdFooter.BYTES);
    readFully(file, channel, footer, dataBytes);
    try {
      return VhdFooter.decode(footer, dataBytes);
    } catch (DiskException e) {
      throw new DiskException("%s is no disk of format VHD: %s".formatted(file, e.getMessage()), e);
    }
  }

  private static long dataBytes(Path file, DiskFormat format, FileChannel channel) throws IOException {
    long dataBytes = channel.size() - format.footerBytes();
    if (dataBytes <= 0) {
      throw new DiskException("%s has %d bytes, too few for a %s disk".formatted(file, channel.size(), format));
    }
    if (format == DiskFormat.RAW && dataBytes % VhdFooter.SECTOR_BYTES != 0) {
      throw new DiskException("%s has %d bytes, which are no whole sectors of %d".formatted(file, dataBytes,
          VhdFooter.SECTOR_BYTES));
    }
    return dataBytes;
  }

  @Override
  public long sizeBytes() {
    return sizeBytes;
  }

  public DiskFormat format() {
    return format;
  }

  /**
   * Fills the buffer from the disk.
   *
   * @param offset bytes from the disk's beginning
   * @throws DiskException if that reaches beyond the disk's end
   */
  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    checkWithin(offset, target.remaining());
    readFully(file, channel, target, offset);
  }

  /**
   * Writes all of the buffer to the disk. It is safe from a loss of power only after {@link #flush}.
   *
   * @param offset bytes from the disk's beginning
   * @throws DiskException if that reaches beyond the disk's end
   */
  @Override
  public void write(long offset, ByteBuffer source) throws IOException {
    checkWithin(offset, source.remaining());
    int bytes = source.remaining();
    try {
      for (long at = offset; source.hasRemaining();) {
        at += channel.write(source, at);
      }
    } catch (IOException e) {
      throw new DiskException("%d bytes at offset %d cannot be written to %s: %s".formatted(bytes, offset, file,
          StorageFiles.reason(e)), e);
    }
  }

  /** Returns once everything written before is on stable storage (fdatasync(2)). */
  @Override
  public void flush() throws IOException {
    try {
      channel.force(false);
    } catch (IOException e) {
      throw StorageFiles.failure(file, "flushed", e);
    }
  }

  /** Closes the file; what was not {@linkplain #flush() flushed} is as safe as the system makes it. */
  @Override
  public void close() throws IOException {
    channel.close();
  }

  private void checkWithin(long offset, int bytes) throws DiskException {
    if (offset < 0 || bytes > sizeBytes - offset) {
      throw new DiskException(
          "%d bytes at offset %d reach beyond disk %s of %d bytes".formatted(bytes, offset, file, sizeBytes));
    }
  }

  private static void readFully(Path file, FileChannel channel, ByteBuffer target, long offset) throws IOException {
    for (long at = offset; target.hasRemaining();) {
      int read;
      try {
        read = channel.read(target, at);
      } catch (IOException e) {
        throw new DiskException(
            "%d bytes at offset %d cannot be read from %s: %s".formatted(target.remaining(), at, file,
                StorageFiles.reason(e)),
            e);
      }
      if (read < 0) {
        throw new DiskException("%s ends at %d, %d bytes short".formatted(file, at, target.remaining()));
      }
      at += read;
    }
    target.flip();
  }
}
