package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

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
      long sizeBytes = sizeOf(file, format, channel);
      if (format == DiskFormat.QCOW2 && List.of(options).contains(StandardOpenOption.WRITE)) {
        grow(channel, sizeBytes);
      }
      return new DiskFile(file, format, channel, sizeBytes);
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
      case QCOW2 -> headerOf(file, channel).mostFileBytes();
    };
  }

  private static Qcow2Header headerOf(Path file, FileChannel channel) throws IOException {
    ByteBuffer head = ByteBuffer.allocate(Qcow2Header.BYTES);
    try {
      readFully(file, channel, head, 0);
      Qcow2Header header = Qcow2Header.decode(head);
      if (channel.size() > header.mostFileBytes()) {
        throw new DiskException("its file has %d bytes, and %d are enough; convert it (qemu-img convert)".formatted(
            channel.size(), header.mostFileBytes()));
      }
      return header;
    } catch (DiskException e) {
      throw new DiskException("%s is not a qcow2 disk for this: %s".formatted(file, e.getMessage()), e);
    }
  }

  /** The hypervisor finds room at once, in a hole. */
  private static void grow(FileChannel channel, long sizeBytes) throws IOException {
    if (channel.size() < sizeBytes) {
      int _ = channel.write(ByteBuffer.allocate(1), sizeBytes - 1);
    }
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
        case QCOW2 -> {
          Qcow2Header header = headerOf(file, channel);
          yield new DiskDescription(name, format, header.mostFileBytes(), RawIdentity.ofDisk(file),
              header.guestBytes());
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
    if (format == DiskFormat.QCOW2 && offset + target.remaining() > channel.size()) {
      readBeyondEnd(target, offset);
      return;
    }
    readFully(file, channel, target, offset);
  }

  /** A file that was not opened for writing yet ends ahead of its size: zeros follow. */
  private void readBeyondEnd(ByteBuffer target, long offset) throws IOException {
    int there = (int) Math.clamp(channel.size() - offset, 0, target.remaining());
    if (there > 0) {
      readFully(file, channel, target.slice(target.position(), there), offset);
    }
    target.position(target.position() + there);
    while (target.hasRemaining()) {
      target.put((byte) 0);
    }
    target.flip();
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
